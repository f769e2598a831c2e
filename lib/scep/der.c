/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/scep/der.h"

/* Tag and the longest length we write (0x83 and three octets): reserved on opening, shrunk on closing. */
#define HEAD_MAX_BYTES 5

/* Write tag and length; returns how many bytes that took, 0 if the length is beyond us. */
static size_t write_head(uint8_t head[HEAD_MAX_BYTES], uint8_t tag, size_t len)
{
    size_t octets = 0;

    while (len >> (8 * octets))
        octets++;
    if (octets > 3)
        return 0;
    head[0] = tag;
    if (len < 0x80) {
        head[1] = (uint8_t)len;
        return 2;
    }
    head[1] = (uint8_t)(0x80 | octets);
    for (size_t i = 0; i < octets; i++)
        head[2 + i] = (uint8_t)(len >> (8 * (octets - 1 - i)));
    return 2 + octets;
}

size_t scep_der_open(struct scep_der *der, uint8_t tag)
{
    const size_t mark = der->out->len;
    uint8_t *head = buf_reserve(der->out, HEAD_MAX_BYTES);

    if (!head) {
        der->failed = true;
        return mark;
    }
    head[0] = tag;
    der->out->len += HEAD_MAX_BYTES;
    return mark;
}

void scep_der_close(struct scep_der *der, size_t mark)
{
    if (der->failed)
        return;
    uint8_t *at = der->out->ptr + mark;
    const size_t len = der->out->len - mark - HEAD_MAX_BYTES;
    uint8_t head[HEAD_MAX_BYTES];

    const size_t used = write_head(head, at[0], len);
    if (used == 0) {
        der->failed = true;
        return;
    }
    memcpy(at, head, used);
    memmove(at + used, at + HEAD_MAX_BYTES, len);
    der->out->len -= HEAD_MAX_BYTES - used;
}

void scep_der_copy(struct scep_der *der, struct span encoded)
{
    if (!der->failed && buf_append(der->out, encoded) != OK)
        der->failed = true;
}

void scep_der_put(struct scep_der *der, uint8_t tag, struct span content)
{
    uint8_t head[HEAD_MAX_BYTES];
    const size_t used = write_head(head, tag, content.len);

    if (used == 0)
        der->failed = true;
    scep_der_copy(der, span_of(head, used));
    scep_der_copy(der, content);
}

void scep_der_put_integer(struct scep_der *der, struct span octets)
{
    const bool needs_zero = octets.len == 0 || (octets.ptr[0] & 0x80);
    const size_t mark = scep_der_open(der, DER_INTEGER);

    if (needs_zero)
        scep_der_copy(der, SPAN_LITERAL("\0"));
    scep_der_copy(der, octets);
    scep_der_close(der, mark);
}

enum status scep_der_finish(const struct scep_der *der)
{
    if (der->failed)
        return fail(FAULT, "no room to write a message after %zu bytes", der->out->len);
    return OK;
}
