/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/text.h"
#include "lib/http/http.h"

static struct span next_part(struct span *rest, uint8_t separator)
{
    const uint8_t *at = rest->len ? memchr(rest->ptr, separator, rest->len) : NULL;
    const struct span part = { rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len };
    const size_t gone = at ? part.len + 1 : rest->len;

    *rest = gone ? span_of(rest->ptr + gone, rest->len - gone) : span_of(NULL, 0);
    return part;
}

enum status http_query_get(struct span query, const char *name, bool *found, struct buf *value)
{
    struct span sent = { 0 };
    bool seen = false;

    while (query.len) {
        struct span rest = next_part(&query, '&');
        if (!span_equal(next_part(&rest, '='), span_of_text(name)))
            continue;
        if (seen)
            return fail(BAD_INPUT, "the URL's parameter \"%s\" stands there twice", name);
        seen = true;
        sent = rest;
    }
    if (percent_decode(sent, value) != OK)
        return fail_in(BAD_INPUT, "the URL's parameter \"%s\"", name);
    *found = seen;
    return OK;
}

/* RFC 3986 s2.3 */
static bool is_unreserved(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

enum status http_query_encode(struct span value, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";
    uint8_t *to = buf_reserve(out, 3 * value.len);

    if (!to)
        return fail(FAULT, "no room for a query of %zu bytes", value.len);
    for (size_t i = 0; i < value.len; i++) {
        if (is_unreserved(value.ptr[i])) {
            *to++ = value.ptr[i];
            continue;
        }
        *to++ = '%';
        *to++ = (uint8_t)digits[value.ptr[i] >> 4];
        *to++ = (uint8_t)digits[value.ptr[i] & 15];
    }
    out->len = (size_t)(to - out->ptr);
    return OK;
}
