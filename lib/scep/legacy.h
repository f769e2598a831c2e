/* SPDX-License-Identifier: Apache-2.0
 *
 * Algorithms that RFC 8894 s2.9 forbids or hardly bears, for equipment that knows no better: which ones a
 * message uses, and single DES.  Whether a path takes them is struct scep_policy's.
 */
#pragma once

#include "lib/scep/scep.h"

#include <openssl/evp.h>

#define SCEP_LEGACY_DES 0x1u
#define SCEP_LEGACY_DES3 0x2u
#define SCEP_LEGACY_MD5 0x4u
#define SCEP_LEGACY_SHA1 0x8u
#define SCEP_LEGACY_COUNT 4
#define SCEP_LEGACY_TEXT_BYTES 32

/* Load OpenSSL's legacy provider into a context of its own, for DES; before the jail, which has no files.
 * FAULT  the module is not there */
MUST_USE enum status scep_legacy_load(void);

/* DES-CBC, to be freed; NULL where scep_legacy_load() was not called or failed. */
EVP_CIPHER *scep_legacy_des(void);

/* Which of them a message uses: bits of SCEP_LEGACY_*. */
unsigned scep_legacy_used(const struct scep_header *header);

/* "DES, MD5" */
void scep_legacy_text(unsigned used, char text[SCEP_LEGACY_TEXT_BYTES]);
