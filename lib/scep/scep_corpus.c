/* SPDX-License-Identifier: Apache-2.0
 *
 * scep_corpus FILE...: read each file in every way that a server or a client would, and print
 * FILE, the status of the server's way, and the microseconds that all ways took together.
 * For corpora of hostile input under sanitizers; always ends with 0 unless it crashes.
 */
#include "lib/scep/fixture.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"

#include <inttypes.h>
#include <stdio.h>

static enum status read_as_server(struct span der)
{
    const struct fixture *f = fixture_get();
    const struct scep_identity ra = fixture_identity(&f->ra);
    const struct scep_policy policy = { .allow_des3 = true, .allow_sha1 = true };
    AUTO(scep_message_freep) struct scep_message *message = NULL;
    AUTO(buf_clear) struct buf plain = { 0 };

    TRY(scep_message_parse(der, &message));
    TRY(scep_message_prove(message, NULL, &policy));
    TRY(scep_message_decrypt(message, &ra, 1, &plain));
    return OK;
}

static enum status read_as_client(struct span der)
{
    const struct scep_expectation expect = fixture_expectation(fixture_get());
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };

    return scep_reply_open(der, &expect, &answer);
}

static enum status read_as_bundle(struct span der)
{
    AUTO(cert_list_clear) struct cert_list certs = { 0 };

    return scep_certs_parse(der, &certs);
}

/* The file as the signed content of an honest signer, and as what is enveloped in it. */
static void wrap(struct span bytes, struct buf *signed_content, struct buf *message_data)
{
    const struct forge forge = { .content = bytes };
    struct scep_request request = fixture_request(fixture_get());

    if (bytes.len == 0 || bytes.len > SCEP_MESSAGE_MAX_BYTES / 2)
        return;
    forge_message(fixture_get(), &forge, signed_content);
    request.data = bytes;
    must(scep_request_build(&request, message_data), "request");
}

static void read_one(const char *path)
{
    AUTO(buf_clear) struct buf bytes = { 0 };
    AUTO(buf_clear) struct buf signed_content = { 0 };
    AUTO(buf_clear) struct buf message_data = { 0 };

    if (file_read(path, (size_t)8 << 20, &bytes) != OK) {
        printf("%s\tunread\t0\n", path);
        return;
    }
    wrap(buf_span(&bytes), &signed_content, &message_data);
    const int64_t start_us = clock_monotonic_us();
    const enum status status = read_as_server(buf_span(&bytes));
    const enum status ignored[] = { read_as_client(buf_span(&bytes)), read_as_bundle(buf_span(&bytes)),
                                    read_as_server(buf_span(&signed_content)),
                                    read_as_server(buf_span(&message_data)) };
    (void)ignored;
    printf("%s\t%s\t%" PRId64 "\n", path, status_name(status), clock_monotonic_us() - start_us);
}

int main(int argc, char **argv)
{
    fixture_get();
    for (int i = 1; i < argc; i++)
        read_one(argv[i]);
    fixture_free();
    return 0;
}
