/* SPDX-License-Identifier: Apache-2.0
 *
 * "%{name}" and "%{username}" in a template's texts.  They are put into single values after a
 * text was taken apart, never into the text: a device called "x,O=evil" stays one value.
 * Internal to lib/pki.
 */
#pragma once

#include "lib/base/span.h"

struct pattern_values {
    const char *device;
    const char *username;
};

/* Append `pattern` with its variables replaced.
 *
 *   values   lent   NULL: nothing is replaced, the text is taken as it is
 *
 * BAD_INPUT  an unknown variable, or one without its "}"     REFUSED  a variable that has no value here */
MUST_USE enum status pattern_expand(struct span pattern, const struct pattern_values *values, struct buf *out);
