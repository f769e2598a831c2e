/* SPDX-License-Identifier: Apache-2.0
 *
 * GeneralNames read, compared and shown (RFC 5280 s4.2.1.6).
 */
#include "lib/pki/general_name.h"

#include "lib/base/text.h"
#include "lib/pki/der.h"
#include "lib/pki/name.h"

#include <arpa/inet.h>
#include <strings.h>

#define URI_SCHEME_END "://"

/* Indexed by enum general_name_kind. */
static const struct {
    const char *text;
    uint8_t tag;
} kinds[] = {
    [GENERAL_NAME_OTHER] = { "otherName", DER_CONTEXT_CONSTRUCTED(0) },
    [GENERAL_NAME_EMAIL] = { "email", DER_CONTEXT(1) },
    [GENERAL_NAME_DNS] = { "DNS", DER_CONTEXT(2) },
    [GENERAL_NAME_DIRECTORY] = { "DirName", DER_CONTEXT_CONSTRUCTED(4) },
    [GENERAL_NAME_URI] = { "URI", DER_CONTEXT(6) },
    [GENERAL_NAME_IP] = { "IP", DER_CONTEXT(7) },
    [GENERAL_NAME_UNKNOWN] = { "other", 0 },
};

/* --- Reading ------------------------------------------------------------ */

static enum status text_check(struct span text)
{
    if (text.len == 0)
        return fail(BAD_INPUT, "an empty name");
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e)
            return fail(BAD_INPUT, "byte 0x%02x in a name, want printable IA5", text.ptr[i]);
    return OK;
}

/* otherName [0]: { type-id OBJECT IDENTIFIER, value [0] EXPLICIT ANY } */
static enum status other_check(struct span content)
{
    struct span oid, explicit_value;
    struct der value;

    TRY(der_expect(&content, DER_OID, &oid));
    TRY(der_expect(&content, DER_CONTEXT_CONSTRUCTED(0), &explicit_value));
    TRY(der_next(&explicit_value, &value));
    if (content.len || explicit_value.len || oid.len == 0)
        return fail(BAD_INPUT, "a malformed otherName");
    if (der_is_string(value.tag) && memchr(value.content.ptr, 0, value.content.len) && value.tag != DER_BMP_STRING &&
        value.tag != DER_UNIVERSAL_STRING)
        return fail(BAD_INPUT, "a NUL in an otherName");
    return OK;
}

static enum general_name_kind kind_of(uint8_t tag)
{
    for (size_t i = 0; i < GENERAL_NAME_UNKNOWN; i++)
        if (kinds[i].tag == tag)
            return (enum general_name_kind)i;
    return GENERAL_NAME_UNKNOWN;
}

static enum status general_name_read(const struct der *element, struct general_name *out)
{
    out->kind = kind_of(element->tag);
    out->value = element->content;
    switch (out->kind) {
    case GENERAL_NAME_EMAIL:
    case GENERAL_NAME_DNS:
    case GENERAL_NAME_URI:
        return text_check(element->content);
    case GENERAL_NAME_IP:
        if (element->content.len != 4 && element->content.len != 16)
            return fail(BAD_INPUT, "an address of %zu octets, want 4 or 16", element->content.len);
        return OK;
    case GENERAL_NAME_DIRECTORY:
        return name_check(element->content);
    case GENERAL_NAME_OTHER:
        out->value = element->whole;
        return other_check(element->content);
    case GENERAL_NAME_UNKNOWN:
        out->value = element->whole;
        break;
    }
    /* x400Address [3], ediPartyName [5], registeredID [8] */
    if (element->tag != 0xa3 && element->tag != 0xa5 && element->tag != 0x88)
        return fail(BAD_INPUT, "tag 0x%02x is no GeneralName", element->tag);
    return element->content.len ? OK : fail(BAD_INPUT, "an empty name");
}

static enum status names_read(struct span rest, struct general_name *names, size_t room, size_t *count)
{
    size_t n = 0;

    if (rest.len == 0)
        return fail(BAD_INPUT, "no name in it");
    for (; rest.len; n++) {
        struct der element;
        if (n == room)
            return fail(BAD_INPUT, "more than %zu names", room);
        TRY(der_next(&rest, &element));
        TRY(general_name_read(&element, &names[n]));
    }
    *count = n;
    return OK;
}

enum status general_names_parse(struct span der, struct general_name *names, size_t room, size_t *count)
{
    struct span rest;

    *count = 0;
    if (der.len == 0)
        return OK;
    enum status status = der_only(der, DER_SEQUENCE, &rest);
    if (status == OK)
        status = names_read(rest, names, room, count);
    return status == OK ? OK : fail_in(status, "GeneralNames (RFC 5280 s4.2.1.6)");
}

/* --- Comparing ---------------------------------------------------------- */

static bool equal_any_case(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp((const char *)a.ptr, (const char *)b.ptr, a.len) == 0);
}

static struct span part(struct span s, size_t from, size_t to)
{
    return span_of(s.ptr + from, to - from);
}

/* RFC 5280 s7.5: the local part exactly, the host in any case. */
static bool email_equal(struct span a, struct span b)
{
    const uint8_t *at = memrchr(a.ptr, '@', a.len);
    const size_t local = at ? (size_t)(at - a.ptr) : 0;

    return a.len == b.len && span_equal(part(a, 0, local), part(b, 0, local)) &&
           equal_any_case(part(a, local, a.len), part(b, local, b.len));
}

/* Where the part of a URI ends that is compared in any case: scheme and host. */
static size_t uri_case_end(struct span uri)
{
    const uint8_t *colon = memchr(uri.ptr, ':', uri.len);
    size_t end = colon ? (size_t)(colon - uri.ptr) : 0;

    if (!colon || uri.len - end < 3 || memcmp(colon, URI_SCHEME_END, 3) != 0)
        return end;
    for (end += 3; end < uri.len && !memchr("/?#", uri.ptr[end], 3); end++)
        if (uri.ptr[end] == '@') /* what stands before it is no host */
            return (size_t)(colon - uri.ptr);
    return end;
}

/* RFC 5280 s7.4 */
static bool uri_equal(struct span a, struct span b)
{
    const size_t end = uri_case_end(a);

    return a.len == b.len && end == uri_case_end(b) && equal_any_case(part(a, 0, end), part(b, 0, end)) &&
           span_equal(part(a, end, a.len), part(b, end, b.len));
}

bool general_name_equal(const struct general_name *a, const struct general_name *b)
{
    if (a->kind != b->kind || a->value.len == 0 || b->value.len == 0)
        return false;
    switch (a->kind) {
    case GENERAL_NAME_DNS:
        return equal_any_case(a->value, b->value);
    case GENERAL_NAME_EMAIL:
        return email_equal(a->value, b->value);
    case GENERAL_NAME_URI:
        return uri_equal(a->value, b->value);
    case GENERAL_NAME_DIRECTORY:
        return name_equal(a->value, b->value);
    case GENERAL_NAME_IP:
    case GENERAL_NAME_OTHER:
    case GENERAL_NAME_UNKNOWN:
        break;
    }
    return span_equal(a->value, b->value);
}

bool general_name_in(const struct general_name *names, size_t count, const struct general_name *wanted)
{
    for (size_t i = 0; i < count; i++)
        if (general_name_equal(&names[i], wanted))
            return true;
    return false;
}

bool general_names_contain(struct span all, struct span some)
{
    struct general_name have[GENERAL_NAMES_MAX], want[GENERAL_NAMES_MAX];
    size_t have_count = 0, want_count = 0;

    if (general_names_parse(all, have, COUNT_OF(have), &have_count) != OK ||
        general_names_parse(some, want, COUNT_OF(want), &want_count) != OK)
        return false;
    for (size_t i = 0; i < want_count; i++)
        if (!general_name_in(have, have_count, &want[i]))
            return false;
    return true;
}

/* --- As text ------------------------------------------------------------ */

static enum status general_name_format(const struct general_name *name, struct buf *out)
{
    char address[INET6_ADDRSTRLEN];

    TRY(buf_append_format(out, "%s:", kinds[name->kind].text));
    switch (name->kind) {
    case GENERAL_NAME_EMAIL:
    case GENERAL_NAME_DNS:
    case GENERAL_NAME_URI:
        return buf_append(out, name->value);
    case GENERAL_NAME_DIRECTORY:
        return name_format(name->value, out);
    case GENERAL_NAME_IP:
        if (!inet_ntop(name->value.len == 4 ? AF_INET : AF_INET6, name->value.ptr, address, sizeof address))
            return fail(FAULT, "cannot show an address");
        return buf_append_text(out, address);
    case GENERAL_NAME_OTHER:
    case GENERAL_NAME_UNKNOWN:
        break;
    }
    return hex_append(name->value, out);
}

enum status general_names_format(struct span der, struct buf *out)
{
    struct general_name names[GENERAL_NAMES_MAX];
    size_t count = 0;

    TRY(general_names_parse(der, names, COUNT_OF(names), &count));
    for (size_t i = 0; i < count; i++) {
        if (i)
            TRY(buf_append_text(out, ", "));
        TRY(general_name_format(&names[i], out));
    }
    return OK;
}
