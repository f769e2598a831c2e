/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer: any bytes as a certificate; what is read is also shown, compared and verified.
 */
#include "lib/pki/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(buf_clear) struct buf text = { 0 };
    struct public_key *key = NULL;

    if (cert_parse(span_of(bytes, len), &cert) != OK)
        return 0;
    const struct span san = cert_get_subject_alt_name(cert);
    if (name_format(cert_get_subject(cert), &text) != OK || general_names_format(san, &text) != OK)
        __builtin_trap(); /* what was accepted can be shown */
    if (!general_names_contain(san, san) || !name_equal(cert_get_subject(cert), cert_get_subject(cert)))
        __builtin_trap(); /* and equals itself */
    if (cert_get_key(cert, &key) == OK && cert_is_self_issued(cert) && cert_verify_signature(cert, key) == FAULT)
        __builtin_trap();
    return 0;
}
