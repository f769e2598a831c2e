/* SPDX-License-Identifier: Apache-2.0
 *
 * The extensions that certificates and requests share, read.  Internal to lib/pki.
 * Source: RFC 5280 s4.2.
 */
#pragma once

#include "lib/pki/pki.h"

#define EXTENSIONS_MAX 64
#define EXTENDED_KEY_USAGE_MAX 32

/* Everything lent from what was read. */
struct extensions {
    bool is_ca;
    int path_length;
    bool has_key_usage;
    unsigned key_usage; /* KEY_USAGE_*; decipherOnly is 0x8000 */
    struct span extended_key_usages; /* OBJECT IDENTIFIERs in a row, looked through */
    size_t extended_key_usage_count;
    struct span subject_alt_name; /* GeneralNames */
    struct span subject_key_id;
    struct span authority_key_id;
    bool has_unknown_critical;
};

/* Read Extensions.
 *
 *   list   lent   the SEQUENCE's content: Extension after Extension; an empty span where there are none
 *
 * BAD_INPUT  not Extensions, a doubled extension, over EXTENSIONS_MAX, a malformed one of those above */
MUST_USE enum status extensions_read(struct span list, struct extensions *out);
