/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/der.h"

#include "lib/pki/libcrypto.h"

#include <openssl/asn1.h>
#include <openssl/objects.h>

#define DEPTH_MAX 24

static enum status long_length(struct span rest, size_t *header, size_t *length)
{
    const size_t octets = rest.ptr[1] & 0x7f;
    size_t value = 0;

    if (octets == 0)
        return fail(BAD_INPUT, "DER: indefinite length (X.690 s10.1)");
    if (octets > 3)
        return fail(BAD_INPUT, "DER: a length in %zu octets, want at most 3", octets);
    if (rest.len < 2 + octets)
        return fail(BAD_INPUT, "DER: truncated in a length");
    for (size_t i = 0; i < octets; i++)
        value = value << 8 | rest.ptr[2 + i];
    if (value < 0x80 || value >> (8 * (octets - 1)) == 0)
        return fail(BAD_INPUT, "DER: a length in more octets than it needs (X.690 s10.1)");
    *header = 2 + octets;
    *length = value;
    return OK;
}

enum status der_next(struct span *rest, struct der *out)
{
    size_t header = 2;

    if (rest->len < 2)
        return fail(BAD_INPUT, "DER: an element is missing or truncated");
    if ((rest->ptr[0] & 0x1f) == 0x1f)
        return fail(BAD_INPUT, "DER: a tag number over 30");
    size_t length = rest->ptr[1];
    if (length & 0x80)
        TRY(long_length(*rest, &header, &length));
    if (length > rest->len - header)
        return fail(BAD_INPUT, "DER: an element of %zu bytes where %zu are left", length, rest->len - header);
    out->tag = rest->ptr[0];
    out->whole = span_of(rest->ptr, header + length);
    out->content = span_of(rest->ptr + header, length);
    rest->ptr += header + length;
    rest->len -= header + length;
    return OK;
}

enum status der_expect(struct span *rest, uint8_t tag, struct span *content)
{
    struct der element;

    TRY(der_next(rest, &element));
    if (element.tag != tag)
        return fail(BAD_INPUT, "DER: tag 0x%02x, want 0x%02x", element.tag, tag);
    *content = element.content;
    return OK;
}

enum status der_expect_whole(struct span *rest, uint8_t tag, const char *what, struct span *whole)
{
    struct span content;
    const uint8_t *start = rest->ptr;

    const enum status status = der_expect(rest, tag, &content);
    if (status != OK)
        return fail_in(status, "%s", what);
    *whole = span_of(start, (size_t)(rest->ptr - start));
    return OK;
}

enum status der_only(struct span whole, uint8_t tag, struct span *content)
{
    struct span inside;

    TRY(der_expect(&whole, tag, &inside));
    if (whole.len)
        return fail(BAD_INPUT, "DER: %zu bytes behind the end", whole.len);
    *content = inside;
    return OK;
}

/* SEQUENCE and SET are constructed and nothing else of the universal class is (X.690 s10.2). */
static bool form_is_right(uint8_t tag)
{
    const bool universal = (tag & 0xc0) == 0;
    const bool constructed = tag & 0x20;
    const uint8_t number = tag & 0x1f;

    return !universal || constructed == (number == 0x10 || number == 0x11);
}

static enum status check_form(uint8_t tag)
{
    return form_is_right(tag) ? OK : fail(BAD_INPUT, "DER: tag 0x%02x in the wrong form (X.690 s10.2)", tag);
}

static enum status check_level(struct span rest, unsigned depth)
{
    if (depth > DEPTH_MAX)
        return fail(BAD_INPUT, "DER: nested deeper than %d", DEPTH_MAX);
    while (rest.len) {
        struct der element;
        TRY(der_next(&rest, &element));
        TRY(check_form(element.tag));
        if (element.tag & 0x20)
            TRY(check_level(element.content, depth + 1));
    }
    return OK;
}

enum status der_check(struct span whole)
{
    struct span rest = whole;
    struct der element;

    TRY(der_next(&rest, &element));
    if (rest.len)
        return fail(BAD_INPUT, "DER: %zu bytes behind the end", rest.len);
    return check_level(whole, 0);
}

/* INTEGER and ENUMERATED, of either sign (X.690 s8.3.2). */
static enum status check_integer(struct span content)
{
    if (content.len == 0)
        return fail(BAD_INPUT, "DER: an INTEGER without octets");
    if (content.len > 1 && (content.ptr[0] == 0 || content.ptr[0] == 0xff) &&
        (content.ptr[0] & 0x80) == (content.ptr[1] & 0x80))
        return fail(BAD_INPUT, "DER: an INTEGER with a superfluous octet (X.690 s8.3.2)");
    return OK;
}

static enum status check_length(struct span content, const char *what, bool right)
{
    return right ? OK : fail(BAD_INPUT, "DER: %s of %zu octets is of wrong length", what, content.len);
}

enum status der_check_value(const struct der *element)
{
    const struct span content = element->content;

    TRY(check_form(element->tag));
    switch (element->tag) {
    case 0:
        return fail(BAD_INPUT, "DER: tag 0x00, which is no type's (X.690 s8.1.5)");
    case DER_BOOLEAN:
        return check_length(content, "a BOOLEAN", content.len == 1);
    case DER_INTEGER:
    case DER_ENUMERATED:
        return check_integer(content);
    case DER_BIT_STRING:
        return check_length(content, "a BIT STRING or its unused bits", content.len && content.ptr[0] < 8);
    case DER_NULL:
        return check_length(content, "a NULL", content.len == 0);
    case DER_OID:
        return der_oid_check(content);
    case DER_BMP_STRING:
        return check_length(content, "a BMPString", content.len % 2 == 0);
    case DER_UNIVERSAL_STRING:
        return check_length(content, "a UniversalString", content.len % 4 == 0);
    default:
        return OK;
    }
}

enum status der_unsigned(struct span content, struct span *out)
{
    if (content.len == 0)
        return fail(BAD_INPUT, "DER: an INTEGER without octets");
    if (content.ptr[0] & 0x80)
        return fail(BAD_INPUT, "DER: a negative INTEGER");
    if (content.len > 1 && content.ptr[0] == 0 && !(content.ptr[1] & 0x80))
        return fail(BAD_INPUT, "DER: an INTEGER with a superfluous octet (X.690 s8.3.2)");
    const size_t zero = content.len > 1 && content.ptr[0] == 0;
    *out = span_of(content.ptr + zero, content.len - zero);
    return OK;
}

enum status der_octets_of_bits(struct span content, struct span *out)
{
    if (content.len == 0 || content.ptr[0] != 0)
        return fail(BAD_INPUT, "DER: a BIT STRING that is not whole octets");
    *out = span_of(content.ptr + 1, content.len - 1);
    return OK;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar, by eras of 400 years that begin in March. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    const int64_t era = year / 400;
    const int64_t year_of_era = year - era * 400;
    const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/* The two digits at `i`, which have been seen to be digits. */
static int64_t two_digits(struct span text, size_t i)
{
    return (text.ptr[i] - '0') * 10 + (text.ptr[i + 1] - '0');
}

static bool is_digits_and_z(struct span text)
{
    for (size_t i = 0; i + 1 < text.len; i++)
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    return text.ptr[text.len - 1] == 'Z';
}

enum status der_time(const struct der *element, int64_t *out_s)
{
    const struct span text = element->content;
    const bool utc = element->tag == DER_UTC_TIME;

    if (!utc && element->tag != DER_GENERALIZED_TIME)
        return fail(BAD_INPUT, "a time with tag 0x%02x, want UTCTime or GeneralizedTime", element->tag);
    if (text.len != (utc ? 13 : 15) || !is_digits_and_z(text))
        return fail(BAD_INPUT, "RFC 5280 s4.1.2.5: a time is not [YY]YYMMDDHHMMSSZ");
    const size_t at = utc ? 0 : 2;
    const int64_t century = utc ? (two_digits(text, 0) < 50 ? 20 : 19) : two_digits(text, 0);
    const int64_t year = century * 100 + two_digits(text, at);
    const int64_t month = two_digits(text, at + 2);
    const int64_t day = two_digits(text, at + 4);
    const int64_t hour = two_digits(text, at + 6);
    const int64_t minute = two_digits(text, at + 8);
    const int64_t second = two_digits(text, at + 10);
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 ||
        second > 59)
        return fail(BAD_INPUT, "a time that does not exist: %.*s", (int)text.len, (const char *)text.ptr);
    *out_s = days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    return OK;
}

enum status der_oid_check(struct span content)
{
    bool at_start = true; /* of an arc */

    for (size_t i = 0; i < content.len; i++) {
        if (at_start && content.ptr[i] == 0x80)
            return fail(BAD_INPUT, "DER: an object identifier with a superfluous octet (X.690 s8.19.2)");
        at_start = !(content.ptr[i] & 0x80);
    }
    return content.len && at_start ? OK : fail(BAD_INPUT, "DER: an object identifier that is empty or cut");
}

enum status der_oid_text(struct span content, char text[DER_OID_TEXT_BYTES])
{
    if (content.len == 0 || content.len > DER_OID_MAX_BYTES)
        return fail(BAD_INPUT, "an object identifier of %zu bytes, want 1 to %d", content.len, DER_OID_MAX_BYTES);
    uint8_t der[2 + DER_OID_MAX_BYTES] = { DER_OID, (uint8_t)content.len };
    memcpy(der + 2, content.ptr, content.len);
    const uint8_t *p = der;
    AUTO(ASN1_OBJECT_freep) ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &p, (long)(content.len + 2));
    if (!object)
        return fail_libcrypto(BAD_INPUT, "an object identifier");
    const int length = OBJ_obj2txt(text, DER_OID_TEXT_BYTES, object, 1);
    if (length <= 0 || length >= DER_OID_TEXT_BYTES)
        return fail_libcrypto(BAD_INPUT, "an object identifier that is too long");
    return OK;
}

bool der_is_string(uint8_t tag)
{
    static const uint8_t strings[] = { DER_UTF8_STRING, DER_NUMERIC_STRING, DER_PRINTABLE_STRING,
                                       DER_T61_STRING,  DER_IA5_STRING,     DER_VISIBLE_STRING,
                                       DER_BMP_STRING,  DER_UNIVERSAL_STRING };

    return memchr(strings, tag, sizeof strings) != NULL;
}

static bool is_ascii(struct span text)
{
    uint8_t all = 0;

    for (size_t i = 0; i < text.len; i++)
        all |= text.ptr[i];
    return !(all & 0x80);
}

static bool is_of_octets(uint8_t tag)
{
    return tag != DER_BMP_STRING && tag != DER_UNIVERSAL_STRING;
}

bool der_string_is_ascii(uint8_t tag, struct span content)
{
    return der_is_string(tag) && (content.len == 0 || (is_of_octets(tag) && is_ascii(content)));
}

enum status der_string_utf8(uint8_t tag, struct span content, struct buf *out)
{
    if (!der_is_string(tag))
        return fail(BAD_INPUT, "a value with tag 0x%02x, want a string", tag);
    if (der_string_is_ascii(tag, content))
        return buf_append(out, content);
    if (is_of_octets(tag) && tag != DER_T61_STRING && tag != DER_UTF8_STRING)
        return fail(BAD_INPUT, "an ASCII string with a byte over 0x7f in it");
    AUTO(ASN1_STRING_freep) ASN1_STRING *string = ASN1_STRING_type_new(tag);
    if (!string || !ASN1_STRING_set(string, content.ptr, (int)content.len))
        return fail_libcrypto(FAULT, "no memory for a string");
    unsigned char *utf8 = NULL;
    const int length = ASN1_STRING_to_UTF8(&utf8, string);
    OPENSSL_cleanse(string->data, content.len); /* may be a password */
    if (length < 0)
        return fail_libcrypto(BAD_INPUT, "a string that is not properly encoded");
    const enum status status = buf_append(out, span_of(utf8, (size_t)length));
    OPENSSL_clear_free(utf8, (size_t)length);
    return status;
}

bool utf8_has_control(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
        if (text.ptr[i] == 0xc2 && i + 1 < text.len && text.ptr[i + 1] < 0xa0)
            return true;
    }
    return false;
}

bool span_is_printable_string(struct span text)
{
    static const char marks[] = " '()+,-./:=?";

    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        const bool alphanumeric = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!alphanumeric && !memchr(marks, c, sizeof marks - 1))
            return false;
    }
    return true;
}
