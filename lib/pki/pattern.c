/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pki/pattern.h"

/* The value of the variable at the start of `text`, which begins with "%{"; its length goes to `used`. */
static enum status variable_find(struct span text, const struct pattern_values *values, size_t *used,
                                 const char **value)
{
    const struct {
        struct span token;
        const char *value;
    } variables[] = {
        { SPAN_LITERAL("%{name}"), values->device },
        { SPAN_LITERAL("%{username}"), values->username },
    };

    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        const struct span token = variables[i].token;
        if (text.len < token.len || memcmp(text.ptr, token.ptr, token.len) != 0)
            continue;
        if (!variables[i].value || !*variables[i].value)
            return fail(REFUSED, "the template uses %s, which is empty here", (const char *)token.ptr);
        *value = variables[i].value;
        *used = token.len;
        return OK;
    }
    return fail(BAD_INPUT, "unknown variable at \"%.*s\", want %%{name} or %%{username}",
                (int)(text.len > 40 ? 40 : text.len), (const char *)text.ptr);
}

enum status pattern_expand(struct span pattern, const struct pattern_values *values, struct buf *out)
{
    while (values && pattern.len) {
        const uint8_t *token = memmem(pattern.ptr, pattern.len, "%{", 2);
        const size_t literal = token ? (size_t)(token - pattern.ptr) : pattern.len;
        TRY(buf_append(out, span_of(pattern.ptr, literal)));
        pattern = span_of(pattern.ptr + literal, pattern.len - literal);
        if (!token)
            return OK;
        size_t used = 0;
        const char *value = NULL;
        TRY(variable_find(pattern, values, &used, &value));
        TRY(buf_append_text(out, value));
        pattern = span_of(pattern.ptr + used, pattern.len - used);
    }
    return buf_append(out, pattern);
}
