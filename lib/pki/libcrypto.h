/* SPDX-License-Identifier: Apache-2.0
 *
 * What lib/pki needs around libcrypto: scope cleanup, and its error queue as one of our texts.
 * Internal to lib/pki.
 */
#pragma once

#include "lib/base/status.h"
#include "lib/pki/pki.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

AUTO_FREE(ASN1_OBJECT_free, ASN1_OBJECT)
AUTO_FREE(ASN1_STRING_free, ASN1_STRING)
AUTO_FREE(BIO_free_all, BIO)
AUTO_FREE(EVP_PKEY_free, EVP_PKEY)
AUTO_FREE(EVP_PKEY_CTX_free, EVP_PKEY_CTX)
AUTO_FREE(X509_free, X509)
AUTO_FREE(X509_NAME_free, X509_NAME)
AUTO_FREE(X509_STORE_free, X509_STORE)
AUTO_FREE(X509_STORE_CTX_free, X509_STORE_CTX)

/* fail(kind, "WHAT: libcrypto's first reason"), and empty libcrypto's error queue. */
enum status fail_libcrypto(enum status kind, const char *what);

/* Everything a memory BIO holds, appended to `out`. */
MUST_USE enum status bio_take(BIO *bio, struct buf *out);

/* The digest, fetched once per process; ends the process where libcrypto lacks it. */
const EVP_MD *digest_md(enum digest kind);
