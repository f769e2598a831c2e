/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/config/config.h"

#include "lib/base/file.h"
#include "lib/base/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static const char *data; /* the folder that holds good/ and bad/ */
static char place[] = "/tmp/muster-config-XXXXXX";

/* Load a file as DIR/musterd.conf; `first_line` gets its comment, without "# ". */
static enum status load(const char *folder, const char *name, char first_line[256], struct config **out)
{
    char path[1024];
    AUTO(buf_clear) struct buf content = { 0 };

    snprintf(path, sizeof path, "%s/%s/%s", data, folder, name);
    assert_int_equal(file_read(path, 65536, &content), OK);
    assert_non_null(buf_text(&content));
    assert_int_equal(sscanf((const char *)content.ptr, "# %255[^\n]", first_line), 1);
    snprintf(path, sizeof path, "%s/%s", place, CONFIG_FILE);
    assert_int_equal(file_replace(path, buf_span(&content), 0600), OK);
    return config_load(place, out);
}

static void a_full_configuration_is_read_to_the_last_key(void **state)
{
    AUTO(config_freep) struct config *c = NULL;
    char first_line[256], inside[PATH_MAX + 64];

    (void)state;
    assert_int_equal(load("good", "full.conf", first_line, &c), OK);
    assert_int_equal(c->listen_count, 2);
    assert_string_equal(c->listen[1], "[::1]:8080");
    assert_string_equal(c->public_url, "http://pki.example.net");
    assert_int_equal(c->responders, 2);
    assert_int_equal(c->password_tries, 10);
    assert_int_equal(c->address_rate_per_minute, 60);
    assert_int_equal(c->overall_rate_per_minute, 6000);
    assert_int_equal(c->paths[0].rate_per_minute, 600);
    assert_int_equal(c->paths[0].user_rate_per_minute, 3);
    snprintf(inside, sizeof inside, "%s/authority/issuing/key.pem", c->directory);
    assert_string_equal(c->authorities[0].key, inside);
    assert_string_equal(c->authorities[0].certificate, "/elsewhere/cert.pem");
    const struct template *t = config_find_template(c, SPAN_LITERAL("device"));
    assert_non_null(t);
    assert_int_equal(t->san_count, 2);
    assert_int_equal(t->request_subject, REQUEST_NAMES_IGNORE);
    assert_int_equal(t->request_san, REQUEST_NAMES_USE);
    assert_int_equal(t->request_san_kinds_count, 2);
    assert_int_equal(t->request_san_kinds[1], GENERAL_NAME_IP);
    assert_int_equal(t->key_usage, KEY_USAGE_DIGITAL_SIGNATURE);
    assert_string_equal(t->eku[0], "1.3.6.1.5.5.7.3.2");
    assert_int_equal(t->keys[0].max_bits, 4096);
    assert_int_equal(t->keys[1].kind, KEY_EC_P256);
    assert_int_equal(t->lifetime_s, 90 * 86400);
    assert_true(t->needs_approval);
    assert_int_equal(c->pending_lifetime_s, 30 * 86400);
    const struct config_path *p = config_find_path(c, SPAN_LITERAL("device"));
    assert_non_null(p);
    assert_int_equal(p->username_forms[0], USERNAME_EMAIL);
    assert_int_equal(p->authenticators_count, 2);
    assert_int_equal(p->authenticators[1], AUTHENTICATOR_SECRET);
    snprintf(inside, sizeof inside, "%s/path.secret", c->directory);
    assert_string_equal(p->secret_file, inside);
    assert_true(p->policy.allow_des3);
    assert_true(p->policy.allow_md5);
    assert_false(p->policy.allow_des);
    assert_false(p->policy.allow_sha1);
    assert_true(p->policy.allow_odd_nonce);
    assert_int_equal(p->reply, REPLY_WITH_CHAIN);
    assert_false(p->needs_approval);
    assert_null(config_find_path(c, SPAN_LITERAL("nowhere")));
}

static void a_tls_section_is_given_its_files_or_issued_by_an_authority(void **state)
{
    AUTO(config_freep) struct config *c = NULL;
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf san = { 0 };
    AUTO(buf_clear) struct buf text = { 0 };
    char first_line[256], inside[PATH_MAX + 64];

    (void)state;
    assert_int_equal(load("good", "full.conf", first_line, &c), OK);
    assert_string_equal(c->listen_tls[0], "127.0.0.1:8443");
    assert_int_equal(c->tls_count, 2);
    const struct config_tls *given = &c->tls[0];
    assert_true(given->issue_from == CONFIG_NONE);
    assert_string_equal(given->key, "/elsewhere/key.pem");
    assert_int_equal(given->client_certificates, CLIENT_CERTIFICATES_OPTIONAL);
    const struct config_tls *own = config_find_tls(c, SPAN_LITERAL("own"));
    assert_non_null(own);
    assert_int_equal(own->issue_from, 0);
    assert_string_equal(own->names[0], "pki.example.net");
    snprintf(inside, sizeof inside, "%s/tls/own.pem", c->directory);
    assert_string_equal(own->certificate, inside);
    assert_string_equal(own->key, inside);
    const struct template *t = &c->templates[own->template];
    assert_string_equal(t->name, "tls:own");
    assert_int_equal(t->lifetime_s, 30 * 86400);
    assert_int_equal(template_expand_names(t, "tls:own", "tls:own", &subject, &san), OK);
    assert_int_equal(general_names_format(buf_span(&san), &text), OK);
    assert_string_equal(buf_text(&text), "DNS:pki.example.net, DNS:*.example.net, IP:192.0.2.1");
}

/* Each file in bad/ says in its first line what the error must say. */
static void every_mistake_is_told_with_its_place(void **state)
{
    char path[1024];
    unsigned count = 0;

    (void)state;
    snprintf(path, sizeof path, "%s/bad", data);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        AUTO(config_freep) struct config *c = NULL;
        char expected[256];
        if (entry->d_name[0] == '.')
            continue;
        (void)fail(OK, "nothing: it was accepted");
        print_message("%s: ", entry->d_name);
        assert_int_equal(load("bad", entry->d_name, expected, &c), BAD_INPUT);
        print_message("%s\n", fail_text());
        assert_non_null(strstr(fail_text(), expected));
        count++;
    }
    closedir(folder);
    assert_true(count >= 20);
}

static void a_directory_without_configuration_says_how_to_make_one(void **state)
{
    AUTO(config_freep) struct config *c = NULL;

    (void)state;
    assert_int_equal(config_load("/nonexistent", &c), FAULT);
    assert_non_null(strstr(fail_text(), "musterd init /nonexistent"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_configuration_is_read_to_the_last_key),
        cmocka_unit_test(a_tls_section_is_given_its_files_or_issued_by_an_authority),
        cmocka_unit_test(every_mistake_is_told_with_its_place),
        cmocka_unit_test(a_directory_without_configuration_says_how_to_make_one),
    };

    if (argc != 2 || !mkdtemp(place))
        return 1;
    data = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
