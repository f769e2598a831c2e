/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/http.h"

#include <ctype.h>
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define CONNECT_TIMEOUT_S 10
#define PIN_BYTES 32 /* SHA-256 */

struct http_client {
    CURL *curl;
    struct curl_slist *headers; /* lives as long as the request */
    size_t body_limit_bytes;
    uint8_t pin[PIN_BYTES];
    char error[CURL_ERROR_SIZE];
};

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    curl_slist_free_all(client->headers);
    curl_easy_cleanup(client->curl);
    free(client);
}

static enum status set_options(struct http_client *client, unsigned timeout_s)
{
    CURL *curl = client->curl;
    const unsigned connect_s = timeout_s < CONNECT_TIMEOUT_S ? timeout_s : CONNECT_TIMEOUT_S;

    if (curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)timeout_s) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)connect_s) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_USERAGENT, "Muster/" MUSTER_VERSION) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->error) == CURLE_OK)
        return OK;
    return fail(FAULT, "http: libcurl does not know an option that is needed");
}

enum status http_client_new(unsigned timeout_s, size_t body_limit_bytes, struct http_client **out)
{
    static bool initialised;

    if (!initialised && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return fail(FAULT, "http: libcurl does not start");
    initialised = true;
    AUTO(http_client_freep) struct http_client *client = calloc(1, sizeof *client);
    if (client)
        client->curl = curl_easy_init();
    if (!client || !client->curl)
        return fail(FAULT, "http: no memory for a client");
    client->body_limit_bytes = body_limit_bytes;
    TRY(set_options(client, timeout_s));
    *out = take(client);
    return OK;
}

/* --- Whom to believe ---------------------------------------------------- */

static X509 *find_pinned(STACK_OF(X509) *sent, const uint8_t pin[PIN_BYTES])
{
    for (int i = 0; i < sk_X509_num(sent); i++) {
        uint8_t digest[EVP_MAX_MD_SIZE];
        if (X509_digest(sk_X509_value(sent, i), EVP_sha256(), digest, NULL) && memcmp(digest, pin, PIN_BYTES) == 0)
            return sk_X509_value(sent, i);
    }
    return NULL;
}

/* OpenSSL's own verification, with the pinned certificate as the only anchor; libcurl checks the name. */
static int verify_by_pin(X509_STORE_CTX *context, void *argument)
{
    const struct http_client *client = argument;
    X509 *pinned = find_pinned(X509_STORE_CTX_get0_untrusted(context), client->pin);
    STACK_OF(X509) *anchors = pinned && X509_check_ca(pinned) ? sk_X509_new_null() : NULL;
    int verified = 0;

    if (!anchors)
        X509_STORE_CTX_set_error(context, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    if (anchors && sk_X509_push(anchors, pinned)) {
        X509_STORE_CTX_set0_trusted_stack(context, anchors);
        X509_STORE_CTX_set_flags(context, X509_V_FLAG_PARTIAL_CHAIN);
        verified = X509_verify_cert(context);
    }
    sk_X509_free(anchors);
    return verified == 1;
}

static CURLcode pin_context(CURL *curl, void *context, void *argument)
{
    (void)curl;
    SSL_CTX_set_cert_verify_callback(context, verify_by_pin, argument);
    return CURLE_OK;
}

enum status http_client_trust_pin(struct http_client *client, struct span pin)
{
    if (pin.len != sizeof client->pin)
        return fail(BAD_INPUT, "http: a pin of %zu bytes, want %zu", pin.len, sizeof client->pin);
    memcpy(client->pin, pin.ptr, sizeof client->pin);
    if (curl_easy_setopt(client->curl, CURLOPT_SSL_CTX_FUNCTION, pin_context) == CURLE_OK &&
        curl_easy_setopt(client->curl, CURLOPT_SSL_CTX_DATA, client) == CURLE_OK &&
        curl_easy_setopt(client->curl, CURLOPT_CAINFO, NULL) == CURLE_OK &&
        curl_easy_setopt(client->curl, CURLOPT_CAPATH, NULL) == CURLE_OK)
        return OK;
    return fail(FAULT, "http: this libcurl cannot trust a pinned certificate; it must be one on OpenSSL");
}

enum status http_client_trust_file(struct http_client *client, const char *path)
{
    if (curl_easy_setopt(client->curl, CURLOPT_CAINFO, path) == CURLE_OK &&
        curl_easy_setopt(client->curl, CURLOPT_CAPATH, NULL) == CURLE_OK)
        return OK;
    return fail(FAULT, "http: this libcurl cannot be told whom to trust");
}

void http_answer_clear(struct http_answer *answer)
{
    buf_clear(&answer->body);
    *answer = (struct http_answer){ 0 };
}

/* --- One request -------------------------------------------------------- */

static size_t take_body(char *bytes, size_t size, size_t count, void *argument)
{
    struct buf *body = argument;

    return buf_append(body, span_of(bytes, size * count)) == OK ? size * count : 0;
}

static void url_freep(CURLU **url)
{
    if (*url)
        curl_url_cleanup(*url);
}

static void text_freep(char **text)
{
    curl_free(*text);
}

/* "ra.example:8080", for error texts: a URL's query may hold what is nobody's business. */
static enum status check_url(const char *text, char *place, size_t size)
{
    AUTO(url_freep) CURLU *url = curl_url();
    AUTO(text_freep) char *scheme = NULL;
    AUTO(text_freep) char *host = NULL;
    AUTO(text_freep) char *port = NULL;

    if (!url || curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
        return fail(BAD_INPUT, "\"%.80s\" is not a URL such as http://ra.example:8080/scep/device", text);
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        return fail(BAD_INPUT, "a URL that begins with \"%s\": only http and https are taken", scheme);
    snprintf(place, size, "%s:%s", host, port);
    return OK;
}

/* What a person can do about it. */
static const char *advice(CURLcode code)
{
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return "check the host's name and the name service";
    case CURLE_COULDNT_CONNECT:
        return "is the server running, and is this its address?";
    case CURLE_OPERATION_TIMEDOUT:
        return "the network or the server is slow; try again later";
    case CURLE_PEER_FAILED_VERIFICATION:
        return "this is not the server that is trusted here: check the URL's host and the trust anchor for TLS";
    case CURLE_SSL_CACERT_BADFILE:
        return "check the file with the trust anchor for TLS";
    case CURLE_SSL_CONNECT_ERROR:
        return "its TLS certificate or settings are not acceptable";
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
        return "the connection broke off; try again";
    default:
        return "try again later";
    }
}

static enum status explain(const struct http_client *client, const char *place, CURLcode code)
{
    if (code == CURLE_WRITE_ERROR)
        return fail(BAD_INPUT, "%s: the answer is longer than %zu bytes", place, client->body_limit_bytes);
    return fail(code == CURLE_PEER_FAILED_VERIFICATION ? BAD_PROOF : FAULT, "%s: %s; %s", place, client->error[0] ? client->error : curl_easy_strerror(code),
                advice(code));
}

static enum status set_headers(struct http_client *client, const char *type)
{
    char line[160];
    /* No "Expect: 100-continue": it costs a round trip, and old servers stumble over it. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");

    snprintf(line, sizeof line, "Content-Type: %s", type ? type : "");
    struct curl_slist *longer = list && type ? curl_slist_append(list, line) : list;
    if (!longer) {
        curl_slist_free_all(list);
        return fail(FAULT, "http: no memory for headers");
    }
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, longer);
    curl_slist_free_all(client->headers);
    client->headers = longer;
    return OK;
}

static void set_method(struct http_client *client, const char *type, struct span body)
{
    if (!type) {
        curl_easy_setopt(client->curl, CURLOPT_HTTPGET, 1L);
        return;
    }
    curl_easy_setopt(client->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body.len ? (const void *)body.ptr : "");
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
}

static void read_type(struct http_client *client, struct http_answer *out)
{
    const char *type = NULL;
    size_t n = 0;

    curl_easy_getinfo(client->curl, CURLINFO_CONTENT_TYPE, &type);
    for (; type && type[n] && !strchr("; \t", type[n]) && n < sizeof out->content_type - 1; n++)
        out->content_type[n] = (char)tolower((unsigned char)type[n]);
    out->content_type[n] = 0;
}

static unsigned read_retry_after(struct http_client *client)
{
    curl_off_t seconds = 0;

    curl_easy_getinfo(client->curl, CURLINFO_RETRY_AFTER, &seconds);
    return seconds < 0 ? 0 : seconds > UINT32_MAX ? UINT32_MAX : (unsigned)seconds;
}

enum status http_client_request(struct http_client *client, const char *url, const char *type,
                                struct span body, struct http_answer *out)
{
    AUTO(buf_clear) struct buf received = { .limit = client->body_limit_bytes };
    char place[280];
    long status = 0;

    TRY(check_url(url, place, sizeof place));
    TRY(set_headers(client, type));
    set_method(client, type, body);
    client->error[0] = 0;
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &received);
    const CURLcode code = curl_easy_perform(client->curl);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, NULL);
    if (code != CURLE_OK)
        return explain(client, place, code);
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    http_answer_clear(out);
    out->status = (int)status;
    read_type(client, out);
    out->retry_after_s = read_retry_after(client);
    out->body = received;
    received = (struct buf){ 0 };
    return OK;
}
