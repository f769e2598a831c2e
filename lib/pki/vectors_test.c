/* SPDX-License-Identifier: Apache-2.0
 *
 * Every file in good/ and bad/ ends as vectors.tsv says (vectors.py made them).
 *
 * Usage: pki_vectors_test DIRECTORY      the one that holds vectors.tsv
 */
#include "lib/base/file.h"
#include "lib/pki/pki_test.h"

#include <stdio.h>

static const char *directory;

/* What a good request's password must be, or what the error text must hold. */
static void check_csr(struct span der, enum status want, const char *text, const char *name)
{
    AUTO(csr_freep) struct csr *csr = NULL;

    assert_status(csr_parse(der, &csr), want, name);
    if (want == OK)
        assert_true(span_equal(csr_get_challenge(csr), span_of_text(strcmp(text, "-") == 0 ? "" : text)));
}

static void check_cert(struct span der, enum status want, const char *text, const char *name)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    struct public_key *key = NULL;

    (void)text;
    assert_status(cert_parse(der, &cert), want, name);
    if (want != OK)
        return;
    assert_status(cert_get_key(cert, &key), OK, name);
    assert_status(cert_verify_signature(cert, key), OK, name);
}

static void check_key(struct span der, enum status want, const char *text, const char *name)
{
    AUTO(public_key_freep) struct public_key *key = NULL;

    (void)text;
    assert_status(public_key_parse(der, &key), want, name);
}

static const struct {
    const char *kind;
    void (*check)(struct span der, enum status want, const char *text, const char *name);
} checks[] = { { "csr", check_csr }, { "cert", check_cert }, { "key", check_key } };

static enum status status_of(const char *name)
{
    for (enum status s = OK; s <= FAULT; s++)
        if (strcmp(status_name(s), name) == 0)
            return s;
    print_error("vectors.tsv: no status is called \"%s\"\n", name);
    assert_true(false);
    return FAULT;
}

static void run_case(const char *file, const char *kind, enum status want, const char *text)
{
    AUTO(buf_clear) struct buf der = { 0 };
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", directory, file);
    assert_status(file_read(path, CSR_MAX_BYTES + 1, &der), OK, path);
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        if (strcmp(checks[i].kind, kind) == 0)
            checks[i].check(buf_span(&der), want, text, file);
    if (want != OK && strcmp(text, "-") != 0 && !strstr(fail_text(), text)) {
        print_error("%s: \"%s\" does not say \"%s\"\n", file, fail_text(), text);
        assert_true(false);
    }
}

static void every_vector_ends_as_its_table_says(void **state)
{
    AUTO(buf_clear) struct buf table = { 0 };
    char path[4096], file[128], kind[16], status[16], text[256];
    size_t count = 0;

    (void)state;
    snprintf(path, sizeof path, "%s/vectors.tsv", directory);
    assert_status(file_read(path, 1 << 20, &table), OK, path);
    for (const char *line = buf_text(&table); *line; line += strcspn(line, "\n") + 1) {
        if (*line == '#')
            continue;
        assert_int_equal(sscanf(line, "%127[^\t]\t%15[^\t]\t%15[^\t]\t%255[^\n]", file, kind, status, text), 4);
        run_case(file, kind, status_of(status), text);
        count++;
    }
    assert_true(count > 90);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_ends_as_its_table_says),
    };

    if (argc != 2)
        return 2;
    directory = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
