/* SPDX-License-Identifier: Apache-2.0
 *
 *      profile_test DOC        DOC is doc/profile.md, which must hold the current table
 */
#include "lib/profile/profile.h"

#include "lib/base/file.h"
#include "lib/base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *doc_path;

#define PIN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define REQUIRED_LINES \
    "Name = \"gw-17\"\nServerURL = \"http://muster.example/scep/device\"\nCAFingerprint = \"" PIN "\"\n"

static enum status parse(const char *text, struct profile *out)
{
    return profile_parse(span_of_text(text), "p.conf", out);
}

static void assert_refused(const char *text, const char *why)
{
    struct profile profile;

    assert_int_equal(parse(text, &profile), BAD_INPUT);
    if (!strstr(fail_text(), why))
        print_error("the text is \"%s\"\n", fail_text());
    assert_non_null(strstr(fail_text(), why));
}

static void a_profile_with_the_required_lines_has_defaults_for_the_rest(void **state)
{
    struct profile profile;

    (void)state;
    assert_int_equal(parse(REQUIRED_LINES, &profile), OK);
    assert_string_equal(profile.name, "gw-17");
    assert_string_equal(profile.protocol, "SCEP");
    assert_string_equal(profile.username_form, "dns");
    assert_string_equal(profile.password, "");
    assert_int_equal(profile.subject_alt_name.count, 0);
    assert_int_equal(profile.key_size, 2048);
    assert_int_equal(profile.renew_at_elapsed_percent, 80);
    assert_int_equal(profile.poll_interval_s, 300);
    assert_int_equal(profile.poll_deadline_s, 86400);
}

static void a_list_is_read_item_by_item(void **state)
{
    struct profile profile;

    (void)state;
    assert_int_equal(parse(REQUIRED_LINES "SubjectAltName = {\"DNS:a\",\n\"URI:b\"}\n", &profile), OK);
    assert_int_equal(profile.subject_alt_name.count, 2);
    assert_string_equal(profile.subject_alt_name.items[0], "DNS:a");
    assert_string_equal(profile.subject_alt_name.items[1], "URI:b");
}

static void each_mistake_is_named_with_its_line(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } mistakes[] = {
        { "\nNames = \"x\"\n", "p.conf:2: no such option 'Names'; the parameters are Name, Protocol" },
        { "Name = \"a\"\nName = \"b\"\n", "p.conf:2: Name stands there twice" },
        { "SubjectAltName = {\"DNS:a\"}\nSubjectAltName = {\"DNS:b\"}\n", "p.conf:2: SubjectAltName stands" },
        { "SubjectAltName = {\"DNS:a\"}\nSubjectAltName += {\"DNS:b\"}\n", "p.conf:2: SubjectAltName stands" },
        { "# a comment\n\n# and another\nNames = \"x\"\n", "p.conf:4: no such option" },
        { "SubjectAltName = {\"a\"}\n", "expected a name such as DNS:" },
        { "KeySize = 1024\n", "p.conf:1: KeySize is \"1024\", expected a whole number from 2048 to 8192" },
        { "KeySize = big\n", "KeySize is \"big\", expected a whole number" },
        { "KeyType = \"DSA\"\n", "expected RSA, EC or EC-P384" },
        { "ServerURL = \"ftp://x/scep\"\n", "expected a URL such as http" },
        { "ServerURL = \"http:///scep\"\n", "expected a URL such as http" },
        { "CAFingerprint = \"" PIN "00\"\n", "expected SHA-256" },
        { "CAFingerprint = \"zz" PIN "\"\n", "expected SHA-256" },
        { "Name = \"../etc\"\n", "not a dot first" },
        { "Name = \"a/b\"\n", "letters, digits" },
        { "Protocol = \"ESTX\"\n", "expected SCEP" },
        { "UsernameForm = \"upn\"\n", "expected dns, email, uri or challenge" },
        { "ChallengeExpires = \"tomorrow\"\n", "expected a time such as" },
        { "Subject = \"CN=a\nb\"\n", "control characters" },
        { "Name = {\"a\"}\n", "unexpected token" },
        { "Name \"a\"\n", "missing equal sign" },
        { "Name = \"a\n", "is not closed" },
        { "", "p.conf: Name is missing" },
        { "Name = \"a\"\n", "p.conf: ServerURL is missing" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistakes); i++)
        assert_refused(mistakes[i].text, mistakes[i].why);
}

static void a_nul_byte_is_refused(void **state)
{
    struct profile profile;

    (void)state;
    assert_int_equal(profile_parse(SPAN_LITERAL("Name = \"a\0b\"\n"), "p", &profile), BAD_INPUT);
}

static void a_wrong_password_is_not_repeated_in_the_error(void **state)
{
    (void)state;
    assert_refused("ChallengePassword = \"hunter2\ttoo\"\n", "ChallengePassword: expected");
    assert_null(strstr(fail_text(), "hunter2"));
}

static void whom_to_believe_under_https_is_the_system_the_ca_or_a_file(void **state)
{
    (void)state;
    assert_refused("TLSAnchor = \"none\"\n", "expected system, ca, or the path");
    assert_refused("TLSAnchor = \"anchors.pem\"\n", "expected system, ca, or the path");
}

/* --- From the table ----------------------------------------------------------------------------- */

/* A text of that many characters that has the form the parameter wants, where it has one. */
static void make_text(const struct profile_parameter *p, int64_t length, char *text)
{
    static const struct {
        const char *name;
        const char *start;
    } starts[] = {
        { "ServerURL", "http://h/" }, { "Protocol", "SCEP" },        { "CAFingerprint", PIN },
        { "UsernameForm", "uri" },    { "SubjectAltName", "DNS:x" }, { "KeyType", "RSA" },
        { "ChallengeExpires", "2026-11-23T18:00:00Z" }, { "TLSAnchor", "/a" },
    };

    memset(text, 'a', (size_t)length);
    text[length] = 0;
    for (size_t i = 0; i < COUNT_OF(starts); i++)
        if (strcmp(starts[i].name, p->name) == 0)
            memcpy(text, starts[i].start,
                   strlen(starts[i].start) < (size_t)length ? strlen(starts[i].start) : (size_t)length);
}

/* These have a form that not every length can have. */
static bool has_fixed_form(const struct profile_parameter *p)
{
    static const char *const names[] = { "Protocol",     "CAFingerprint",    "UsernameForm",
                                         "ServerURL", "ChallengeExpires", "KeyType" };

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(names[i], p->name) == 0)
            return true;
    return false;
}

static void check_string(const struct profile_parameter *p)
{
    struct profile profile;
    char text[PROFILE_TEXT_BYTES + 1];

    profile_init(&profile);
    if (!has_fixed_form(p)) {
        make_text(p, p->least, text);
        assert_int_equal(profile_set(&profile, p, text), OK);
        make_text(p, p->most, text);
        assert_int_equal(profile_set(&profile, p, text), OK);
        assert_string_equal((const char *)&profile + p->offset, text);
    }
    make_text(p, p->most + 1, text);
    assert_int_equal(profile_set(&profile, p, text), BAD_INPUT);
    if (p->least > 0) {
        make_text(p, p->least - 1, text);
        assert_int_equal(profile_set(&profile, p, text), BAD_INPUT);
    }
}

static void check_unsigned(const struct profile_parameter *p)
{
    const int64_t tries[] = { p->least, p->most, p->least - 1, p->most + 1 };
    struct profile profile;
    char text[32];

    profile_init(&profile);
    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        snprintf(text, sizeof text, "%lld", (long long)tries[i]);
        assert_int_equal(profile_set(&profile, p, text), i < 2 ? OK : BAD_INPUT);
        if (i < 2)
            assert_int_equal(*(const unsigned *)((const char *)&profile + p->offset), tries[i]);
    }
}

static void check_list(const struct profile_parameter *p)
{
    static struct profile profile;
    char text[PROFILE_TEXT_BYTES + 1];

    profile_init(&profile);
    make_text(p, PROFILE_TEXT_BYTES - 1, text);
    for (int64_t i = 0; i < p->most; i++)
        assert_int_equal(profile_set(&profile, p, text), OK);
    assert_int_equal(profile_set(&profile, p, text), BAD_INPUT);
    profile_init(&profile);
    make_text(p, PROFILE_TEXT_BYTES, text);
    assert_int_equal(profile_set(&profile, p, text), BAD_INPUT);
}

static void check_boolean(const struct profile_parameter *p)
{
    struct profile profile;

    profile_init(&profile);
    assert_int_equal(profile_set(&profile, p, "true"), OK);
    assert_int_equal(profile_set(&profile, p, "yes"), BAD_INPUT);
}

static void every_parameter_takes_its_range_and_nothing_beyond(void **state)
{
    static void (*const checks[])(const struct profile_parameter *) = {
        [PROFILE_STRING] = check_string,
        [PROFILE_UNSIGNED] = check_unsigned,
        [PROFILE_BOOLEAN] = check_boolean,
        [PROFILE_LIST] = check_list,
    };
    size_t count;
    const struct profile_parameter *parameters = profile_parameters(&count);

    (void)state;
    for (size_t i = 0; i < count; i++)
        checks[parameters[i].type](&parameters[i]);
}

static void every_parameter_starts_at_a_default_that_is_in_its_range(void **state)
{
    static struct profile defaults, again;
    size_t count;
    const struct profile_parameter *parameters = profile_parameters(&count);

    (void)state;
    profile_init(&defaults);
    for (size_t i = 0; i < count; i++) {
        const struct profile_parameter *p = &parameters[i];
        if (!*p->default_text)
            continue;
        profile_init(&again);
        assert_int_equal(profile_set(&again, p, p->default_text), OK);
        assert_memory_equal(&again, &defaults, sizeof again);
    }
}

static void every_parameter_can_be_found_by_its_name(void **state)
{
    size_t count;
    const struct profile_parameter *parameters = profile_parameters(&count);

    (void)state;
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(profile_find_parameter(parameters[i].name), &parameters[i]);
    assert_null(profile_find_parameter("serverurl"));
}

/* --- Writing -------------------------------------------------------------------------------------- */

static void what_is_written_is_read_back_the_same(void **state)
{
    static struct profile out, in;
    AUTO(buf_clear) struct buf text = { 0 };

    (void)state;
    assert_int_equal(parse(REQUIRED_LINES "SubjectAltName = {\"DNS:a\", 'URI:urn:x:\"q\"'}\n", &out), OK);
    snprintf(out.password, sizeof out.password, "%s", "a\"b\\c${HOME}#d'e =\xc3\xa9");
    assert_int_equal(profile_write(&out, &text), OK);
    assert_int_equal(profile_parse(buf_span(&text), "written", &in), OK);
    assert_memory_equal(&in, &out, sizeof in);
}

static void a_file_with_a_password_must_be_closed_to_others(void **state)
{
    static const char open_lines[] = REQUIRED_LINES "ChallengePassword = \"secret\"\n";
    char folder[] = "/tmp/profile_test.XXXXXX";
    char path[64];
    struct profile profile;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/p", folder);
    assert_int_equal(file_create(path, SPAN_LITERAL(open_lines), 0600), OK);
    assert_int_equal(profile_load(path, &profile), OK);
    assert_string_equal(profile.password, "secret");
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(profile_load(path, &profile), REFUSED);
    assert_non_null(strstr(fail_text(), "chmod 600"));
    assert_int_equal(file_replace(path, SPAN_LITERAL(REQUIRED_LINES), 0644), OK);
    assert_int_equal(profile_load(path, &profile), OK);
    unlink(path);
    assert_int_equal(profile_load(path, &profile), FAULT);
    rmdir(folder);
}

static void the_documentation_holds_the_current_table(void **state)
{
    AUTO(buf_clear) struct buf doc = { 0 };
    AUTO(buf_clear) struct buf table = { 0 };

    (void)state;
    assert_int_equal(file_read(doc_path, 1 << 20, &doc), OK);
    assert_int_equal(profile_write_table(&table), OK);
    if (!strstr(buf_text(&doc), buf_text(&table)))
        fprintf(stderr, "%s should hold this table:\n%s", doc_path, buf_text(&table));
    assert_non_null(strstr(buf_text(&doc), buf_text(&table)));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_with_the_required_lines_has_defaults_for_the_rest),
        cmocka_unit_test(a_list_is_read_item_by_item),
        cmocka_unit_test(each_mistake_is_named_with_its_line),
        cmocka_unit_test(a_nul_byte_is_refused),
        cmocka_unit_test(whom_to_believe_under_https_is_the_system_the_ca_or_a_file),
        cmocka_unit_test(a_wrong_password_is_not_repeated_in_the_error),
        cmocka_unit_test(every_parameter_takes_its_range_and_nothing_beyond),
        cmocka_unit_test(every_parameter_starts_at_a_default_that_is_in_its_range),
        cmocka_unit_test(every_parameter_can_be_found_by_its_name),
        cmocka_unit_test(what_is_written_is_read_back_the_same),
        cmocka_unit_test(a_file_with_a_password_must_be_closed_to_others),
        cmocka_unit_test(the_documentation_holds_the_current_table),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: profile_test DOC\n");
        return 2;
    }
    doc_path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
