/* SPDX-License-Identifier: Apache-2.0 */
#include "server/responder/route.h"

#include "lib/base/text.h"

#include <strings.h>

static bool skip_prefix(struct span *s, const char *prefix)
{
    const size_t len = strlen(prefix);

    if (s->len < len || memcmp(s->ptr, prefix, len) != 0)
        return false;
    *s = span_of(s->ptr + len, s->len - len);
    return true;
}

static bool cut_suffix(struct span *s, const char *suffix)
{
    const size_t len = strlen(suffix);

    if (s->len < len || memcmp(s->ptr + s->len - len, suffix, len) != 0)
        return false;
    s->len -= len;
    return true;
}

struct route route_find(struct span path)
{
    struct span rest = path;

    if (skip_prefix(&rest, "/scep/")) {
        /* Clients add pkiclient.exe, mscep.dll and segments of their own. */
        const uint8_t *slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
        return (struct route){ ROUTE_SCEP, span_of(rest.ptr, slash ? (size_t)(slash - rest.ptr) : rest.len) };
    }
    if (skip_prefix(&rest, "/ca/") && cut_suffix(&rest, ".cer"))
        return (struct route){ ROUTE_CA_FILE, rest };
    if (span_equal(path, SPAN_LITERAL("/healthz")))
        return (struct route){ .kind = ROUTE_HEALTH };
    return (struct route){ .kind = ROUTE_UNKNOWN };
}

static const struct {
    const char *name;
    enum route_operation operation;
} operations[] = {
    { "PKIOperation", OPERATION_PKI },
    { "GetCACaps", OPERATION_GET_CA_CAPS },
    { "GetCACert", OPERATION_GET_CA_CERT },
};

enum status route_get_operation(const struct http_request *request, enum route_operation *out)
{
    AUTO(buf_clear) struct buf name = { 0 };
    bool found = false;

    TRY(http_query_get(request->query, "operation", &found, &name));
    if (!found && request->method == HTTP_POST) {
        *out = OPERATION_PKI;
        return OK;
    }
    if (!found)
        return fail(BAD_INPUT,
                    "RFC 8894 s4.1: the URL needs ?operation=GetCACaps, GetCACert or PKIOperation");
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        if (name.len != strlen(operations[i].name) ||
            strncasecmp((const char *)name.ptr, operations[i].name, name.len) != 0)
            continue;
        *out = operations[i].operation;
        return OK;
    }
    return fail(BAD_INPUT,
                "RFC 8894 s4.1: an unknown operation; GetCACaps, GetCACert and PKIOperation are served");
}

/* A blank was a '+' before somebody took the query for a form's. */
static void restore_plus(struct buf *text)
{
    for (size_t i = 0; i < text->len; i++)
        if (text->ptr[i] == ' ')
            text->ptr[i] = '+';
}

enum status route_get_message(const struct http_request *request, struct buf *decoded, struct span *out)
{
    AUTO(buf_clear) struct buf text = { 0 };
    bool found = false;

    if (request->method == HTTP_POST) {
        if (!request->body.len)
            return fail(BAD_INPUT, "RFC 8894 s4.3: a PKIOperation without a message in its body");
        *out = request->body;
        return OK;
    }
    TRY(http_query_get(request->query, "message", &found, &text));
    if (!text.len)
        return fail(BAD_INPUT,
                    "RFC 8894 s4.1: a PKIOperation by GET needs &message= with the message in base64");
    restore_plus(&text);
    decoded->len = 0;
    if (base64_decode(buf_span(&text), decoded) != OK)
        return fail_in(BAD_INPUT, "RFC 8894 s4.1: the URL's message");
    *out = buf_span(decoded);
    return OK;
}
