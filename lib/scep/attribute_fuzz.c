/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer: any bytes as the content of the SET OF signed attributes.
 */
#include "lib/scep/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_der(struct span attributes)
{
    AUTO(buf_clear) struct buf set = { 0 };
    struct der_writer der = { .out = &set };

    der_put(&der, DER_SET, attributes);
    return der_status(&der) == OK && der_check(buf_span(&set)) == OK;
}

/* What is sorted stays as it is when it is sorted again, and neither gains nor loses a byte of its content. */
static void sort(struct span attributes)
{
    AUTO(buf_clear) struct buf once = { 0 };
    AUTO(buf_clear) struct buf twice = { 0 };
    struct der set;
    struct span rest;

    if (!is_der(attributes) || scep_attributes_sort(attributes, &once) != OK)
        return;
    rest = buf_span(&once);
    if (der_check(rest) != OK || der_next(&rest, &set) != OK || rest.len || set.content.len != attributes.len)
        __builtin_trap();
    if (scep_attributes_sort(set.content, &twice) != OK || !span_equal(buf_span(&once), buf_span(&twice)))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scep_attribute_slot slots[SCEP_ATTRIBUTE_COUNT] = { 0 };

    if (scep_attributes_collect(span_of(data, size), slots) == FAULT)
        __builtin_trap();
    sort(span_of(data, size));
    return 0;
}
