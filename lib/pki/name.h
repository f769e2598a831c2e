/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of a Name.  Internal to lib/pki.
 */
#pragma once

#include "lib/pki/der.h"
#include "lib/pki/pattern.h"
#include "lib/pki/pki.h"

#define NAME_VALUES_MAX 64
#define NAME_TYPE_TEXT_BYTES DER_OID_TEXT_BYTES

/* One AttributeTypeAndValue, lent from the Name it was read from. */
struct name_value {
    struct span oid;
    struct der value;
    bool starts_rdn; /* false: shares its RDN with the one before */
};

/* Take a Name apart.  BAD_INPUT: not a Name, an empty RDN, over NAME_VALUES_MAX values. */
MUST_USE enum status name_read(struct span name, struct name_value values[NAME_VALUES_MAX], size_t *count);

/* It is a Name.  BAD_INPUT otherwise. */
MUST_USE enum status name_check(struct span name);

/* It is a Name and every value in it is text without control characters.  BAD_INPUT otherwise. */
MUST_USE enum status name_check_text(struct span name);

/* What is known of one attribute type. */
struct name_type {
    const char *text;
    uint8_t oid_len;
    uint8_t oid[10];
    uint8_t string_tag; /* what a value is written as; 0: UTF8String */
    uint16_t max_chars; /* RFC 5280 appendix A, "upper bounds" */
};
const struct name_type *name_type_by_text(struct span text); /* any case */

/* name_parse_text() with variables in the values. */
MUST_USE enum status name_parse_pattern(const char *text, const struct pattern_values *values, struct buf *out);
