/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as text and back: hexadecimal, base64, percent-encoding; numbers.
 */
#pragma once

#include "lib/base/span.h"

/* Lower-case hexadecimal; `text` holds 2 * bytes.len + 1. */
void hex_encode(struct span bytes, char *text);

/* The same, appended. */
MUST_USE enum status hex_append(struct span bytes, struct buf *out);

/* Hexadecimal in either case, colons and blanks between bytes allowed.  BAD_INPUT otherwise. */
MUST_USE enum status hex_decode(struct span text, struct buf *out);

/* RFC 4648 s4 with padding, no line breaks. */
MUST_USE enum status base64_encode(struct span bytes, struct buf *out);

/* RFC 4648 s4 and s5 alphabets mixed, padding optional, CR LF TAB ignored.
 * BAD_INPUT  any other byte, or a length no encoder makes. */
MUST_USE enum status base64_decode(struct span text, struct buf *out);

/* RFC 3986 s2.1 percent-decoding; '+' stays '+'.  BAD_INPUT: '%' without two digits. */
MUST_USE enum status percent_decode(struct span text, struct buf *out);

/* A whole decimal number within [low, high]; BAD_INPUT otherwise. */
MUST_USE enum status number_parse(const char *text, int64_t low, int64_t high, int64_t *out);

/* Put blanks in place of every comment of a libconfuse text ('#', '//' and '/' '*' ... outside quotes); line
 * breaks stay.  libconfuse 3.3 counts the lines of comments wrongly, and its errors then name wrong lines. */
void comments_blank(struct buf *text);
