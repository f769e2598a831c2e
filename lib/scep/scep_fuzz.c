/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer entry; how it is built stands in meson.build.  Seeds: good/, bad/, and any corpus of CMS messages.
 */
#include "lib/pki/der.h"
#include "lib/scep/scep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_request(struct span der)
{
    const struct scep_policy policy = { .allow_des3 = true, .allow_sha1 = true };
    AUTO(scep_message_freep) struct scep_message *message = NULL;

    if (scep_message_parse(der, &message) == OK && scep_message_prove(message, NULL, &policy) == FAULT)
        __builtin_trap();
}

/* What was made DER of is hardly longer, and stays what it is when DER is made of it again. */
static void rewrite(struct span ber)
{
    AUTO(buf_clear) struct buf once = { 0 };
    AUTO(buf_clear) struct buf twice = { 0 };

    if (ber_to_der(ber, &once) != OK)
        return;
    if (once.len > ber.len + 32 || ber_to_der(buf_span(&once), &twice) != OK ||
        !span_equal(buf_span(&once), buf_span(&twice)))
        __builtin_trap();
    if (der_check(ber) == OK && !span_equal(ber, buf_span(&once)))
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };

    rewrite(span_of(data, size));
    read_request(span_of(data, size));
    if (scep_certs_parse(span_of(data, size), &certs) == FAULT)
        __builtin_trap();
    return (int)(scep_capabilities_parse(span_of(data, size)) & 0);
}
