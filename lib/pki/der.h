/* SPDX-License-Identifier: Apache-2.0
 *
 * DER, one element at a time: reading without copying, writing without counting lengths first.
 * For lib/pki and the libraries that read and write formats of their own upon it.  What is read
 * is lent from what it was read from, and nothing is allocated (doc/adr/0007).
 * Source: X.690 s8, s10.
 */
#pragma once

#include "lib/base/span.h"

#define DER_BOOLEAN 0x01
#define DER_INTEGER 0x02
#define DER_BIT_STRING 0x03
#define DER_OCTET_STRING 0x04
#define DER_NULL 0x05
#define DER_OID 0x06
#define DER_ENUMERATED 0x0a
#define DER_UTF8_STRING 0x0c
#define DER_NUMERIC_STRING 0x12
#define DER_PRINTABLE_STRING 0x13
#define DER_T61_STRING 0x14
#define DER_IA5_STRING 0x16
#define DER_UTC_TIME 0x17
#define DER_GENERALIZED_TIME 0x18
#define DER_VISIBLE_STRING 0x1a
#define DER_UNIVERSAL_STRING 0x1c
#define DER_BMP_STRING 0x1e
#define DER_SEQUENCE 0x30
#define DER_SET 0x31
#define DER_CONTEXT(n) ((uint8_t)(0x80 | (n)))             /* [n] IMPLICIT over something primitive */
#define DER_CONTEXT_CONSTRUCTED(n) ((uint8_t)(0xa0 | (n))) /* [n] EXPLICIT, or IMPLICIT over a SEQUENCE */

/* Longer object identifiers are not turned into text: that takes quadratic time. */
#define DER_OID_MAX_BYTES 64
#define DER_OID_TEXT_BYTES 128

/* --- Reading ------------------------------------------------------------ */

struct der {
    uint8_t tag; /* identifier octet: class, constructed bit and number */
    struct span whole;
    struct span content;
};

/* Take the next element off `rest`.
 * BAD_INPUT  nothing left, truncated, length indefinite or longer than it need be, tag number over 30 */
MUST_USE enum status der_next(struct span *rest, struct der *out);

/* The same, and it must have this tag. */
MUST_USE enum status der_expect(struct span *rest, uint8_t tag, struct span *content);

/* The same, header and all; `what` names it in the error text. */
MUST_USE enum status der_expect_whole(struct span *rest, uint8_t tag, const char *what, struct span *whole);

/* `whole` must be one element with this tag and nothing else. */
MUST_USE enum status der_only(struct span whole, uint8_t tag, struct span *content);

/* Does an element with this tag come next? */
static inline bool der_is_next(struct span rest, uint8_t tag)
{
    return rest.len && rest.ptr[0] == tag;
}

/* One element and nothing behind it, and every length in it, at every depth, as DER wants it. */
MUST_USE enum status der_check(struct span whole);

/* What X.690 s8 wants of the form of a universal type, and of the content of a primitive one; other classes pass, and
 * what is inside a constructed element is not looked at.  It is for values that nobody reads any closer. */
MUST_USE enum status der_check_value(const struct der *element);

/* INTEGER's content that is not negative and has no superfluous octet; the leading zero octet is dropped. */
MUST_USE enum status der_unsigned(struct span content, struct span *out);

/* BIT STRING's content that is a whole number of octets. */
MUST_USE enum status der_octets_of_bits(struct span content, struct span *out);

/* UTCTime or GeneralizedTime as RFC 5280 s4.1.2.5 wants them: seconds given, "Z" at the end. */
MUST_USE enum status der_time(const struct der *element, int64_t *out_s);

/* OBJECT IDENTIFIER's content is one, of whatever length (X.690 s8.19.2). */
MUST_USE enum status der_oid_check(struct span content);

/* OBJECT IDENTIFIER's content as dotted numbers.  BAD_INPUT: over DER_OID_MAX_BYTES, or no OID. */
MUST_USE enum status der_oid_text(struct span content, char text[DER_OID_TEXT_BYTES]);

/* Is this one of the string types that hold text? */
bool der_is_string(uint8_t tag);

/* True when a string's content is its text in UTF-8 as it stands: nothing but ASCII, or nothing at all. */
bool der_string_is_ascii(uint8_t tag, struct span content);

/* The text in a string of any type as UTF-8, appended (T61String counts as Latin-1).
 * BAD_INPUT  not a string type, or not properly encoded */
MUST_USE enum status der_string_utf8(uint8_t tag, struct span content, struct buf *out);

/* True when UTF-8 text holds a NUL or another control character (C0, DEL, C1). */
bool utf8_has_control(struct span text);

/* True when PrintableString can hold it (X.680 s41.4). */
bool span_is_printable_string(struct span text);

/* One BER element, with nothing behind it, in DER's framing: definite lengths in as few octets as they
 * need, strings in one piece.  What is DER already comes out byte for byte; the order of a SET, the
 * octets of numbers and the strings under an implicit tag, which nobody can tell without the schema, stay.
 *
 *   ber   lent   outside of `out`
 *   out   given  replaced; at most a few bytes longer than `ber`
 *
 * What has a definite length and cannot be read inside, or is nested deeper than 24, is kept as it is:
 * whoever looks into it with der_next() refuses it.
 * BAD_INPUT  truncated, an indefinite length without an end, an end without a beginning, something behind it
 * Source: X.690 s8.1, s8.7.3. */
MUST_USE enum status ber_to_der(struct span ber, struct buf *out);

/* --- Writing ------------------------------------------------------------ */

/* Appends to `out`; the first failure sticks and is told by der_status(). */
struct der_writer {
    struct buf *out;
    enum status status;
};

/* Begin an element whose content follows; give what is returned to der_close().  Room for its length
 * is left open, so that closing one of 256 to 65535 bytes, which most are, moves nothing. */
size_t der_open(struct der_writer *w, uint8_t tag);
void der_close(struct der_writer *w, size_t start);

void der_put(struct der_writer *w, uint8_t tag, struct span content);
void der_put_raw(struct der_writer *w, struct span der);
void der_put_unsigned(struct der_writer *w, struct span big_endian); /* INTEGER */
void der_put_boolean(struct der_writer *w, bool value);
void der_put_bit_string(struct der_writer *w, struct span octets);
void der_put_oid_text(struct der_writer *w, const char *dotted);
void der_put_time(struct der_writer *w, int64_t when_s); /* RFC 5280 s4.1.2.5 */

MUST_USE enum status der_status(const struct der_writer *w);
