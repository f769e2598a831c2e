/* SPDX-License-Identifier: Apache-2.0
 *
 * Feed files to everything that reads bytes from strangers, and see that it survives quickly.
 *
 *     feed LIMIT_MS < LIST          the names of the files, one a line
 *
 * Any verdict is right here; wrong is a crash, a sanitizer's report, or more than LIMIT_MS for one file.
 * Prints "files N, accepted N, slow N, slowest MS" and ends with 1 when a file was too slow.
 */
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/text.h"
#include "lib/scep/scep.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_LIMIT_BYTES ((size_t)16 << 20)

struct stage {
    struct scep_identity ra; /* whom requests are encrypted to */
    struct cert_list certs;
};

static void must(enum status status)
{
    if (status == OK)
        return;
    fprintf(stderr, "feed: %s\n", fail_text());
    exit(EXIT_FAILURE);
}

/* Whether it was accepted does not matter here. */
static void any_verdict(enum status status)
{
    (void)status;
}

static void stage_set_up(struct stage *stage)
{
    AUTO(buf_clear) struct buf name = { 0 };
    AUTO(buf_clear) struct buf der = { 0 };
    uint8_t serial[CERT_SERIAL_MAX_BYTES];
    struct cert *listed = NULL;

    must(private_key_generate((struct key_spec){ KEY_RSA, 2048 }, &stage->ra.key));
    must(name_parse_text("CN=feed", &name));
    must(cert_serial_generate(serial));
    const struct cert_content content = {
        .serial = span_of(serial, sizeof(serial)),
        .subject = buf_span(&name),
        .spki = public_key_get_spki(private_key_get_public(stage->ra.key)),
        .not_before_s = clock_now_s() - 3600,
        .not_after_s = clock_now_s() + 86400,
        .key_usage = KEY_USAGE_DIGITAL_SIGNATURE | KEY_USAGE_KEY_ENCIPHERMENT,
        .path_length = PATH_LENGTH_NONE,
    };
    must(cert_issue(&content, NULL, stage->ra.key, &der));
    must(cert_parse(buf_span(&der), &stage->ra.cert));
    must(cert_parse(buf_span(&der), &listed));
    must(cert_list_append(&stage->certs, listed));
}

static void stage_clear(struct stage *stage)
{
    cert_list_clear(&stage->certs);
    cert_free(stage->ra.cert);
    private_key_free(stage->ra.key);
}

static unsigned feed_message(struct stage *stage, struct span data)
{
    const struct scep_policy lax = { .allow_des3 = true, .allow_sha1 = true };
    AUTO(scep_message_freep) struct scep_message *message = NULL;
    AUTO(buf_clear) struct buf plain = { 0 };
    AUTO(buf_clear) struct buf reply = { 0 };

    if (scep_message_parse(data, &message) != OK)
        return 0;
    if (scep_message_prove(message, NULL, &lax) != OK)
        any_verdict(scep_message_prove(message, stage->ra.cert, &lax));
    any_verdict(scep_message_decrypt(message, &stage->ra, 1, &plain));
    const struct scep_reply failure = {
        .request = message,
        .status = SCEP_FAILURE,
        .fail_info = SCEP_BAD_REQUEST,
        .signer = stage->ra,
        .now_s = clock_now_s(),
    };
    return scep_reply_build(&failure, &reply) == OK;
}

static unsigned feed_cert(struct span data)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(buf_clear) struct buf text = { 0 };
    struct public_key *key = NULL;

    if (cert_parse(data, &cert) != OK)
        return 0;
    any_verdict(cert_get_key(cert, &key));
    any_verdict(name_format(cert_get_subject(cert), &text));
    any_verdict(general_names_format(cert_get_subject_alt_name(cert), &text));
    any_verdict(cert_verify_issued_by(cert, cert, clock_now_s()));
    any_verdict(chain_verify(cert, &(struct cert_list){ 0 }, cert, clock_now_s()));
    return 1;
}

static unsigned feed_csr(struct span data)
{
    AUTO(csr_freep) struct csr *csr = NULL;

    return csr_parse(data, &csr) == OK;
}

static unsigned feed_reply(struct stage *stage, struct span data)
{
    const struct scep_expectation expect = {
        .transaction = SPAN_LITERAL("feed"),
        .sender_nonce = SPAN_LITERAL("0123456789abcdef"),
        .ca_certs = &stage->certs,
        .recipient = stage->ra,
    };
    AUTO(scep_answer_clear) struct scep_answer answer = { 0 };

    return scep_reply_open(data, &expect, &answer) == OK;
}

static unsigned feed_parts(struct span data)
{
    struct general_name names[GENERAL_NAMES_MAX];
    AUTO(public_key_freep) struct public_key *key = NULL;
    AUTO(buf_clear) struct buf text = { 0 };
    size_t count = 0;
    unsigned accepted = 0;

    accepted += general_names_parse(data, names, COUNT_OF(names), &count) == OK;
    accepted += public_key_parse(data, &key) == OK;
    accepted += name_format(data, &text) == OK;
    (void)name_equal(data, data);
    return accepted;
}

static unsigned feed_texts(struct span data)
{
    AUTO(cert_list_clear) struct cert_list list = { 0 };
    AUTO(cert_list_clear) struct cert_list bundle = { 0 };
    AUTO(private_key_freep) struct private_key *key = NULL;
    AUTO(buf_clear) struct buf out = { 0 };

    (void)scep_capabilities_parse(data);
    any_verdict(base64_decode(data, &out));
    any_verdict(private_key_parse_pem(data, "feed", &key));
    return (cert_list_parse_pem(&list, data, "feed") == OK) + (scep_certs_parse(data, &bundle) == OK);
}

/* The same bytes as the messageData of a message that is otherwise right. */
static unsigned feed_inside(struct stage *stage, struct span data)
{
    AUTO(buf_clear) struct buf message = { 0 };
    AUTO(buf_clear) struct buf plain = { 0 };
    AUTO(scep_message_freep) struct scep_message *read = NULL;
    const struct scep_request request = {
        .type = SCEP_PKCS_REQ,
        .transaction = SPAN_LITERAL("feed"),
        .sender_nonce = SPAN_LITERAL("0123456789abcdef"),
        .data = data,
        .signer = stage->ra,
        .recipient = stage->ra.cert,
        .cipher = SCEP_AES128_CBC,
        .digest = DIGEST_SHA256,
        .now_s = clock_now_s(),
    };

    if (scep_request_build(&request, &message) != OK || scep_message_parse(buf_span(&message), &read) != OK ||
        scep_message_prove(read, NULL, &(struct scep_policy){ 0 }) != OK ||
        scep_message_decrypt(read, &stage->ra, 1, &plain) != OK)
        return 0;
    return feed_csr(buf_span(&plain));
}

static int64_t feed_file(struct stage *stage, const char *path, unsigned *accepted)
{
    AUTO(buf_clear) struct buf data = { 0 };

    must(file_read(path, FILE_LIMIT_BYTES, &data));
    const struct span bytes = buf_span(&data);
    const int64_t start_us = clock_monotonic_us();
    unsigned any = feed_message(stage, bytes) + feed_cert(bytes) + feed_csr(bytes) + feed_reply(stage, bytes);
    any += feed_parts(bytes) + feed_texts(bytes);
    const int64_t took_us = clock_monotonic_us() - start_us;
    any += feed_inside(stage, bytes); /* makes signatures of its own: not timed */
    *accepted += any > 0;
    return took_us;
}

int main(int argc, char **argv)
{
    struct stage stage = { 0 };
    int64_t limit_ms = 0;
    int64_t slowest_us = 0;
    unsigned files = 0, slow = 0, accepted = 0;
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    if (argc != 2 || number_parse(argv[1], 1, 100000, &limit_ms) != OK) {
        fputs("usage: feed LIMIT_MS < LIST-OF-FILES\n", stderr);
        return EXIT_FAILURE;
    }
    stage_set_up(&stage);
    while ((len = getline(&line, &room, stdin)) > 0) {
        line[len - 1] = '\0';
        const int64_t took_us = feed_file(&stage, line, &accepted);

        files++;
        if (took_us > limit_ms * 1000) {
            slow++;
            fprintf(stderr, "feed: %s took %lld ms\n", line, (long long)took_us / 1000);
        }
        slowest_us = took_us > slowest_us ? took_us : slowest_us;
    }
    free(line);
    stage_clear(&stage);
    printf("files %u, accepted %u, slow %u, slowest %.1f ms\n", files, accepted, slow, (double)slowest_us / 1e3);
    return slow > 0;
}
