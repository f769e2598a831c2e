/* SPDX-License-Identifier: Apache-2.0
 *
 * Public keys that belong to something else.  Internal to lib/pki.
 */
#pragma once

#include "lib/pki/pki.h"

/* public_key_parse(), but the SPKI is not copied: it must outlive the key.  For the key of a
 * certificate or a request, which holds both. */
MUST_USE enum status public_key_parse_lent(struct span spki, struct public_key **out);
