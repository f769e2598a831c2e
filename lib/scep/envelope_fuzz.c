/* SPDX-License-Identifier: Apache-2.0
 *
 * libFuzzer: any bytes as the content that was signed, the inner message; the outside is good.
 */
#include "lib/scep/fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* By hand around the bytes: signing each input would only make it slow. */
static enum status wrap(struct span content, struct scep_message **out)
{
    static struct buf good;
    struct scep_message *m = NULL;

    if (!good.len) {
        const struct scep_request request = fixture_request(fixture_get());
        must(scep_request_build(&request, &good), "request");
    }
    TRY(scep_message_parse(buf_span(&good), &m));
    m->content = content;
    m->has_envelope = false;
    m->has_transport = false;
    m->padding_is_known = false;
    m->cipher = NULL;
    *out = m;
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct scep_identity ra = fixture_identity(&fixture_get()->ra);
    AUTO(scep_message_freep) struct scep_message *message = NULL;
    AUTO(buf_clear) struct buf plain = { 0 };

    must(wrap(span_of(data, size), &message), "message");
    if (scep_envelope_read(message) != OK)
        return 0;
    message->is_proved = true; /* as if this had been signed */
    const enum status status = scep_message_decrypt(message, &ra, 1, &plain);
    if (status == FAULT || (status != OK && plain.len))
        __builtin_trap();
    return 0;
}
