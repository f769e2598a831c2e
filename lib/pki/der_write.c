/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/der.h"

#include "lib/pki/libcrypto.h"

#include <openssl/objects.h>
#include <stdio.h>
#include <time.h>

static void put_bytes(struct der_writer *w, struct span bytes)
{
    if (w->status == OK)
        w->status = buf_append(w->out, bytes);
}

/* Octets of a length field behind its first one. */
static size_t length_octets(size_t length)
{
    size_t octets = 0;

    if (length < 0x80)
        return 0;
    for (; length; length >>= 8)
        octets++;
    return octets;
}

/* Writes 1 + length_octets() bytes. */
static void write_length(uint8_t *to, size_t length)
{
    const size_t octets = length_octets(length);

    if (octets == 0) {
        *to = (uint8_t)length;
        return;
    }
    *to = (uint8_t)(0x80 | octets);
    for (size_t i = octets; i > 0; i--, length >>= 8)
        to[i] = (uint8_t)length;
}

/* What an element is opened with: its tag and room for a length up to 65535. */
#define OPENED_BYTES 4

size_t der_open(struct der_writer *w, uint8_t tag)
{
    const size_t start = w->out->len;
    const uint8_t header[OPENED_BYTES] = { tag };

    put_bytes(w, span_of(header, sizeof header));
    return start;
}

void der_close(struct der_writer *w, size_t start)
{
    if (w->status != OK)
        return;
    const size_t length = w->out->len - start - OPENED_BYTES;
    const size_t header_bytes = 2 + length_octets(length);
    if (header_bytes > OPENED_BYTES && !buf_reserve(w->out, header_bytes - OPENED_BYTES)) {
        w->status = fail(FAULT, "no room to close an element of %zu bytes", length);
        return;
    }
    uint8_t *header = w->out->ptr + start;
    if (header_bytes != OPENED_BYTES)
        memmove(header + header_bytes, header + OPENED_BYTES, length);
    write_length(header + 1, length);
    w->out->len = start + header_bytes + length;
}

void der_put(struct der_writer *w, uint8_t tag, struct span content)
{
    uint8_t header[2 + sizeof content.len] = { tag };

    write_length(header + 1, content.len);
    put_bytes(w, span_of(header, 2 + length_octets(content.len)));
    put_bytes(w, content);
}

void der_put_raw(struct der_writer *w, struct span der)
{
    put_bytes(w, der);
}

void der_put_unsigned(struct der_writer *w, struct span big_endian)
{
    static const uint8_t zero;

    while (big_endian.len && big_endian.ptr[0] == 0) {
        big_endian.ptr++;
        big_endian.len--;
    }
    const size_t start = der_open(w, DER_INTEGER);
    if (big_endian.len == 0 || big_endian.ptr[0] & 0x80)
        put_bytes(w, span_of(&zero, 1));
    put_bytes(w, big_endian);
    der_close(w, start);
}

void der_put_boolean(struct der_writer *w, bool value)
{
    const uint8_t octet = value ? 0xff : 0;

    der_put(w, DER_BOOLEAN, span_of(&octet, 1));
}

void der_put_bit_string(struct der_writer *w, struct span octets)
{
    static const uint8_t unused_bits;
    const size_t start = der_open(w, DER_BIT_STRING);

    put_bytes(w, span_of(&unused_bits, 1));
    put_bytes(w, octets);
    der_close(w, start);
}

void der_put_oid_text(struct der_writer *w, const char *dotted)
{
    uint8_t content[DER_OID_MAX_BYTES];

    if (w->status != OK)
        return;
    const size_t chars = strlen(dotted);
    const bool plausible = chars > 0 && chars < DER_OID_TEXT_BYTES && dotted[chars - 1] != '.';
    const int length = plausible ? a2d_ASN1_OBJECT(content, sizeof content, dotted, (int)chars) : 0;
    if (length <= 0) {
        w->status = fail_libcrypto(BAD_INPUT, "an object identifier as dotted numbers, such as 1.3.6.1.5.5.7.3.2");
        return;
    }
    der_put(w, DER_OID, span_of(content, (size_t)length));
}

void der_put_time(struct der_writer *w, int64_t when_s)
{
    char text[64];
    struct tm tm;
    const time_t when = (time_t)when_s;

    if (w->status != OK)
        return;
    if (!gmtime_r(&when, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
        w->status = fail(BAD_INPUT, "a time outside the years 0 to 9999");
        return;
    }
    const bool utc = tm.tm_year >= 50 && tm.tm_year < 150;
    const int year = utc ? tm.tm_year % 100 : tm.tm_year + 1900;
    snprintf(text, sizeof text, "%0*d%02d%02d%02d%02d%02dZ", utc ? 2 : 4, year, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec);
    der_put(w, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME, span_of_text(text));
}

enum status der_status(const struct der_writer *w)
{
    return w->status;
}
