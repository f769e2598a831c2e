/* SPDX-License-Identifier: Apache-2.0
 *
 * "DNS:gw.example" and its like to GeneralNames.
 */
#include "lib/pki/der.h"
#include "lib/pki/general_name.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

#define DNS_MAX_BYTES 253
#define DNS_LABEL_MAX_BYTES 63
#define NAME_MAX_BYTES 1024

/* Labels of letters, digits, '-' and '_' with single dots between them; "*" only as the whole first label. */
static enum status dns_check(const char *text)
{
    const size_t wildcard = strncmp(text, "*.", 2) == 0 ? 2 : 0;
    size_t label = 0;

    if (strlen(text) > DNS_MAX_BYTES)
        return fail(BAD_INPUT, "a DNS name of %zu bytes, want at most %d", strlen(text), DNS_MAX_BYTES);
    for (const char *p = text + wildcard; *p; p++) {
        const bool dot = *p == '.';
        if (dot ? label == 0 : !isalnum((unsigned char)*p) && *p != '-' && *p != '_')
            return fail(BAD_INPUT, "\"%s\" is no DNS name", text);
        label = dot ? 0 : label + 1;
        if (label > DNS_LABEL_MAX_BYTES)
            return fail(BAD_INPUT, "\"%s\": a label over %d bytes", text, DNS_LABEL_MAX_BYTES);
    }
    return label ? OK : fail(BAD_INPUT, "\"%s\" is no DNS name", text);
}

static enum status email_check(const char *text)
{
    const char *at = strchr(text, '@');

    if (!at || at == text || strchr(at + 1, '@') || strchr(text, ' '))
        return fail(BAD_INPUT, "\"%s\" is no mailbox, want local@host", text);
    return dns_check(at + 1);
}

static enum status uri_check(const char *text)
{
    const size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

    if (!isalpha((unsigned char)text[0]) || text[scheme] != ':' || !text[scheme + 1] || strpbrk(text, " \"<>\\^`{|}"))
        return fail(BAD_INPUT, "\"%s\" is no URI (RFC 3986)", text);
    return OK;
}

static const struct {
    const char *prefix;
    enum general_name_kind kind;
    enum status (*check)(const char *text);
} texts_known[] = {
    { "DNS:", GENERAL_NAME_DNS, dns_check },
    { "email:", GENERAL_NAME_EMAIL, email_check },
    { "URI:", GENERAL_NAME_URI, uri_check },
    { "IP:", GENERAL_NAME_IP, NULL },
};

enum status general_name_append(const struct general_name *name, struct buf *out)
{
    static const uint8_t tags[] = {
        [GENERAL_NAME_EMAIL] = DER_CONTEXT(1),
        [GENERAL_NAME_DNS] = DER_CONTEXT(2),
        [GENERAL_NAME_DIRECTORY] = DER_CONTEXT_CONSTRUCTED(4),
        [GENERAL_NAME_URI] = DER_CONTEXT(6),
        [GENERAL_NAME_IP] = DER_CONTEXT(7),
    };
    struct der_writer w = { out, OK };

    if (name->kind == GENERAL_NAME_OTHER || name->kind == GENERAL_NAME_UNKNOWN)
        der_put_raw(&w, name->value); /* the whole choice */
    else
        der_put(&w, tags[name->kind], name->value);
    return der_status(&w);
}

static enum status address_append(const char *text, struct buf *out)
{
    uint8_t octets[16];
    struct general_name name = { GENERAL_NAME_IP, { octets, 4 } };

    if (inet_pton(AF_INET, text, octets) != 1) {
        name.value.len = 16;
        if (inet_pton(AF_INET6, text, octets) != 1)
            return fail(BAD_INPUT, "\"%s\" is no IP address", text);
    }
    return general_name_append(&name, out);
}

static enum status pattern_append(const char *text, const struct pattern_values *values, struct buf *out)
{
    AUTO(buf_clear) struct buf value = { 0 };
    char checked[NAME_MAX_BYTES];
    size_t i = 0;

    while (i < COUNT_OF(texts_known) && strncasecmp(text, texts_known[i].prefix, strlen(texts_known[i].prefix)) != 0)
        i++;
    if (i == COUNT_OF(texts_known))
        return fail(BAD_INPUT, "want DNS:, email:, URI: or IP: before the name");
    const struct span pattern = span_of_text(text + strlen(texts_known[i].prefix));
    TRY(pattern_expand(pattern, values, &value));
    TRY(span_to_text(buf_span(&value), checked, sizeof checked));
    if (value.len == 0 || !span_is_printable(buf_span(&value)))
        return fail(BAD_INPUT, "want printable ASCII behind the prefix");
    /* A wildcard may stand in a template, never in what a device is called. */
    if (memchr(value.ptr, '*', value.len) && !memchr(pattern.ptr, '*', pattern.len))
        return fail(REFUSED, "a '*' in a device's or user's name");
    if (texts_known[i].kind == GENERAL_NAME_IP)
        return address_append(checked, out);
    TRY(texts_known[i].check(checked));
    const struct general_name name = { texts_known[i].kind, buf_span(&value) };
    return general_name_append(&name, out);
}

enum status general_names_parse_patterns(const char *const *texts, size_t count, const struct pattern_values *values,
                                         struct buf *out)
{
    struct der_writer w = { out, OK };

    if (count == 0)
        return OK;
    const size_t start = der_open(&w, DER_SEQUENCE);
    for (size_t i = 0; i < count && der_status(&w) == OK; i++) {
        const enum status status = pattern_append(texts[i], values, out);
        if (status != OK)
            return fail_in(status, "alternative name \"%.80s\"", texts[i]);
    }
    der_close(&w, start);
    return der_status(&w);
}

enum status general_names_parse_text(const char *const *texts, size_t count, struct buf *out)
{
    return general_names_parse_patterns(texts, count, NULL, out);
}
