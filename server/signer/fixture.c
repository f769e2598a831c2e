/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer/fixture.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/test.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char conf[] =
    "public_url = \"http://127.0.0.1:8080\"\n"
    "authority issuing { key = \"key.pem\" certificate = \"cert.pem\" chain = \"cert.pem\"\n"
    "                    crl_url = \"http://ca.example/issuing.crl\" }\n"
    "ra default { encryption_key = \"key.pem\" encryption_certificate = \"cert.pem\"\n"
    "             signing_key = \"key.pem\" signing_certificate = \"cert.pem\" }\n"
    "template device { subject = \"CN=%{name},O=Example\" subject_alt_name = {\"DNS:%{name}\"}\n"
    "                  extended_key_usage = {\"clientAuth\"} keys = {\"ec:P-256\"} lifetime_days = 30 }\n"
    "template unused { subject = \"CN=%{name}\" keys = {\"ec:P-256\"} }\n"
    "path device { authority = \"issuing\" ra = \"default\" templates = {\"device\"} }\n"
    "tls own { names = {\"pki.example\"} issue_from = \"issuing\" lifetime_days = 20 }\n";

static void put(const struct fixture *fixture, const char *name, struct span content, mode_t mode)
{
    char path[PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    assert_int_equal(file_create(path, content, mode), OK);
}

static void put_authority(const struct fixture *fixture)
{
    AUTO(private_key_freep) struct private_key *key = NULL;
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(buf_clear) struct buf pem = { 0 };
    AUTO(buf_clear) struct buf name = { 0 };
    uint8_t serial[CERT_SERIAL_MAX_BYTES];

    assert_int_equal(private_key_generate((struct key_spec){ KEY_EC_P256, 256 }, &key), OK);
    assert_int_equal(cert_serial_generate(serial), OK);
    assert_int_equal(name_parse_text("CN=Example Issuing CA", &name), OK);
    const struct cert_content content = {
        .serial = span_of(serial, sizeof serial),
        .subject = buf_span(&name),
        .spki = public_key_get_spki(private_key_get_public(key)),
        .not_before_s = clock_now_s() - 30 * 86400,
        .not_after_s = clock_now_s() + 60 * 86400,
        .key_usage = KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN,
        .is_ca = true,
    };
    assert_int_equal(cert_issue(&content, NULL, key, &der), OK);
    assert_int_equal(cert_parse(buf_span(&der), &cert), OK);
    assert_int_equal(cert_append_pem(cert, &pem), OK);
    put(fixture, "cert.pem", buf_span(&pem), 0644);
    pem.len = 0;
    assert_int_equal(private_key_write_pem(key, &pem), OK);
    put(fixture, "key.pem", buf_span(&pem), 0600);
}

int fixture_make(void **state)
{
    static const char *const san[] = { "DNS:gw-17" };
    const char *temporary = getenv("TMPDIR");
    struct fixture *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    snprintf(fixture->directory, sizeof fixture->directory, "%s/muster-signer-XXXXXX",
             temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(fixture->directory));
    assert_int_equal(chmod(fixture->directory, 0755), 0);
    snprintf(fixture->journal, sizeof fixture->journal, "%s/journal", fixture->directory);
    put_authority(fixture);
    put(fixture, CONFIG_FILE, span_of_text(conf), 0644);
    assert_int_equal(config_load(fixture->directory, &fixture->config), OK);
    assert_int_equal(private_key_generate((struct key_spec){ KEY_EC_P256, 256 }, &fixture->device_key), OK);
    assert_int_equal(name_parse_text("CN=gw-17,O=Example", &fixture->subject), OK);
    assert_int_equal(general_names_parse_text(san, 1, &fixture->san), OK);
    *state = fixture;
    return 0;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about;
    (void)kind;
    (void)walk;
    return remove(path);
}

int fixture_remove(void **state)
{
    struct fixture *fixture = *state;
    const int failed = nftw(fixture->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);

    config_free(fixture->config);
    private_key_free(fixture->device_key);
    buf_clear(&fixture->subject);
    buf_clear(&fixture->san);
    free(fixture);
    return failed;
}

struct ipc_issue fixture_order(struct fixture *fixture)
{
    const int64_t now_s = clock_now_s();

    assert_int_equal(cert_serial_generate(fixture->serial), OK);
    return (struct ipc_issue){
        .enrolment = 7,
        .serial = span_of(fixture->serial, sizeof fixture->serial),
        .authority = SPAN_LITERAL("issuing"),
        .template = SPAN_LITERAL("device"),
        .device = SPAN_LITERAL("gw-17"),
        .username = SPAN_LITERAL("gw-17"),
        .subject = buf_span(&fixture->subject),
        .san = buf_span(&fixture->san),
        .spki = public_key_get_spki(private_key_get_public(fixture->device_key)),
        .not_before_s = now_s - 300,
        .not_after_s = now_s + 30 * 86400,
    };
}
