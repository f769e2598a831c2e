/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes.  `struct span` is lent: a pointer and a length that somebody else
 * owns.  `struct buf` is owned: it grows up to a hard limit and is wiped when
 * it is cleared, so it may hold secrets.
 */
#pragma once

#include "lib/base/status.h"

#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *ptr;
    size_t len;
};

struct buf {
    uint8_t *ptr;
    size_t len;
    size_t capacity;
    size_t limit; /* bytes; 0 means BUF_LIMIT_BYTES */
};

#define BUF_LIMIT_BYTES ((size_t)16 << 20)

#define SPAN_LITERAL(text) ((struct span){ (const uint8_t *)(text), sizeof(text) - 1 })

static inline struct span span_of(const void *ptr, size_t len)
{
    return (struct span){ ptr, len };
}

/* A text without its NUL; NULL gives the empty span. */
static inline struct span span_of_text(const char *text)
{
    return (struct span){ (const uint8_t *)text, text ? strlen(text) : 0 };
}

static inline struct span buf_span(const struct buf *b)
{
    return (struct span){ b->ptr, b->len };
}

/* Byte equality; not for secrets. */
bool span_equal(struct span a, struct span b);

/* Byte equality whose time depends on the lengths alone; for secrets and MACs. */
bool span_equal_secret(struct span a, struct span b);

/* True when every byte is printable ASCII (0x20 .. 0x7e). */
bool span_is_printable(struct span s);

/* Copy a span into a NUL-terminated array.
 * BAD_INPUT  it holds a NUL or does not fit in `size` bytes with its NUL. */
MUST_USE enum status span_to_text(struct span s, char *text, size_t size);

/* Add bytes at the end.  FAULT: no memory, or the buffer's limit would be passed
 * (then nothing is added).  The span must not lie inside the buffer. */
MUST_USE enum status buf_append(struct buf *b, struct span bytes);
MUST_USE enum status buf_append_text(struct buf *b, const char *text);
MUST_USE enum status buf_append_format(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* Replace the content. */
MUST_USE enum status buf_set(struct buf *b, struct span bytes);

/* Make room for `len` more bytes and return where they go (then add to b->len
 * what was written); NULL when there is no memory or the limit would be passed. */
uint8_t *buf_reserve(struct buf *b, size_t len);

/* Drop the first `len` bytes (at most b->len). */
void buf_consume(struct buf *b, size_t len);

/* Put a NUL behind the content (not counted in len) and lend it as text; NULL on FAULT. */
const char *buf_text(struct buf *b);

/* Wipe and free the content; the limit stays.  Fine on an empty or cleared buffer. */
void buf_clear(struct buf *b);
