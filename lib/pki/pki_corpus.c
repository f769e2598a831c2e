/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads files as certificates, requests, keys or names and says how each ended and how long it
 * took; for the corpora of hostile inputs, and for looking at one odd file by hand.
 *
 * Usage: pki_corpus cert|csr|key|name FILE...      (no FILE: file names from standard input)
 * Prints: FILE TAB STATUS TAB microseconds TAB reason
 */
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/pki/pki.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_MAX_BYTES ((size_t)1 << 22)

static enum status look_at_cert(struct cert *cert)
{
    AUTO(buf_clear) struct buf text = { 0 };
    struct public_key *key = NULL;

    TRY(name_format(cert_get_subject(cert), &text));
    TRY(name_format(cert_get_issuer(cert), &text));
    TRY(general_names_format(cert_get_subject_alt_name(cert), &text));
    TRY(cert_get_key(cert, &key));
    const bool self_issued = cert_is_self_issued(cert);
    return self_issued ? cert_verify_signature(cert, key) : OK;
}

static enum status read_cert(struct span bytes)
{
    AUTO(cert_freep) struct cert *cert = NULL;

    if (memmem(bytes.ptr, bytes.len, "-----BEGIN", 10))
        TRY(cert_parse_pem(bytes, "PEM", &cert));
    else
        TRY(cert_parse(bytes, &cert));
    return look_at_cert(cert);
}

static enum status read_csr(struct span bytes)
{
    AUTO(csr_freep) struct csr *csr = NULL;

    return csr_parse(bytes, &csr);
}

static enum status read_key(struct span bytes)
{
    AUTO(public_key_freep) struct public_key *key = NULL;

    return public_key_parse(bytes, &key);
}

static enum status read_name(struct span bytes)
{
    AUTO(buf_clear) struct buf text = { 0 };

    if (!name_equal(bytes, bytes))
        return fail(BAD_INPUT, "not a Name");
    return name_format(bytes, &text);
}

static const struct kind {
    const char *name;
    enum status (*read)(struct span bytes);
} kinds[] = { { "cert", read_cert }, { "csr", read_csr }, { "key", read_key }, { "name", read_name } };

static void run(const struct kind *kind, const char *path)
{
    AUTO(buf_clear) struct buf bytes = { 0 };

    if (file_read(path, FILE_MAX_BYTES, &bytes) != OK) {
        printf("%s\tunreadable\t0\t%s\n", path, fail_text());
        return;
    }
    const int64_t start_us = clock_monotonic_us();
    const enum status status = kind->read(buf_span(&bytes));
    const int64_t took_us = clock_monotonic_us() - start_us;
    printf("%s\t%s\t%" PRId64 "\t%s\n", path, status_name(status), took_us, status == OK ? "" : fail_text());
}

static void run_from_stdin(const struct kind *kind)
{
    char *line = NULL;
    size_t room = 0;

    for (ssize_t n; (n = getline(&line, &room, stdin)) > 0;) {
        line[strcspn(line, "\n")] = 0;
        run(kind, line);
    }
    free(line);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < COUNT_OF(kinds); i++) {
        if (strcmp(argv[1], kinds[i].name) != 0)
            continue;
        for (int file = 2; file < argc; file++)
            run(&kinds[i], argv[file]);
        if (argc == 2)
            run_from_stdin(&kinds[i]);
        return 0;
    }
    fprintf(stderr, "usage: pki_corpus cert|csr|key|name FILE...\n");
    return 2;
}
