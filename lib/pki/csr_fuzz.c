/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer: any bytes as a certificate request.
 */
#include "lib/pki/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    AUTO(csr_freep) struct csr *csr = NULL;
    AUTO(public_key_freep) struct public_key *key = NULL;

    if (csr_parse(span_of(bytes, len), &csr) == FAULT)
        __builtin_trap();
    if (public_key_parse(span_of(bytes, len), &key) == FAULT)
        __builtin_trap();
    return 0;
}
