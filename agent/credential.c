/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/credential.h"

#include "agent/random.h"
#include "lib/base/clock.h"
#include "lib/base/text.h"

#include <confuse.h>

#define KEY_FILE "key.pem"
#define CERT_FILE "cert.pem"
#define CHAIN_FILE "chain.pem"
#define ANCHOR_FILE "ca.pem"
#define FULL_CHAIN_FILE "fullchain.pem"
#define META_FILE "meta"

void credential_clear(struct credential *credential)
{
    private_key_free(credential->key);
    cert_free(credential->cert);
    cert_list_clear(&credential->chain);
    cert_free(credential->anchor);
    *credential = (struct credential){ 0 };
}

enum status credential_plan_renewal(const struct cert *cert, const struct profile *profile, int64_t *renew_at_s)
{
    const int64_t life_s = cert_not_after_s(cert) - cert_not_before_s(cert);
    const unsigned latest = profile->renew_at_elapsed_percent;
    const unsigned spread = profile->renew_jitter_percent < latest ? profile->renew_jitter_percent : latest - 1;
    uint32_t early = 0;

    /* In thousandths of a percent, so that short lives are spread too. */
    TRY(random_number(spread * 1000, &early));
    *renew_at_s = cert_not_before_s(cert) + life_s * (int64_t)(latest * 1000 - early) / 100000;
    return OK;
}

/* --- Writing --------------------------------------------------------------------------------------- */

static enum status write_meta(const struct credential_parts *parts, const struct profile *profile, struct buf *out)
{
    const struct span serial = cert_get_serial(parts->cert);
    char serial_text[2 * CERT_SERIAL_MAX_BYTES + 3];
    char fingerprint_text[2 * SHA256_BYTES + 1];
    char not_after[CLOCK_TEXT_BYTES], renew_at[CLOCK_TEXT_BYTES];
    uint8_t fingerprint[SHA256_BYTES];

    cert_fingerprint(parts->cert, fingerprint);
    hex_encode(span_of(fingerprint, sizeof fingerprint), fingerprint_text);
    hex_encode(span_of(serial.ptr, serial.len > CERT_SERIAL_MAX_BYTES ? CERT_SERIAL_MAX_BYTES : serial.len),
               serial_text);
    clock_format_utc(cert_not_after_s(parts->cert), not_after);
    clock_format_utc(parts->renew_at_s, renew_at);
    return buf_append_format(out, "profile = \"%s\"\nserial = \"%s\"\nfingerprint = \"%s\"\n"
                             "not_after = \"%s\"\nrenew_at = \"%s\"\nrenew_at_s = %lld\n",
                             profile->name, serial_text, fingerprint_text, not_after, renew_at,
                             (long long)parts->renew_at_s);
}

struct texts {
    struct buf key, cert, chain, anchor, full, meta;
};

static void texts_clear(struct texts *t)
{
    struct buf *all[] = { &t->key, &t->cert, &t->chain, &t->anchor, &t->full, &t->meta };

    for (size_t i = 0; i < COUNT_OF(all); i++)
        buf_clear(all[i]);
}

static enum status make_texts(const struct credential_parts *parts, const struct profile *profile, struct texts *t)
{
    TRY(private_key_write_pem(parts->key, &t->key));
    TRY(cert_append_pem(parts->cert, &t->cert));
    for (size_t i = 0; i < parts->chain->count; i++)
        TRY(cert_append_pem(parts->chain->items[i], &t->chain));
    /* Directly below the anchor there is no chain; readers such as openssl do not take an empty file. */
    if (parts->chain->count == 0)
        TRY(cert_append_pem(parts->anchor, &t->chain));
    TRY(cert_append_pem(parts->anchor, &t->anchor));
    TRY(buf_append(&t->full, buf_span(&t->cert)));
    TRY(buf_append(&t->full, buf_span(&t->chain)));
    return write_meta(parts, profile, &t->meta);
}

enum status credential_stage(const struct credential_parts *parts, const struct profile *profile,
                             struct vault *vault, unsigned *generation)
{
    AUTO(texts_clear) struct texts t = { 0 };

    TRY(make_texts(parts, profile, &t));
    const struct vault_file files[] = {
        { KEY_FILE, buf_span(&t.key) },       { CERT_FILE, buf_span(&t.cert) },
        { CHAIN_FILE, buf_span(&t.chain) },   { ANCHOR_FILE, buf_span(&t.anchor) },
        { FULL_CHAIN_FILE, buf_span(&t.full) }, { META_FILE, buf_span(&t.meta) },
    };
    return vault_stage(vault, files, COUNT_OF(files), generation);
}

/* --- Reading --------------------------------------------------------------------------------------- */

static void silent(cfg_t *cfg, const char *format, va_list arguments)
{
    (void)cfg;
    (void)format;
    (void)arguments;
}

static enum status read_meta(const char *text, int64_t *renew_at_s)
{
    cfg_opt_t options[] = { CFG_INT("renew_at_s", 0, CFGF_NONE), CFG_END() };
    cfg_t *cfg = cfg_init(options, CFGF_IGNORE_UNKNOWN);

    if (!cfg)
        return fail(FAULT, "no memory");
    cfg_set_error_function(cfg, silent);
    const int result = cfg_parse_buf(cfg, text);
    *renew_at_s = cfg_getint(cfg, "renew_at_s");
    cfg_free(cfg);
    return result == CFG_SUCCESS ? OK : fail(BAD_INPUT, META_FILE ": not a list of names and values");
}

static enum status read_text(const struct vault *vault, unsigned generation, const char *name, struct buf *text)
{
    text->len = 0;
    TRY(vault_read(vault, generation, name, text));
    return buf_text(text) ? OK : fail(FAULT, "no memory");
}

static enum status load_parts(const struct vault *vault, struct credential *c)
{
    AUTO(buf_clear) struct buf text = { 0 };

    TRY(read_text(vault, c->generation, KEY_FILE, &text));
    TRY(private_key_parse_pem(buf_span(&text), KEY_FILE, &c->key));
    TRY(read_text(vault, c->generation, CERT_FILE, &text));
    TRY(cert_parse_pem(buf_span(&text), CERT_FILE, &c->cert));
    TRY(read_text(vault, c->generation, CHAIN_FILE, &text));
    if (text.len)
        TRY(cert_list_parse_pem(&c->chain, buf_span(&text), CHAIN_FILE));
    TRY(read_text(vault, c->generation, ANCHOR_FILE, &text));
    TRY(cert_parse_pem(buf_span(&text), ANCHOR_FILE, &c->anchor));
    TRY(read_text(vault, c->generation, META_FILE, &text));
    return read_meta(buf_text(&text), &c->renew_at_s);
}

enum status credential_load(const struct vault *vault, unsigned generation, struct credential *out)
{
    AUTO(credential_clear) struct credential c = { .generation = generation };

    if (load_parts(vault, &c) != OK)
        return fail_in(FAULT, "%s/gen-%u", vault_get_path(vault), generation);
    *out = c;
    c = (struct credential){ 0 };
    return OK;
}

enum status credential_verify(const struct credential *credential, struct span pin, int64_t now_s)
{
    uint8_t fingerprint[SHA256_BYTES];

    if (!span_equal(cert_get_spki(credential->cert),
                    public_key_get_spki(private_key_get_public(credential->key))))
        return fail(BAD_PROOF, "the certificate is for another key");
    cert_fingerprint(credential->anchor, fingerprint);
    if (!span_equal(span_of(fingerprint, sizeof fingerprint), pin))
        return fail(BAD_PROOF, "the anchor is not the profile's");
    return chain_verify(credential->cert, &credential->chain, credential->anchor, now_s);
}
