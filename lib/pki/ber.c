/* SPDX-License-Identifier: Apache-2.0
 *
 * BER into DER's framing.
 *
 * Every byte is copied once for each level that is closed around it, and there are DEPTH_MAX levels at most;
 * a constructed string is joined in one walk, however its segments are nested.
 */
#include "lib/pki/der.h"

#define DEPTH_MAX 24
#define CONSTRUCTED 0x20
#define OPENED_ROOM 256 /* headers that are still open take a few bytes more than they will */

struct ber {
    uint8_t tag;            /* the first identifier octet */
    struct span identifier; /* all of them */
    struct span content;    /* empty where the length is indefinite */
    bool is_indefinite;
};

/* --- Reading a header ----------------------------------------------------- */

static size_t identifier_bytes(struct span rest)
{
    size_t n = 1;

    if (rest.len && (rest.ptr[0] & 0x1f) == 0x1f) /* X.690 s8.1.2.4: the number follows */
        while (n < rest.len && rest.ptr[n++] & 0x80)
            ;
    return n;
}

/* X.690 s8.1.3.5: any number of octets, leading zeros among them. */
static enum status long_length(struct span rest, size_t octets, size_t *length)
{
    size_t value = 0;

    if (octets == 0x7f || octets >= rest.len)
        return fail(BAD_INPUT, "BER: truncated in a length");
    for (size_t i = 1; i <= octets; i++) {
        if (value > SIZE_MAX >> 8)
            return fail(BAD_INPUT, "BER: a length that nothing has");
        value = value << 8 | rest.ptr[i];
    }
    *length = value;
    return OK;
}

/* Take a header off `rest`, and the content with it where its length is said. */
static enum status ber_next(struct span *rest, struct ber *out)
{
    const size_t id = identifier_bytes(*rest);

    if (rest->len < id + 1)
        return fail(BAD_INPUT, "BER: an element is missing or truncated");
    const struct span behind = span_of(rest->ptr + id, rest->len - id);
    *out = (struct ber){ .tag = rest->ptr[0], .identifier = span_of(rest->ptr, id) };
    if ((out->tag & 0xdf) == 0)
        return fail(BAD_INPUT, "BER: end-of-contents where nothing is open (X.690 s8.1.5)");
    size_t header = 1, length = behind.ptr[0];
    out->is_indefinite = length == 0x80;
    if (out->is_indefinite && !(out->tag & CONSTRUCTED))
        return fail(BAD_INPUT, "BER: a primitive element of indefinite length (X.690 s8.1.3.2)");
    if (length & 0x80) {
        header += length & 0x7f;
        TRY(long_length(behind, length & 0x7f, &length));
    }
    if (length > behind.len - header)
        return fail(BAD_INPUT, "BER: an element of %zu bytes where %zu are left", length,
                    behind.len - header);
    out->content = span_of(behind.ptr + header, length);
    *rest = span_of(behind.ptr + header + length, behind.len - header - length);
    return OK;
}

/* Is the constructed element at its end?  The octets that say so are taken off. */
static bool at_end(struct span *rest, bool is_indefinite)
{
    if (!is_indefinite)
        return rest->len == 0;
    if (rest->len < 2 || rest->ptr[0] != 0 || rest->ptr[1] != 0)
        return false;
    *rest = span_of(rest->ptr + 2, rest->len - 2);
    return true;
}

/* --- Writing it again ------------------------------------------------------ */

static size_t open_as(struct der_writer *der, const struct ber *element)
{
    const size_t last = element->identifier.len - 1;

    der_put_raw(der, span_of(element->identifier.ptr, last));
    return der_open(der, element->identifier.ptr[last]);
}

static void put_as_it_is(struct der_writer *der, const struct ber *element)
{
    const size_t mark = open_as(der, element);

    der_put_raw(der, element->content);
    der_close(der, mark);
}

/* The types that are an OCTET STRING by another name (X.690 s8.23, s8.25): its segments are OCTET STRINGs. */
static bool is_string(uint8_t tag)
{
    const uint8_t number = tag & 0x1f;

    return (tag & 0xc0) == 0 &&
           (number == DER_OCTET_STRING || number == 7 || number == DER_UTF8_STRING ||
            (number >= DER_NUMERIC_STRING && number <= DER_BMP_STRING && number != 0x1d));
}

/* One segment of a string whose primitive tag is `tag`; some write that one instead of OCTET STRING's. */
static enum status put_segment(struct der_writer *der, struct span *rest, uint8_t tag, unsigned depth)
{
    struct ber segment;

    TRY(ber_next(rest, &segment));
    const uint8_t primitive = segment.tag & (uint8_t)~CONSTRUCTED;
    if (primitive != DER_OCTET_STRING && primitive != tag)
        return fail(BAD_INPUT, "BER: a segment with tag 0x%02x in a string (X.690 s8.7.3)", segment.tag);
    if (!(segment.tag & CONSTRUCTED)) {
        der_put_raw(der, segment.content);
        return OK;
    }
    if (depth > DEPTH_MAX)
        return fail(BAD_INPUT, "BER: nested deeper than %d", DEPTH_MAX);
    struct span *from = segment.is_indefinite ? rest : &segment.content;
    while (!at_end(from, segment.is_indefinite))
        TRY(put_segment(der, from, tag, depth + 1));
    return OK;
}

static enum status put_element(struct der_writer *der, struct span *rest, unsigned depth);

/* `rest`: what stands behind the header. */
static enum status put_constructed(struct der_writer *der, const struct ber *element, struct span *rest,
                                   unsigned depth)
{
    const bool is_joined = is_string(element->tag);
    const uint8_t tag = element->tag & (uint8_t)~CONSTRUCTED;

    if (depth > DEPTH_MAX)
        return fail(BAD_INPUT, "BER: nested deeper than %d", DEPTH_MAX);
    const size_t mark = is_joined ? der_open(der, tag) : open_as(der, element);
    while (!at_end(rest, element->is_indefinite))
        TRY(is_joined ? put_segment(der, rest, tag, depth + 1) : put_element(der, rest, depth + 1));
    der_close(der, mark);
    return der_status(der);
}

static enum status put_element(struct der_writer *der, struct span *rest, unsigned depth)
{
    const size_t start = der->out->len;
    struct ber element;

    TRY(ber_next(rest, &element));
    if (element.is_indefinite)
        return put_constructed(der, &element, rest, depth);
    if (element.tag & CONSTRUCTED) {
        struct span inside = element.content;
        const enum status status = put_constructed(der, &element, &inside, depth);
        if (status != BAD_INPUT)
            return status;
        der->out->len = start;
    }
    put_as_it_is(der, &element);
    return der_status(der);
}

enum status ber_to_der(struct span ber, struct buf *out)
{
    struct der_writer der = { .out = out };
    struct span rest = ber;

    out->len = 0;
    if (!buf_reserve(out, ber.len + OPENED_ROOM))
        return fail(FAULT, "no memory for %zu bytes of DER", ber.len);
    TRY(put_element(&der, &rest, 0));
    if (rest.len)
        return fail(BAD_INPUT, "BER: %zu bytes behind the end", rest.len);
    return OK;
}
