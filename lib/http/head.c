/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/http/head.h"

#include <strings.h>

static enum status refuse(struct http_head *head, int http_status, const char *why)
{
    head->refusal = http_status;
    return fail(BAD_INPUT, "%s", why);
}

/* RFC 9110 s5.6.2 */
static bool is_token_byte(uint8_t c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    return c && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_token_byte(s.ptr[i]))
            return false;
    return s.len > 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static bool equals_ignoring_case(struct span s, const char *text)
{
    return s.len == strlen(text) && strncasecmp((const char *)s.ptr, text, s.len) == 0;
}

static struct span trim(struct span s)
{
    while (s.len && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* Cut `s` at the first `separator`: what stands before it is returned, `s` goes on behind it. */
static struct span cut(struct span *s, uint8_t separator)
{
    const uint8_t *at = s->len ? memchr(s->ptr, separator, s->len) : NULL;
    const struct span before = { s->ptr, at ? (size_t)(at - s->ptr) : s->len };
    const size_t gone = at ? before.len + 1 : s->len;

    s->ptr += gone;
    s->len -= gone;
    return before;
}

/* --- Request line ------------------------------------------------------- */

static const struct {
    const char *name;
    enum http_method method;
} methods[] = {
    { "GET", HTTP_GET },
    { "POST", HTTP_POST },
    { "HEAD", HTTP_HEAD },
};

static enum http_method find_method(struct span name)
{
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (span_equal(name, span_of_text(methods[i].name)))
            return methods[i].method;
    return HTTP_OTHER;
}

static enum status read_version(struct http_head *head, struct span version)
{
    if (version.len != 8 || memcmp(version.ptr, "HTTP/", 5) != 0 || version.ptr[6] != '.')
        return refuse(head, 400, "the request line does not end in HTTP/1.0 or HTTP/1.1");
    if (version.ptr[5] != '1' || (version.ptr[7] != '0' && version.ptr[7] != '1'))
        return refuse(head, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    head->minor = version.ptr[7] == '1';
    return OK;
}

/* RFC 9112 s3.2: origin-form, or absolute-form whose authority does not matter here. */
static enum status read_target(struct http_head *head, struct span bytes, struct span target)
{
    static const struct span scheme = { (const uint8_t *)"http://", 7 };

    if (target.len > scheme.len && strncasecmp((const char *)target.ptr, "http://", scheme.len) == 0) {
        size_t authority = scheme.len;
        while (authority < target.len && !strchr("/?#", target.ptr[authority]))
            authority++;
        target = span_of(target.ptr + authority, target.len - authority);
    } else if (target.ptr[0] != '/') {
        return refuse(head, 400, "the request's target does not begin with a slash");
    }
    for (size_t i = 0; i < target.len; i++)
        if (target.ptr[i] <= 0x20 || target.ptr[i] > 0x7e)
            return refuse(head, 400, "the request's target holds a byte that belongs percent-encoded");
    struct span query = cut(&target, '#');
    const struct span path = cut(&query, '?');
    head->path = (struct http_slice){ (size_t)(path.ptr - bytes.ptr), path.len };
    head->query = (struct http_slice){ (size_t)(query.ptr - bytes.ptr), query.len };
    return OK;
}

static enum status read_request_line(struct http_head *head, struct span bytes, struct span line)
{
    /* RFC 9112 s2.2: an empty line before the request line is passed over. */
    if (!line.len)
        return OK;
    const struct span method = cut(&line, ' ');
    const struct span target = cut(&line, ' ');
    if (!is_token(method) || !target.len)
        return refuse(head, 400, "not an HTTP request line");
    TRY(read_version(head, line));
    head->has_request_line = true;
    head->method = find_method(method);
    return head->method == HTTP_OTHER ? OK : read_target(head, bytes, target);
}

/* --- Header fields ------------------------------------------------------ */

static enum status read_content_length(struct http_head *head, struct span bytes, struct span value)
{
    size_t length = 0;

    (void)bytes;
    if (head->has_content_length)
        return refuse(head, 400, "Content-Length stands there twice");
    if (!value.len || value.len > 15)
        return refuse(head, 400, "Content-Length is not a number");
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '9')
            return refuse(head, 400, "Content-Length is not a number");
        length = length * 10 + (size_t)(value.ptr[i] - '0');
    }
    head->has_content_length = true;
    head->content_length = length;
    return OK;
}

static enum status read_transfer_encoding(struct http_head *head, struct span bytes, struct span value)
{
    (void)bytes;
    (void)value;
    head->has_transfer_encoding = true;
    return OK;
}

/* Nothing depends on its value, and a device that leaves it out is served all the same. */
static enum status read_host(struct http_head *head, struct span bytes, struct span value)
{
    (void)bytes;
    (void)value;
    if (head->has_host)
        return refuse(head, 400, "Host stands there twice");
    head->has_host = true;
    return OK;
}

static enum status read_connection(struct http_head *head, struct span bytes, struct span value)
{
    (void)bytes;
    while (value.len) {
        const struct span option = trim(cut(&value, ','));
        head->wants_close |= equals_ignoring_case(option, "close");
        head->wants_keep_alive |= equals_ignoring_case(option, "keep-alive");
    }
    return OK;
}

static enum status read_expect(struct http_head *head, struct span bytes, struct span value)
{
    (void)bytes;
    if (!equals_ignoring_case(value, "100-continue"))
        return refuse(head, 417, "the only expectation met here is 100-continue");
    head->expects_continue = true;
    return OK;
}

static enum status read_content_encoding(struct http_head *head, struct span bytes, struct span value)
{
    (void)bytes;
    if (!equals_ignoring_case(value, "identity"))
        return refuse(head, 415, "compressed requests are not taken");
    return OK;
}

static enum status read_user_agent(struct http_head *head, struct span bytes, struct span value)
{
    head->user_agent = (struct http_slice){ (size_t)(value.ptr - bytes.ptr), value.len };
    return OK;
}

static const struct {
    const char *name;
    enum status (*read)(struct http_head *head, struct span bytes, struct span value);
} fields[] = {
    { "Content-Length", read_content_length },
    { "Transfer-Encoding", read_transfer_encoding },
    { "Host", read_host },
    { "Connection", read_connection },
    { "Expect", read_expect },
    { "Content-Encoding", read_content_encoding },
    { "User-Agent", read_user_agent },
};

static enum status read_field(struct http_head *head, struct span bytes, struct span line)
{
    if (is_blank(line.ptr[0]))
        return refuse(head, 400, "RFC 9112 s5.2: a folded header field");
    if (!memchr(line.ptr, ':', line.len))
        return refuse(head, 400, "a header field without a colon");
    const struct span name = cut(&line, ':');
    if (!is_token(name))
        return refuse(head, 400, "RFC 9112 s5.1: a header field's name is not a token");
    for (size_t i = 0; i < line.len; i++)
        if ((line.ptr[i] < 0x20 && line.ptr[i] != '\t') || line.ptr[i] == 0x7f)
            return refuse(head, 400, "RFC 9110 s5.5: a control byte in a header field");
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (equals_ignoring_case(name, fields[i].name))
            return fields[i].read(head, bytes, trim(line));
    return OK;
}

/* --- The whole ---------------------------------------------------------- */

/* What can only be judged when every field is known. */
static enum status judge(struct http_head *head, const struct http_limits *limits)
{
    if (head->has_transfer_encoding && (head->has_content_length || head->minor == 0))
        return refuse(head, 400, "RFC 9112 s6.1: Transfer-Encoding beside Content-Length, or in HTTP/1.0");
    if (head->has_transfer_encoding)
        return refuse(head, 501, "Transfer-Encoding is not taken: send a Content-Length");
    if (head->method == HTTP_OTHER)
        return refuse(head, 405, "only GET, HEAD and POST are served");
    if (head->method == HTTP_POST && !head->has_content_length)
        return refuse(head, 411, "a POST needs a Content-Length");
    if (head->content_length > limits->body_bytes)
        return refuse(head, 413, "the body is longer than this server takes");
    return OK;
}

/* A CR that no LF follows is wrong already, whatever else may come. */
static enum status await_line_end(struct http_head *head, struct span bytes)
{
    const uint8_t *cr = memchr(bytes.ptr + head->used, '\r', bytes.len - head->used);

    head->scanned = bytes.len;
    if (cr && cr + 1 < bytes.ptr + bytes.len)
        return refuse(head, 400, "RFC 9112 s2.2: a CR without its LF");
    return PENDING;
}

static enum status read_lines(struct http_head *head, struct span bytes, const struct http_limits *limits)
{
    for (;;) {
        const uint8_t *end = memchr(bytes.ptr + head->scanned, '\n', bytes.len - head->scanned);
        if (!end)
            return await_line_end(head, bytes);
        const size_t next = (size_t)(end - bytes.ptr) + 1;
        if (next > limits->header_bytes)
            return PENDING;
        if (next - head->used < 2 || end[-1] != '\r')
            return refuse(head, 400, "RFC 9112 s2.2: a line that does not end in CR LF");
        const struct span line = { bytes.ptr + head->used, next - head->used - 2 };
        head->used = next;
        head->scanned = next;
        if (!head->has_request_line) {
            TRY(read_request_line(head, bytes, line));
            continue;
        }
        if (!line.len)
            return judge(head, limits);
        TRY(read_field(head, bytes, line));
    }
}

enum status http_head_read(struct http_head *head, struct span bytes, const struct http_limits *limits)
{
    if (!bytes.len)
        return PENDING;
    /* TLS and other strangers show in their first byte. */
    if (!head->used && !is_token_byte(bytes.ptr[0]) && bytes.ptr[0] != '\r')
        return refuse(head, 400, "this is not HTTP");
    const enum status status = read_lines(head, bytes, limits);
    if (status == PENDING && bytes.len > limits->header_bytes)
        return refuse(head, head->has_request_line ? 431 : 414,
                      "the request's head is longer than this server takes");
    return status;
}

bool http_head_keeps_alive(const struct http_head *head)
{
    return head->minor ? !head->wants_close : head->wants_keep_alive && !head->wants_close;
}
