/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/span.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool span_equal_secret(struct span a, struct span b)
{
    volatile uint8_t difference = a.len != b.len;

    for (size_t i = 0; i < a.len && i < b.len; i++)
        difference |= (uint8_t)(a.ptr[i] ^ b.ptr[i]);
    return difference == 0;
}

bool span_is_printable(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e)
            return false;
    return true;
}

enum status span_to_text(struct span s, char *text, size_t size)
{
    if (s.len >= size)
        return fail(BAD_INPUT, "a text of %zu bytes where at most %zu fit", s.len, size - 1);
    if (s.len && memchr(s.ptr, 0, s.len))
        return fail(BAD_INPUT, "a text with a NUL byte in it");
    if (s.len)
        memcpy(text, s.ptr, s.len);
    text[s.len] = 0;
    return OK;
}

uint8_t *buf_reserve(struct buf *b, size_t len)
{
    const size_t limit = b->limit ? b->limit : BUF_LIMIT_BYTES;

    if (len > limit || b->len > limit - len)
        return NULL;
    const size_t want = b->len + len + 1; /* one more for buf_text() */
    if (want <= b->capacity)
        return b->ptr + b->len;
    size_t capacity = b->capacity ? b->capacity : 256;
    while (capacity < want)
        capacity *= 2;
    /* Not realloc: the old block may hold a secret and must be wiped. */
    uint8_t *ptr = malloc(capacity);
    if (!ptr)
        return NULL;
    if (b->ptr) {
        memcpy(ptr, b->ptr, b->len);
        explicit_bzero(b->ptr, b->capacity);
        free(b->ptr);
    }
    b->ptr = ptr;
    b->capacity = capacity;
    return b->ptr + b->len;
}

enum status buf_append(struct buf *b, struct span bytes)
{
    uint8_t *to = buf_reserve(b, bytes.len);

    if (!to)
        return fail(FAULT, "no room for %zu more bytes after %zu", bytes.len, b->len);
    if (bytes.len)
        memcpy(to, bytes.ptr, bytes.len);
    b->len += bytes.len;
    return OK;
}

enum status buf_append_text(struct buf *b, const char *text)
{
    return buf_append(b, span_of_text(text));
}

enum status buf_append_format(struct buf *b, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    const int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (n < 0)
        return fail(FAULT, "cannot format a text");
    char *to = (char *)buf_reserve(b, (size_t)n + 1);
    if (!to)
        return fail(FAULT, "no room for %d more bytes after %zu", n, b->len);
    va_start(arguments, format);
    vsnprintf(to, (size_t)n + 1, format, arguments);
    va_end(arguments);
    b->len += (size_t)n;
    return OK;
}

enum status buf_set(struct buf *b, struct span bytes)
{
    b->len = 0;
    return buf_append(b, bytes);
}

void buf_consume(struct buf *b, size_t len)
{
    if (len >= b->len) {
        b->len = 0;
        return;
    }
    memmove(b->ptr, b->ptr + len, b->len - len);
    b->len -= len;
}

const char *buf_text(struct buf *b)
{
    uint8_t *end = buf_reserve(b, 0);

    if (!end)
        return NULL;
    *end = 0;
    return (const char *)b->ptr;
}

void buf_clear(struct buf *b)
{
    if (b->ptr) {
        explicit_bzero(b->ptr, b->capacity);
        free(b->ptr);
    }
    b->ptr = NULL;
    b->len = 0;
    b->capacity = 0;
}
