/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/name.h"

#include "lib/base/text.h"
#include "lib/pki/libcrypto.h"

#include <strings.h>

/* id-at is 2.5.4; the text that stands first is the one that is written. */
#define ID_AT(n) 3, { 0x55, 0x04, n }

static const struct name_type name_types[] = {
    { "CN", ID_AT(3), 0, 64 },
    { "O", ID_AT(10), 0, 64 },
    { "OU", ID_AT(11), 0, 64 },
    { "C", ID_AT(6), DER_PRINTABLE_STRING, 2 },
    { "ST", ID_AT(8), 0, 128 },
    { "L", ID_AT(7), 0, 128 },
    { "serialNumber", ID_AT(5), DER_PRINTABLE_STRING, 64 },
    { "DC", 10, { 0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19 }, DER_IA5_STRING, 63 },
    { "UID", 10, { 0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01 }, 0, 256 },
    { "emailAddress", 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01 }, DER_IA5_STRING, 255 },
    { "unstructuredName", 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x02 }, 0, 255 },
    { "unstructuredAddress", 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x08 }, 0, 255 },
    { "SN", ID_AT(4), 0, 64 },
    { "GN", ID_AT(42), 0, 64 },
    { "initials", ID_AT(43), 0, 64 },
    { "generationQualifier", ID_AT(44), 0, 64 },
    { "title", ID_AT(12), 0, 64 },
    { "name", ID_AT(41), 0, 128 },
    { "street", ID_AT(9), 0, 128 },
    { "postalCode", ID_AT(17), 0, 40 },
    { "businessCategory", ID_AT(15), 0, 128 },
    { "description", ID_AT(13), 0, 1024 },
    { "pseudonym", ID_AT(65), 0, 128 },
    { "dnQualifier", ID_AT(46), DER_PRINTABLE_STRING, 64 },
    { "organizationIdentifier", ID_AT(97), 0, 256 },
    { "E", 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01 }, DER_IA5_STRING, 255 },
    { "S", ID_AT(8), 0, 128 },
};

static const struct name_type *name_type_by_oid(struct span oid)
{
    for (size_t i = 0; i < COUNT_OF(name_types); i++)
        if (span_equal(oid, span_of(name_types[i].oid, name_types[i].oid_len)))
            return &name_types[i];
    return NULL;
}

const struct name_type *name_type_by_text(struct span text)
{
    for (size_t i = 0; i < COUNT_OF(name_types); i++) {
        const char *known = name_types[i].text;
        if (text.len == strlen(known) && strncasecmp(known, (const char *)text.ptr, text.len) == 0)
            return &name_types[i];
    }
    return NULL;
}

/* --- Reading ------------------------------------------------------------ */

/* AttributeTypeAndValue ::= SEQUENCE { type OBJECT IDENTIFIER, value ANY } */
static enum status value_read(struct span *rdn, struct name_value *out)
{
    struct span pair;

    TRY(der_expect(rdn, DER_SEQUENCE, &pair));
    TRY(der_expect(&pair, DER_OID, &out->oid));
    TRY(der_next(&pair, &out->value));
    return pair.len || out->oid.len == 0 ? fail(BAD_INPUT, "a malformed AttributeTypeAndValue") : OK;
}

static enum status rdns_read(struct span rdns, struct name_value *values, size_t *count)
{
    size_t n = 0;

    while (rdns.len) {
        struct span rdn;
        TRY(der_expect(&rdns, DER_SET, &rdn));
        const size_t first = n;
        do { /* at least one: an RDN is never empty */
            if (n == NAME_VALUES_MAX)
                return fail(BAD_INPUT, "more than %d values", NAME_VALUES_MAX);
            TRY(value_read(&rdn, &values[n]));
            values[n].starts_rdn = n == first;
            n++;
        } while (rdn.len);
    }
    *count = n;
    return OK;
}

enum status name_read(struct span name, struct name_value values[NAME_VALUES_MAX], size_t *count)
{
    struct span rdns;
    size_t n = 0;

    if (name.len) {
        enum status status = der_only(name, DER_SEQUENCE, &rdns);
        if (status == OK)
            status = rdns_read(rdns, values, &n);
        if (status != OK)
            return fail_in(status, "Name (RFC 5280 s4.1.2.4)");
    }
    *count = n;
    return OK;
}

enum status name_check(struct span name)
{
    struct name_value values[NAME_VALUES_MAX];
    size_t count;

    return name_read(name, values, &count);
}

static enum status value_check_text(const struct name_value *value)
{
    AUTO(buf_clear) struct buf converted = { 0 };
    struct span text = value->value.content;

    if (!der_string_is_ascii(value->value.tag, text)) {
        TRY(der_string_utf8(value->value.tag, text, &converted));
        text = buf_span(&converted);
    }
    if (text.len == 0)
        return fail(BAD_INPUT, "an empty value");
    if (utf8_has_control(text))
        return fail(BAD_INPUT, "a NUL or control character in a value");
    return OK;
}

enum status name_check_text(struct span name)
{
    struct name_value values[NAME_VALUES_MAX];
    size_t count = 0;

    TRY(name_read(name, values, &count));
    for (size_t i = 0; i < count; i++) {
        const enum status status = value_check_text(&values[i]);
        if (status != OK)
            return fail_in(status, "Name");
    }
    return OK;
}

bool name_is_empty(struct span name)
{
    static const uint8_t empty[] = { DER_SEQUENCE, 0 };

    return name.len == 0 || span_equal(name, span_of(empty, sizeof empty));
}

static X509_NAME *name_decode(struct span name)
{
    const uint8_t *p = name.ptr;

    return d2i_X509_NAME(NULL, &p, (long)name.len);
}

bool name_equal(struct span a, struct span b)
{
    if (name_check(a) != OK || name_check(b) != OK)
        return false;
    if (span_equal(a, b))
        return true;
    if (name_is_empty(a) || name_is_empty(b))
        return name_is_empty(a) && name_is_empty(b);
    AUTO(X509_NAME_freep) X509_NAME *left = name_decode(a);
    AUTO(X509_NAME_freep) X509_NAME *right = name_decode(b);
    if (!left || !right) {
        fail_libcrypto(BAD_INPUT, "Name");
        return false;
    }
    return X509_NAME_cmp(left, right) == 0;
}

/* --- As text ------------------------------------------------------------ */

/* RFC 4514 s2.4: what must not stand bare in a value. */
static bool must_escape(struct span text, size_t i)
{
    const uint8_t c = text.ptr[i];
    const bool at_end = i == 0 || i + 1 == text.len;

    return memchr("\"+,;<>\\", c, 7) || (c == ' ' && at_end) || (c == '#' && i == 0);
}

static enum status put_escaped(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (utf8_has_control(span_of(text.ptr + i, 1)))
            TRY(buf_append_format(out, "\\%02X", c));
        else if (must_escape(text, i))
            TRY(buf_append_format(out, "\\%c", c));
        else
            TRY(buf_append(out, span_of(&c, 1)));
    }
    return OK;
}

static enum status put_type(struct span oid, struct buf *out)
{
    char text[DER_OID_TEXT_BYTES];
    const struct name_type *type = name_type_by_oid(oid);

    if (type)
        return buf_append_format(out, "%s=", type->text);
    if (der_oid_text(oid, text) == OK)
        return buf_append_format(out, "%s=", text);
    return buf_append_text(out, "OID.?="); /* too long to be worth the time */
}

static enum status put_value(const struct name_value *value, struct buf *out)
{
    AUTO(buf_clear) struct buf text = { 0 };

    TRY(put_type(value->oid, out));
    if (der_string_utf8(value->value.tag, value->value.content, &text) == OK)
        return put_escaped(buf_span(&text), out);
    TRY(buf_append_text(out, "#"));
    return hex_append(value->value.whole, out);
}

enum status name_format(struct span name, struct buf *out)
{
    struct name_value values[NAME_VALUES_MAX];
    size_t count = 0, end;

    TRY(name_read(name, values, &count));
    /* RFC 4514 s2.1: the last RDN stands first; within an RDN the order stays. */
    for (end = count; end > 0;) {
        size_t first = end - 1;
        while (!values[first].starts_rdn)
            first--;
        for (size_t i = first; i < end; i++) {
            if (i > first || end < count)
                TRY(buf_append_text(out, i > first ? "+" : ","));
            TRY(put_value(&values[i], out));
        }
        end = first;
    }
    return OK;
}
