/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/requests.h"
#include "bench/parallel.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <openssl/rand.h>
#include <stdio.h>

#define SLOT_BYTES 8192
#define SIGNER_LIFETIME_S 86400

struct request_slot {
    uint32_t head_len;
    uint32_t len;
    uint8_t bytes[SLOT_BYTES - 8];
};

/* How a username of each form is written as an alternative name. */
static const struct {
    const char *form;
    const char *prefix;
} username_prefixes[] = { { "dns", "DNS:" }, { "email", "email:" }, { "uri", "URI:" } };

/* --- The server ------------------------------------------------------------ */

/* The recipient: not a CA and able to open key transports; a CA only where it stands alone. */
static void choose_certificates(struct requests_server *server)
{
    for (size_t i = server->certs.count; i-- > 0;) {
        struct cert *cert = server->certs.items[i];

        if (!cert_is_ca(cert) && cert_has_key_usage(cert, KEY_USAGE_KEY_ENCIPHERMENT))
            server->encryption = cert;
    }
    if (!server->encryption)
        server->encryption = server->certs.items[0];
    server->ca = server->encryption;
    for (size_t i = 0; i < server->certs.count; i++)
        if (name_equal(cert_get_subject(server->certs.items[i]), cert_get_issuer(server->encryption)))
            server->ca = server->certs.items[i];
}

enum status requests_server_init(const char *url, struct requests_server *out)
{
    AUTO(buf_clear) struct buf body = { 0 };
    struct cert *only = NULL;

    TRY(web_target_parse(url, &out->target));
    TRY(web_get(&out->target, "operation=GetCACert", &body));
    if (scep_certs_parse(buf_span(&body), &out->certs) != OK) {
        TRY(cert_parse(buf_span(&body), &only));
        TRY(cert_list_append(&out->certs, only));
    }
    if (out->certs.count == 0)
        return fail(BAD_INPUT, "GetCACert brought no certificate");
    choose_certificates(out);
    return OK;
}

void requests_server_clear(struct requests_server *server)
{
    cert_list_clear(&server->certs);
    *server = (struct requests_server){ 0 };
}

/* --- Making requests -------------------------------------------------------- */

/* The profile's names, and the username where it travels as one and is not among them anyway. */
static enum status build_san(const struct fleet_device *device, struct buf *out)
{
    const char *texts[FLEET_SANS_MAX + 1];
    char carrier[128] = "";
    size_t count = 0;

    for (; count < device->sans_count; count++)
        texts[count] = device->sans[count];
    for (size_t i = 0; i < COUNT_OF(username_prefixes); i++)
        if (strcmp(device->username_form, username_prefixes[i].form) == 0)
            snprintf(carrier, sizeof(carrier), "%s%s", username_prefixes[i].prefix, device->username);
    for (size_t i = 0; i < count; i++)
        if (strcmp(texts[i], carrier) == 0)
            carrier[0] = '\0';
    if (carrier[0])
        texts[count++] = carrier;
    return general_names_parse_text(texts, count, out);
}

static enum status build_csr(const struct fleet_device *device, struct span subject, struct private_key *key,
                             struct buf *out)
{
    AUTO(buf_clear) struct buf san = { 0 };
    AUTO(buf_clear) struct buf challenge = { 0 };

    TRY(build_san(device, &san));
    if (strcmp(device->username_form, "challenge") == 0)
        TRY(buf_append_format(&challenge, "%s:", device->username));
    TRY(buf_append_text(&challenge, device->password));
    const struct csr_content content = {
        .subject = subject,
        .subject_alt_name = buf_span(&san),
        .challenge = buf_span(&challenge),
    };
    return csr_build(&content, key, DIGEST_SHA256, out);
}

/* RFC 8894 s2.3: self-signed, with the request's subject and key. */
static enum status build_signer(struct span subject, struct private_key *key, struct cert **out)
{
    AUTO(buf_clear) struct buf der = { 0 };
    uint8_t serial[CERT_SERIAL_MAX_BYTES];
    const int64_t now_s = clock_now_s();

    TRY(cert_serial_generate(serial));
    const struct cert_content content = {
        .serial = span_of(serial, sizeof(serial)),
        .subject = subject,
        .spki = public_key_get_spki(private_key_get_public(key)),
        .not_before_s = now_s - SIGNER_LIFETIME_S,
        .not_after_s = now_s + SIGNER_LIFETIME_S,
        .path_length = PATH_LENGTH_NONE,
        .omit_extensions = true,
    };
    TRY(cert_issue(&content, NULL, key, &der));
    return cert_parse(buf_span(&der), out);
}

static enum status build_message(const struct requests *requests, size_t index, struct private_key *key,
                                 struct buf *out)
{
    const struct fleet_device *device = &requests->fleet->devices[index];
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf csr = { 0 };
    AUTO(cert_freep) struct cert *signer = NULL;
    uint8_t nonce[SCEP_NONCE_BYTES];

    TRY(name_parse_text(device->subject, &subject));
    TRY(build_csr(device, buf_span(&subject), key, &csr));
    TRY(build_signer(buf_span(&subject), key, &signer));
    if (RAND_bytes(nonce, sizeof(nonce)) != 1)
        return fail(FAULT, "libcrypto has no random bytes");
    const struct scep_request request = {
        .type = SCEP_PKCS_REQ,
        .transaction = span_of_text(device->name), /* one transaction each: as good as any */
        .sender_nonce = span_of(nonce, sizeof(nonce)),
        .data = buf_span(&csr),
        .signer = { .cert = signer, .key = key },
        .recipient = requests->server->encryption,
        .cipher = SCEP_AES128_CBC,
        .digest = DIGEST_SHA256,
        .now_s = clock_now_s(),
    };
    return scep_request_build(&request, out);
}

static enum status fill_slot(void *context, size_t item)
{
    const struct requests *requests = context;
    struct request_slot *slot = &requests->slots[item];
    AUTO(private_key_freep) struct private_key *key = NULL;
    AUTO(buf_clear) struct buf message = { 0 };
    AUTO(buf_clear) struct buf http = { 0 };

    TRY(key_pool_make(&requests->keys, item, &key));
    TRY(build_message(requests, item, key, &message));
    TRY(web_append_post(&requests->server->target, buf_span(&message), &http));
    if (http.len > sizeof(slot->bytes))
        return fail(FAULT, "a request of %zu bytes is too long to be kept", http.len);
    memcpy(slot->bytes, http.ptr, http.len);
    slot->len = (uint32_t)http.len;
    slot->head_len = (uint32_t)(http.len - message.len);
    return OK;
}

enum status requests_init(const struct requests_server *server, const struct fleet *fleet, struct requests *out)
{
    *out = (struct requests){
        .server = server,
        .fleet = fleet,
        .slots = parallel_memory_new(fleet->count * sizeof(struct request_slot)),
        .count = fleet->count,
    };
    if (!out->slots)
        return fail(FAULT, "no memory for %zu requests", fleet->count);
    TRY(key_pool_init(&out->keys, fleet->count));
    return parallel_run(parallel_cores(), fleet->count, fill_slot, out);
}

void requests_clear(struct requests *requests)
{
    key_pool_clear(&requests->keys);
    parallel_memory_free(requests->slots, requests->count * sizeof(struct request_slot));
    *requests = (struct requests){ 0 };
}

struct span requests_get_http(const struct requests *requests, size_t index)
{
    return span_of(requests->slots[index].bytes, requests->slots[index].len);
}

/* The pkiMessage in the request, lent. */
static struct span get_message(const struct requests *requests, size_t index)
{
    const struct request_slot *slot = &requests->slots[index];

    return span_of(slot->bytes + slot->head_len, slot->len - slot->head_len);
}

/* --- Checking replies -------------------------------------------------------- */

enum status requests_check_reply(const struct requests *requests, size_t index, struct span reply)
{
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    TRY(scep_message_parse(reply, &message));
    const struct scep_header *header = scep_message_get_header(message);
    if (header->message_type != SCEP_CERT_REP)
        return fail(BAD_INPUT, "messageType is %d, not CertRep", header->message_type);
    if (!span_equal(header->transaction, span_of_text(requests->fleet->devices[index].name)))
        return fail(BAD_PROOF, "the reply is for another transaction");
    if (header->pki_status != SCEP_SUCCESS)
        return fail(REFUSED, "pkiStatus %d, failInfo %d: %.*s", header->pki_status, header->fail_info,
                    (int)header->fail_info_text.len, (const char *)header->fail_info_text.ptr);
    return OK;
}

/* The issued certificate is the one with our key. */
static enum status find_issued(const struct cert_list *certs, struct private_key *key,
                               char serial[REQUESTS_SERIAL_TEXT_BYTES])
{
    const struct span spki = public_key_get_spki(private_key_get_public(key));

    for (size_t i = 0; i < certs->count; i++)
        if (span_equal(cert_get_spki(certs->items[i]), spki)) {
            hex_encode(cert_get_serial(certs->items[i]), serial);
            return OK;
        }
    return fail(BAD_PROOF, "no certificate in the reply is for the requested key");
}

enum status requests_open_reply(const struct requests *requests, size_t index, struct span reply,
                                char serial[REQUESTS_SERIAL_TEXT_BYTES])
{
    AUTO(scep_message_freep) struct scep_message *sent = NULL;
    AUTO(private_key_freep) struct private_key *key = NULL;
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };

    TRY(requests_check_reply(requests, index, reply));
    TRY(scep_message_parse(get_message(requests, index), &sent));
    TRY(key_pool_make(&requests->keys, index, &key));
    const struct scep_header *header = scep_message_get_header(sent);
    const struct scep_expectation expect = {
        .transaction = header->transaction,
        .sender_nonce = header->sender_nonce,
        .ca_certs = &requests->server->certs,
        .recipient = { .cert = scep_message_get_signer(sent), .key = key },
    };
    TRY(scep_reply_open(reply, &expect, &answer));
    return find_issued(&answer.certs, key, serial);
}
