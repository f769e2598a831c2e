/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer: any bytes as target and query of a GET: the route, the operation, the message in base64.
 */
#include "server/responder/route.h"

#include "lib/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is read again from how we write it. */
static void read_message(const struct http_request *request)
{
    AUTO(buf_clear) struct buf decoded = { 0 };
    AUTO(buf_clear) struct buf text = { 0 };
    AUTO(buf_clear) struct buf again = { 0 };
    struct span message;

    const enum status status = route_get_message(request, &decoded, &message);
    if (status == FAULT)
        __builtin_trap();
    if (status != OK)
        return;
    if (base64_encode(message, &text) != OK || base64_decode(buf_span(&text), &again) != OK ||
        !span_equal(message, buf_span(&again)))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *mark = size ? memchr(data, '?', size) : NULL;
    const size_t path_len = mark ? (size_t)(mark - data) : size;
    const struct http_request request = {
        .method = HTTP_GET,
        .path = span_of(data, path_len),
        .query = mark ? span_of(mark + 1, size - path_len - 1) : span_of(NULL, 0),
    };
    enum route_operation operation;

    (void)route_find(request.path);
    if (route_get_operation(&request, &operation) == FAULT)
        __builtin_trap();
    read_message(&request);
    return 0;
}
