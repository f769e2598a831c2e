/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer entry; how it is built stands in meson.build.  Seeds: good/, bad/, and any corpus of CMS messages.
 */
#include "lib/scep/scep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_request(struct span der)
{
    const struct scep_policy policy = { .allow_des3 = true, .allow_sha1 = true };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    if (scep_message_parse(der, &message) == OK && scep_message_prove(message, NULL, &policy) == FAULT)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };

    read_request(span_of(data, size));
    if (scep_certs_parse(span_of(data, size), &certs) == FAULT)
        __builtin_trap();
    return (int)(scep_capabilities_parse(span_of(data, size)) & 0);
}
