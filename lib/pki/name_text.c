/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 4514 text to the DER of a Name.
 */
#include "lib/base/text.h"
#include "lib/pki/name.h"

#include <ctype.h>
#include <stdlib.h>

#define TEXT_MAX_BYTES 4096
#define RDNS_MAX 32

/* Pieces of DER that are put into their final order when all are known. */
struct pieces {
    struct buf items[RDNS_MAX];
    size_t count;
};

static void pieces_clear(struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->count; i++)
        buf_clear(&pieces->items[i]);
}

static enum status pieces_add(struct pieces *pieces, struct buf **out)
{
    if (pieces->count == RDNS_MAX)
        return fail(BAD_INPUT, "more than %d parts in a name", RDNS_MAX);
    *out = &pieces->items[pieces->count++];
    return OK;
}

static void skip_blanks(const char **p)
{
    while (**p == ' ')
        (*p)++;
}

/* "CN =" or "2.5.4.3="; the position ends behind the "=". */
static enum status type_take(const char **p, struct span *type)
{
    skip_blanks(p);
    const size_t length = strcspn(*p, "= ");
    *type = span_of(*p, length);
    *p += length;
    skip_blanks(p);
    if (**p != '=' || length == 0)
        return fail(BAD_INPUT, "want TYPE=VALUE at \"%.40s\"", (const char *)type->ptr);
    (*p)++;
    skip_blanks(p);
    return OK;
}

/* Behind a backslash: two hexadecimal digits, or one special character. */
static enum status escape_take(const char **p, struct buf *out)
{
    const char *at = *p;

    if (isxdigit((unsigned char)at[0]) && isxdigit((unsigned char)at[1])) {
        *p += 2;
        return hex_decode(span_of(at, 2), out);
    }
    if (!*at || !strchr(" \"#+,;<=>\\", *at))
        return fail(BAD_INPUT, "RFC 4514 s2.4: \"\\%.1s\" is no escape", at);
    *p += 1;
    return buf_append(out, span_of(at, 1));
}

/* A value's bytes, escapes undone, blanks before a separator dropped. */
static enum status value_take(const char **p, struct buf *out)
{
    size_t keep = 0; /* up to here the blanks are meant */

    while (**p && !strchr(",+;", **p)) {
        const char c = *(*p)++;
        if (c == '\\')
            TRY(escape_take(p, out));
        else if (strchr("\"<>", c))
            return fail(BAD_INPUT, "RFC 4514 s2.4: '%c' in a value must be escaped", c);
        else
            TRY(buf_append(out, span_of(&c, 1)));
        if (c != ' ')
            keep = out->len;
    }
    out->len = keep;
    return OK;
}

/* "#04024869": the value's own DER. */
static enum status hex_value_put(struct der_writer *w, struct span hex)
{
    AUTO(buf_clear) struct buf der = { 0 };

    TRY(hex_decode(hex, &der));
    TRY(der_check(buf_span(&der)));
    der_put_raw(w, buf_span(&der));
    return der_status(w);
}

static size_t utf8_chars(struct span text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += (text.ptr[i] & 0xc0) != 0x80;
    return count;
}

static enum status text_value_put(struct der_writer *w, const struct name_type *type, struct span text)
{
    AUTO(buf_clear) struct buf checked = { 0 };
    const uint8_t tag = type && type->string_tag ? type->string_tag : DER_UTF8_STRING;
    const size_t max_chars = type ? type->max_chars : 256;

    if (text.len == 0 || utf8_chars(text) > max_chars)
        return fail(BAD_INPUT, "a value of %zu characters, want 1 to %zu", utf8_chars(text), max_chars);
    if (utf8_has_control(text))
        return fail(BAD_INPUT, "a NUL or control character in a value");
    if (tag == DER_PRINTABLE_STRING && !span_is_printable_string(text))
        return fail(BAD_INPUT, "a value that is not a PrintableString: %.*s", (int)text.len, (const char *)text.ptr);
    TRY(der_string_utf8(tag, text, &checked));
    der_put(w, tag, text);
    return der_status(w);
}

static enum status type_put(struct der_writer *w, struct span text, const struct name_type *type)
{
    char dotted[DER_OID_TEXT_BYTES];

    if (type) {
        der_put(w, DER_OID, span_of(type->oid, type->oid_len));
        return der_status(w);
    }
    TRY(span_to_text(text, dotted, sizeof dotted));
    if (!isdigit((unsigned char)dotted[0]))
        return fail(BAD_INPUT, "unknown type \"%s\", want CN, O, OU, C, ST, L, serialNumber, DC, UID or an OID", dotted);
    der_put_oid_text(w, dotted);
    return der_status(w);
}

/* TYPE=VALUE at the position, as AttributeTypeAndValue. */
static enum status pair_take(const char **p, const struct pattern_values *values, struct buf *out)
{
    AUTO(buf_clear) struct buf raw = { 0 };
    AUTO(buf_clear) struct buf text = { 0 };
    struct der_writer w = { out, OK };
    struct span type_text;

    TRY(type_take(p, &type_text));
    const struct name_type *type = name_type_by_text(type_text);
    const bool hex = **p == '#';
    TRY(value_take(p, &raw));
    const size_t start = der_open(&w, DER_SEQUENCE);
    TRY(type_put(&w, type_text, type));
    if (hex) {
        TRY(hex_value_put(&w, span_of(raw.ptr + 1, raw.len - 1)));
    } else {
        TRY(pattern_expand(buf_span(&raw), values, &text));
        const enum status status = text_value_put(&w, type, buf_span(&text));
        if (status != OK)
            return fail_in(status, "%.*s", (int)type_text.len, (const char *)type_text.ptr);
    }
    der_close(&w, start);
    return der_status(&w);
}

static int piece_compare(const void *a, const void *b)
{
    const struct buf *left = a, *right = b;
    const size_t shorter = left->len < right->len ? left->len : right->len;
    const int order = memcmp(left->ptr, right->ptr, shorter);

    return order ? order : (left->len > right->len) - (left->len < right->len);
}

/* TYPE=VALUE+TYPE=VALUE at the position, as RelativeDistinguishedName. */
static enum status rdn_take(const char **p, const struct pattern_values *values, struct buf *out)
{
    AUTO(pieces_clear) struct pieces pairs = { 0 };
    struct der_writer w = { out, OK };
    struct buf *pair = NULL;

    for (bool more = true; more;) {
        TRY(pieces_add(&pairs, &pair));
        TRY(pair_take(p, values, pair));
        more = **p == '+';
        *p += more;
    }
    qsort(pairs.items, pairs.count, sizeof pairs.items[0], piece_compare); /* X.690 s11.6 */
    const size_t start = der_open(&w, DER_SET);
    for (size_t i = 0; i < pairs.count; i++)
        der_put_raw(&w, buf_span(&pairs.items[i]));
    der_close(&w, start);
    return der_status(&w);
}

static enum status rdns_take(const char *p, const struct pattern_values *values, struct pieces *rdns)
{
    struct buf *rdn = NULL;

    skip_blanks(&p);
    while (*p) {
        TRY(pieces_add(rdns, &rdn));
        TRY(rdn_take(&p, values, rdn));
        if (*p && !p[1])
            return fail(BAD_INPUT, "nothing behind the last '%c'", *p);
        p += *p != 0;
    }
    return OK;
}

enum status name_parse_pattern(const char *text, const struct pattern_values *values, struct buf *out)
{
    AUTO(pieces_clear) struct pieces rdns = { 0 };
    struct der_writer w = { out, OK };

    if (strlen(text) > TEXT_MAX_BYTES)
        return fail(BAD_INPUT, "a name of %zu bytes, want at most %d", strlen(text), TEXT_MAX_BYTES);
    const enum status status = rdns_take(text, values, &rdns);
    if (status != OK)
        return fail_in(status, "name \"%.80s\"", text);
    const size_t start = der_open(&w, DER_SEQUENCE);
    for (size_t i = rdns.count; i > 0; i--) /* RFC 4514 s2.1: text begins with the last RDN */
        der_put_raw(&w, buf_span(&rdns.items[i - 1]));
    der_close(&w, start);
    return der_status(&w);
}

enum status name_parse_text(const char *text, struct buf *out)
{
    return name_parse_pattern(text, NULL, out);
}
