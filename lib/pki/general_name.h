/* SPDX-License-Identifier: Apache-2.0
 *
 * General names from patterns, and one against another.  Internal to lib/pki.
 */
#pragma once

#include "lib/pki/pattern.h"
#include "lib/pki/pki.h"

/* general_names_parse_text() with variables in the values. */
MUST_USE enum status general_names_parse_patterns(const char *const *texts, size_t count,
                                                  const struct pattern_values *values, struct buf *out);

/* The same name, by RFC 5280 s7.2 to s7.5. */
bool general_name_equal(const struct general_name *a, const struct general_name *b);
bool general_name_in(const struct general_name *names, size_t count, const struct general_name *wanted);

/* Append one name as it stands in a GeneralNames. */
MUST_USE enum status general_name_append(const struct general_name *name, struct buf *out);
