/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/fixture.h"

#include "lib/base/clock.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DAY_S 86400
#define CA_USAGE (KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN)
#define LEAF_USAGE (KEY_USAGE_DIGITAL_SIGNATURE | KEY_USAGE_KEY_ENCIPHERMENT)

void must(enum status status, const char *what)
{
    if (status == OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, status_name(status), fail_text());
    abort();
}

static void make_key(struct party *party, const struct draft *draft)
{
    if (draft->spki.len)
        return;
    party->key = draft->key;
    if (!party->key)
        must(private_key_generate((struct key_spec){ KEY_EC_P256, 256 }, &party->key), "key");
}

static void issue(const struct party *party, const struct draft *draft, struct buf *der)
{
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf names = { 0 };
    uint8_t serial[CERT_SERIAL_MAX_BYTES];
    const int64_t now_s = clock_now_s();

    must(cert_serial_generate(serial), "serial");
    must(name_parse_text(draft->name, &subject), "name");
    must(general_names_parse_text(&draft->dns, draft->dns ? 1 : 0, &names), "alternative name");
    const struct cert_content content = {
        .serial = span_of(serial, sizeof serial),
        .subject = buf_span(&subject),
        .subject_alt_name = buf_span(&names),
        .spki = draft->spki.len ? draft->spki : public_key_get_spki(private_key_get_public(party->key)),
        .not_before_s = now_s - 3600,
        .not_after_s = draft->not_after_s ? draft->not_after_s : now_s + DAY_S,
        .key_usage = draft->key_usage ? draft->key_usage : draft->is_ca ? CA_USAGE : LEAF_USAGE,
        .extended_key_usage = &draft->extended_key_usage,
        .extended_key_usage_count = draft->extended_key_usage ? 1 : 0,
        .is_ca = draft->is_ca,
        .path_length = PATH_LENGTH_NONE,
    };
    must(cert_issue(&content, draft->issuer ? draft->issuer->cert : NULL,
                    draft->issuer ? draft->issuer->key : party->key, der),
         "issue");
}

void party_make(struct party *party, const struct draft *draft)
{
    AUTO(buf_clear) struct buf der = { 0 };

    *party = (struct party){ 0 };
    make_key(party, draft);
    issue(party, draft, &der);
    must(cert_parse(buf_span(&der), &party->cert), "certificate");
}

void party_clear(struct party *party)
{
    private_key_free(party->key);
    cert_free(party->cert);
    *party = (struct party){ 0 };
}

struct cert *party_copy_cert(const struct party *party)
{
    struct cert *copy = NULL;

    must(cert_parse(cert_get_der(party->cert), &copy), "copy");
    return copy;
}

void folder_make(char path[64])
{
    snprintf(path, 64, "/tmp/muster-test.XXXXXX");
    if (!mkdtemp(path))
        must(fail(FAULT, "%s", path), "temporary folder");
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about;
    (void)kind;
    (void)where;
    return remove(path);
}

void folder_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
