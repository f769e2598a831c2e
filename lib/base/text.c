/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/text.h"

#include <errno.h>
#include <stdlib.h>

void hex_encode(struct span bytes, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        text[2 * i] = digits[bytes.ptr[i] >> 4];
        text[2 * i + 1] = digits[bytes.ptr[i] & 15];
    }
    text[2 * bytes.len] = 0;
}

enum status hex_append(struct span bytes, struct buf *out)
{
    char *to = (char *)buf_reserve(out, 2 * bytes.len + 1);

    if (!to)
        return fail(FAULT, "no room for %zu bytes in hexadecimal", bytes.len);
    hex_encode(bytes, to);
    out->len += 2 * bytes.len;
    return OK;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

enum status hex_decode(struct span text, struct buf *out)
{
    size_t i = 0;

    while (i < text.len) {
        if (text.ptr[i] == ':' || text.ptr[i] == ' ') {
            i++;
            continue;
        }
        const int high = hex_digit(text.ptr[i]);
        const int low = i + 1 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
        if (high < 0 || low < 0)
            return fail(BAD_INPUT, "not hexadecimal at character %zu", i + 1);
        const uint8_t byte = (uint8_t)(high << 4 | low);
        TRY(buf_append(out, span_of(&byte, 1)));
        i += 2;
    }
    return OK;
}

enum status base64_encode(struct span bytes, struct buf *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < bytes.len; i += 3) {
        const size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        const uint32_t b0 = bytes.ptr[i];
        const uint32_t b1 = n > 1 ? bytes.ptr[i + 1] : 0;
        const uint32_t b2 = n > 2 ? bytes.ptr[i + 2] : 0;
        const uint32_t word = b0 << 16 | b1 << 8 | b2;
        const char four[4] = { digits[word >> 18], digits[word >> 12 & 63],
                               n > 1 ? digits[word >> 6 & 63] : '=', n > 2 ? digits[word & 63] : '=' };
        TRY(buf_append(out, span_of(four, 4)));
    }
    return OK;
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

static bool base64_is_break(uint8_t c)
{
    return c == '\r' || c == '\n' || c == '\t';
}

enum status base64_decode(struct span text, struct buf *out)
{
    uint32_t word = 0;
    size_t digits = 0;
    size_t i = 0;

    for (; i < text.len && text.ptr[i] != '='; i++) {
        if (base64_is_break(text.ptr[i]))
            continue;
        const int value = base64_digit(text.ptr[i]);
        if (value < 0)
            return fail(BAD_INPUT, "not base64 at character %zu", i + 1);
        word = word << 6 | (uint32_t)value;
        if (++digits % 4 == 0) {
            const uint8_t three[3] = { (uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word };
            TRY(buf_append(out, span_of(three, 3)));
            word = 0;
        }
    }
    for (; i < text.len; i++)
        if (text.ptr[i] != '=' && !base64_is_break(text.ptr[i]))
            return fail(BAD_INPUT, "base64 goes on after its padding at character %zu", i + 1);
    const size_t rest = digits % 4;
    if (rest == 1)
        return fail(BAD_INPUT, "base64 of %zu digits: one is missing", digits);
    if (rest == 0)
        return OK;
    word <<= 6 * (4 - rest);
    const uint8_t tail[2] = { (uint8_t)(word >> 16), (uint8_t)(word >> 8) };
    return buf_append(out, span_of(tail, rest - 1));
}

enum status percent_decode(struct span text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (byte == '%') {
            const int high = i + 1 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
            const int low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return fail(BAD_INPUT, "'%%' without two hexadecimal digits at character %zu", i + 1);
            byte = (uint8_t)(high << 4 | low);
            i += 2;
        }
        TRY(buf_append(out, span_of(&byte, 1)));
    }
    return OK;
}

enum status number_parse(const char *text, int64_t low, int64_t high, int64_t *out)
{
    char *end = NULL;

    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < low || value > high)
        return fail(BAD_INPUT, "\"%s\" is not a whole number from %lld to %lld", text,
                    (long long)low, (long long)high);
    *out = value;
    return OK;
}

/* Where the comment that starts at `i` ends, or `i` if none starts there. */
static size_t comment_end(struct span text, size_t i)
{
    const char *rest = (const char *)text.ptr + i;
    const size_t left = text.len - i;

    if (left >= 2 && rest[0] == '/' && rest[1] == '*') {
        const char *end = memmem(rest + 2, left - 2, "*/", 2);
        return end ? i + (size_t)(end - rest) + 2 : text.len;
    }
    if (rest[0] == '#' || (left >= 2 && rest[0] == '/' && rest[1] == '/')) {
        const char *end = memchr(rest, '\n', left);
        return end ? i + (size_t)(end - rest) : text.len;
    }
    return i;
}

void comments_blank(struct buf *text)
{
    uint8_t quote = 0;
    bool fresh = true; /* a comment starts only where a word could */

    for (size_t i = 0; i < text->len; i++) {
        const uint8_t c = text->ptr[i];
        if (quote) {
            if (c == '\\')
                i++;
            else if (c == quote)
                quote = 0;
            continue;
        }
        const size_t end = fresh ? comment_end(buf_span(text), i) : i;
        for (; i < end; i++)
            if (text->ptr[i] != '\n')
                text->ptr[i] = ' ';
        if (i == text->len)
            return;
        if (text->ptr[i] == '"' || text->ptr[i] == '\'')
            quote = text->ptr[i];
        fresh = memchr(" \t\r\n={}(),+", text->ptr[i], 12) != NULL;
    }
}
