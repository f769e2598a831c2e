/* SPDX-License-Identifier: Apache-2.0 */
#include "server/supervisor/init.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/test.h"
#include "lib/config/config.h"

#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define ARGUMENTS_MAX 16

static char place[PATH_MAX];  /* temporary; the installation is made in `home` within it */
static char home[PATH_MAX + 8];
static char output[PATH_MAX + 8]; /* what init printed */

static int make_place(void **state)
{
    const char *temporary = getenv("TMPDIR");

    (void)state;
    snprintf(place, sizeof place, "%s/muster-init-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(place));
    snprintf(home, sizeof home, "%s/home", place);
    snprintf(output, sizeof output, "%s/output", place);
    return 0;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int remove_place(void **state)
{
    (void)state;
    return nftw(place, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Run `musterd init` with these arguments and the directory; what it prints goes to the file `output`. */
static int init_with(const char *const *arguments, size_t count)
{
    char *argv[ARGUMENTS_MAX + 3] = { (char *)(uintptr_t) "init" };
    int argc = 1;

    for (size_t i = 0; i < count; i++)
        argv[argc++] = (char *)(uintptr_t)arguments[i];
    argv[argc++] = home;
    fflush(stdout);
    const int out = dup(STDOUT_FILENO);
    const int error = dup(STDERR_FILENO);
    AUTO(fd_closep) int file = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(out >= 0 && error >= 0 && file >= 0);
    assert_true(dup2(file, STDOUT_FILENO) >= 0 && dup2(file, STDERR_FILENO) >= 0);
    const int code = init_main(argc, argv);
    fflush(stdout);
    assert_true(dup2(out, STDOUT_FILENO) >= 0 && dup2(error, STDERR_FILENO) >= 0);
    close(out);
    close(error);
    return code;
}

#define INIT(...)                                            \
    ({                                                       \
        const char *const arguments_[] = { __VA_ARGS__ };    \
        init_with(arguments_, COUNT_OF(arguments_));         \
    })

static void read_output(struct buf *out)
{
    assert_int_equal(file_read(output, 100000, out), OK);
    assert_non_null(buf_text(out));
}

static bool output_has(const char *text)
{
    AUTO(buf_clear) struct buf all = { 0 };

    read_output(&all);
    return strstr(buf_text(&all), text) != NULL;
}

static struct cert *load(const char *name)
{
    char path[PATH_MAX + 64];
    struct cert *cert = NULL;

    snprintf(path, sizeof path, "%s/%s", home, name);
    assert_int_equal(cert_load(path, &cert), OK);
    return cert;
}

static mode_t mode_of(const char *name)
{
    char path[PATH_MAX + 64];
    struct stat about;

    snprintf(path, sizeof path, "%s/%s", home, name);
    assert_int_equal(stat(path, &about), 0);
    return about.st_mode & 07777;
}

/* Everything that the new configuration names verifies up to the root. */
static void assert_hierarchy_holds(size_t superiors)
{
    AUTO(config_freep) struct config *config = NULL;
    AUTO(cert_freep) struct cert *root = load("authority/root/cert.pem");
    AUTO(cert_freep) struct cert *issuing = NULL;
    AUTO(cert_freep) struct cert *encryption = NULL;
    AUTO(cert_freep) struct cert *signing = NULL;
    AUTO(cert_list_clear) struct cert_list chain = { 0 };
    AUTO(buf_clear) struct buf pem = { 0 };
    const int64_t now_s = clock_now_s();

    assert_int_equal(config_load(home, &config), OK);
    assert_int_equal(cert_load(config->authorities[0].certificate, &issuing), OK);
    assert_int_equal(cert_load(config->ras[0].encryption_certificate, &encryption), OK);
    assert_int_equal(cert_load(config->ras[0].signing_certificate, &signing), OK);
    assert_int_equal(file_read(config->authorities[0].chain, 100000, &pem), OK);
    if (superiors)
        assert_int_equal(cert_list_parse_pem(&chain, buf_span(&pem), "chain.pem"), OK);
    assert_int_equal(chain.count, superiors);
    assert_int_equal(chain_verify(issuing, &chain, root, now_s), OK);
    assert_true(superiors == 0 || span_equal(cert_get_der(chain.items[superiors - 1]), cert_get_der(root)));
    assert_int_equal(cert_path_length(issuing), 0);
    assert_true(cert_has_key_usage(encryption, KEY_USAGE_KEY_ENCIPHERMENT));
    assert_true(cert_has_key_usage(signing, KEY_USAGE_DIGITAL_SIGNATURE));
    assert_int_equal(cert_list_append(&chain, take(issuing)), OK);
    assert_int_equal(chain_verify(encryption, &chain, root, now_s), OK);
    assert_int_equal(chain_verify(signing, &chain, root, now_s), OK);
    assert_false(cert_is_ca(encryption));
}

static void every_depth_gives_a_hierarchy_that_verifies(void **state)
{
    static const char *const depths[] = { "1", "2", "3", "4" };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(depths); i++) {
        snprintf(home, sizeof home, "%s/home-%zu", place, i);
        assert_int_equal(INIT("--depth", depths[i], "--ca-key", "ec:P-256"), 0);
        assert_hierarchy_holds(i);
    }
}

static void rsa_and_p384_authorities_verify_too(void **state)
{
    (void)state;
    assert_int_equal(INIT("--ca-key", "rsa:2048", "--root-key", "ec:P-384", "--ra", "separate"), 0);
    assert_hierarchy_holds(2);
}

static void path_lengths_fit_the_depth(void **state)
{
    (void)state;
    assert_int_equal(INIT("--depth", "4", "--ca-key", "ec:P-256"), 0);
    AUTO(cert_freep) struct cert *root = load("authority/root/cert.pem");
    AUTO(cert_freep) struct cert *first = load("authority/intermediate/cert.pem");
    AUTO(cert_freep) struct cert *second = load("authority/intermediate-2/cert.pem");
    assert_int_equal(cert_path_length(root), PATH_LENGTH_NONE);
    assert_int_equal(cert_path_length(first), 2);
    assert_int_equal(cert_path_length(second), 1);
    assert_int_equal(cert_key_usage(first), KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN);
}

static void separate_ra_certificates_have_one_use_each(void **state)
{
    (void)state;
    assert_int_equal(INIT("--ca-key", "ec:P-256", "--ra", "separate"), 0);
    AUTO(cert_freep) struct cert *encryption = load("ra/default/encryption-cert.pem");
    AUTO(cert_freep) struct cert *signing = load("ra/default/signing-cert.pem");
    assert_int_equal(cert_key_usage(encryption), KEY_USAGE_KEY_ENCIPHERMENT);
    assert_int_equal(cert_key_usage(signing), KEY_USAGE_DIGITAL_SIGNATURE);
}

static void keys_are_for_their_owner_alone(void **state)
{
    (void)state;
    assert_int_equal(INIT("--ca-key", "ec:P-256"), 0);
    assert_int_equal(mode_of("authority/root/key.pem"), 0600);
    assert_int_equal(mode_of("authority/issuing/key.pem"), 0600);
    assert_int_equal(mode_of("ra/default/key.pem"), 0600);
    assert_int_equal(mode_of("signer"), 0700);
    assert_int_equal(mode_of("registrar"), 0700);
}

static void an_organization_with_a_comma_survives_name_and_configuration(void **state)
{
    AUTO(config_freep) struct config *config = NULL;
    AUTO(buf_clear) struct buf want = { 0 };

    (void)state;
    assert_int_equal(INIT("--ca-key", "ec:P-256", "--organization", "Example, Inc."), 0);
    AUTO(cert_freep) struct cert *root = load("authority/root/cert.pem");
    assert_int_equal(name_parse_text("CN=Example\\, Inc. Root CA,O=Example\\, Inc.", &want), OK);
    assert_true(name_equal(cert_get_subject(root), buf_span(&want)));
    assert_int_equal(config_load(home, &config), OK);
    assert_string_equal(config->templates[0].subject, "CN=%{name},O=Example\\, Inc.");
}

static void the_json_is_one_object(void **state)
{
    AUTO(buf_clear) struct buf text = { 0 };

    (void)state;
    assert_int_equal(INIT("--ca-key", "ec:P-256", "--json"), 0);
    read_output(&text);
    json_t *object = json_loadb((const char *)text.ptr, text.len, 0, NULL);
    assert_non_null(object);
    assert_int_equal(json_array_size(json_object_get(object, "authorities")), 3);
    assert_int_equal(json_array_size(json_object_get(object, "ras")), 1);
    assert_int_equal(strlen(json_string_value(json_object_get(object, "anchor_fingerprint"))), 64);
    json_decref(object);
}

static void the_table_tells_what_to_do_next(void **state)
{
    (void)state;
    assert_int_equal(INIT("--ca-key", "ec:P-256"), 0);
    assert_true(output_has("Trust anchor, SHA-256: "));
    assert_true(output_has("authority/root/key.pem off this machine"));
    assert_true(output_has("musterd run "));
}

static void the_only_authority_keeps_its_key(void **state)
{
    (void)state;
    assert_int_equal(INIT("--depth", "1", "--ca-key", "ec:P-256"), 0);
    assert_false(output_has("off this machine"));
}

static void a_directory_with_something_in_it_is_left_alone(void **state)
{
    char path[PATH_MAX + 32];

    (void)state;
    assert_int_equal(mkdir(home, 0755), 0);
    snprintf(path, sizeof path, "%s/precious", home);
    assert_int_equal(file_create(path, SPAN_LITERAL("x"), 0644), OK);
    assert_int_equal(INIT("--ca-key", "ec:P-256"), status_exit_code(REFUSED));
    assert_true(output_has("is not empty"));
    snprintf(path, sizeof path, "%s/musterd.conf", home);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void an_empty_directory_is_taken(void **state)
{
    (void)state;
    assert_int_equal(mkdir(home, 0755), 0);
    assert_int_equal(INIT("--ca-key", "ec:P-256"), 0);
}

static void wrong_options_are_named_with_what_was_expected(void **state)
{
    static const struct {
        const char *option;
        const char *value;
        const char *text;
    } wrong[] = {
        { "--depth", "5", "from 1 to 4" },
        { "--depth", "two", "from 1 to 4" },
        { "--ca-key", "rsa:1024", "--ca-key" },
        { "--root-key", "dsa", "--root-key" },
        { "--ra-key", "ec:P-256", "must be RSA" },
        { "--ra", "both", "one or separate" },
        { "--organization", "", "1 to 64 bytes" },
        { "--organization", "a$b", "without control characters" },
        { "--listen", "8080", "ADDRESS:PORT" },
        { "--listen", "::1:8080", "ADDRESS:PORT" },
        { "--listen", "127.0.0.1:99999", "ADDRESS:PORT" },
        { "--listen", "0.0.0.0:8080", "--url" },
        { "--url", "ftp://example", "http or https" },
        { "--listen-tls", "8443", "ADDRESS:PORT" },
        { "--tls", "a b", "the name of this server" },
        { "--url", "http://a b", "http or https" },
        { "--permit-dns", ".example.net", "a domain" },
        { "--root-days", "0", "from 1 to" },
        { "--ca-days", "x", "from 1 to" },
        { "--ra-days", "-1", "from 1 to" },
        { "--unheard-of", "x", "--unheard-of is not an option" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(INIT(wrong[i].option, wrong[i].value), EXIT_USAGE);
        assert_true(output_has(wrong[i].text));
        assert_int_not_equal(access(home, F_OK), 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        TEST(every_depth_gives_a_hierarchy_that_verifies),
        TEST(rsa_and_p384_authorities_verify_too),
        TEST(path_lengths_fit_the_depth),
        TEST(separate_ra_certificates_have_one_use_each),
        TEST(keys_are_for_their_owner_alone),
        TEST(an_organization_with_a_comma_survives_name_and_configuration),
        TEST(the_json_is_one_object),
        TEST(the_table_tells_what_to_do_next),
        TEST(the_only_authority_keeps_its_key),
        TEST(a_directory_with_something_in_it_is_left_alone),
        TEST(an_empty_directory_is_taken),
        TEST(wrong_options_are_named_with_what_was_expected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
