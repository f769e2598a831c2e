/* SPDX-License-Identifier: Apache-2.0
 *
 * What a certificate of one kind must look like, held against keys, requests and names.
 */
#include "lib/pki/der.h"
#include "lib/pki/general_name.h"
#include "lib/pki/name.h"
#include "lib/pki/pattern.h"

/* --- Keys and wishes ---------------------------------------------------- */

static enum status ranges_format(const struct template *t, struct buf *out)
{
    char low[KEY_SPEC_TEXT_BYTES], high[KEY_SPEC_TEXT_BYTES];

    for (size_t i = 0; i < t->keys_count; i++) {
        key_spec_format((struct key_spec){ t->keys[i].kind, t->keys[i].min_bits }, low);
        key_spec_format((struct key_spec){ t->keys[i].kind, t->keys[i].max_bits }, high);
        TRY(buf_append_format(out, "%s%s", i ? ", " : "", low));
        if (strcmp(low, high) != 0)
            TRY(buf_append_format(out, " to %s", high));
    }
    return OK;
}

enum status template_check_key(const struct template *t, struct public_key *key)
{
    const struct key_spec spec = public_key_get_spec(key);
    AUTO(buf_clear) struct buf allowed = { 0 };
    char have[KEY_SPEC_TEXT_BYTES];

    for (size_t i = 0; i < t->keys_count; i++)
        if (t->keys[i].kind == spec.kind && spec.bits >= t->keys[i].min_bits && spec.bits <= t->keys[i].max_bits)
            return OK;
    key_spec_format(spec, have);
    TRY(ranges_format(t, &allowed));
    const char *text = buf_text(&allowed);
    return fail(REFUSED, "template %s: key %s, allowed are %s", t->name, have, text && *text ? text : "none");
}

static bool eku_is_allowed(const struct template *t, const char *oid)
{
    for (size_t i = 0; i < t->eku_count; i++)
        if (strcmp(t->eku[i], oid) == 0)
            return true;
    return false;
}

enum status template_check_request(const struct template *t, const struct csr *csr)
{
    if (csr_asks_for_ca(csr))
        return fail(REFUSED, "template %s: the request asks for CA:TRUE", t->name);
    if (csr_key_usage(csr) & (KEY_USAGE_KEY_CERT_SIGN | KEY_USAGE_CRL_SIGN))
        return fail(REFUSED, "template %s: the request asks for keyCertSign or cRLSign", t->name);
    for (size_t i = 0; i < csr_extended_key_usage_count(csr); i++)
        if (!eku_is_allowed(t, csr_extended_key_usage(csr, i)))
            return fail(REFUSED, "template %s: the request asks for the extended key usage %s", t->name,
                        csr_extended_key_usage(csr, i));
    return OK;
}

/* --- Names -------------------------------------------------------------- */

/* Names taken apart. */
struct names {
    struct general_name items[GENERAL_NAMES_MAX];
    size_t count;
};

static enum status names_read(struct span der, struct names *out)
{
    return general_names_parse(der, out->items, COUNT_OF(out->items), &out->count);
}

static enum status expand(const struct template *t, const struct pattern_values *values, struct buf *subject,
                          struct buf *san)
{
    const char *patterns[TEMPLATE_SAN_MAX];

    for (size_t i = 0; i < t->san_count; i++)
        patterns[i] = t->san[i];
    enum status status = name_parse_pattern(t->subject, values, subject);
    if (status == OK)
        status = general_names_parse_patterns(patterns, t->san_count, values, san);
    return status == OK ? OK : fail_in(status, "template %s", t->name);
}

static enum status refuse_subject(const struct template *t, struct span asked, struct span expected)
{
    AUTO(buf_clear) struct buf asked_text = { 0 };
    AUTO(buf_clear) struct buf expected_text = { 0 };

    TRY(name_format(asked, &asked_text));
    TRY(name_format(expected, &expected_text));
    const char *have = buf_text(&asked_text), *want = buf_text(&expected_text);
    return fail(REFUSED, "template %s: the request names \"%.300s\", want \"%.300s\"", t->name, have ? have : "",
                want ? want : "");
}

static enum status refuse_alternative_name(const struct template *t, const struct general_name *name)
{
    AUTO(buf_clear) struct buf der = { 0 };
    AUTO(buf_clear) struct buf text = { 0 };
    struct der_writer w = { &der, OK };

    const size_t start = der_open(&w, DER_SEQUENCE);
    TRY(general_name_append(name, &der));
    der_close(&w, start);
    TRY(der_status(&w));
    TRY(general_names_format(buf_span(&der), &text));
    const char *shown = buf_text(&text);
    return fail(REFUSED, "template %s: the alternative name %.300s is not allowed", t->name, shown ? shown : "");
}

static bool kind_is_allowed(const struct template *t, enum general_name_kind kind)
{
    for (size_t i = 0; i < t->request_san_kinds_count; i++)
        if (t->request_san_kinds[i] == kind)
            return true;
    return false;
}

/* May this alternative name stand in a certificate, `expected` being those the template makes itself? */
static enum status alternative_name_check(const struct template *t, const struct names *expected,
                                          const struct general_name *name)
{
    if (general_name_in(expected->items, expected->count, name))
        return OK;
    if (t->request_san == REQUEST_NAMES_USE && kind_is_allowed(t, name->kind))
        return OK;
    return refuse_alternative_name(t, name);
}

static enum status subject_settle(const struct template *t, struct span asked, struct buf *subject)
{
    if (t->request_subject == REQUEST_NAMES_IGNORE || name_is_empty(asked))
        return OK;
    if (t->request_subject == REQUEST_NAMES_USE)
        return buf_set(subject, asked);
    return name_equal(asked, buf_span(subject)) ? OK : refuse_subject(t, asked, buf_span(subject));
}

static enum status names_write(const struct names *names, struct buf *out)
{
    struct der_writer w = { out, OK };

    if (names->count == 0)
        return OK;
    const size_t start = der_open(&w, DER_SEQUENCE);
    for (size_t i = 0; i < names->count; i++)
        TRY(general_name_append(&names->items[i], out));
    der_close(&w, start);
    return der_status(&w);
}

/* Check what was asked against what is expected; with USE it is added. */
static enum status san_settle(const struct template *t, struct span asked_der, const struct general_name *carrier,
                              struct span expected_der, struct buf *out)
{
    struct names asked, expected, all;

    TRY(names_read(expected_der, &expected));
    TRY(names_read(t->request_san == REQUEST_NAMES_IGNORE ? (struct span){ 0 } : asked_der, &asked));
    all = expected;
    for (size_t i = 0; i < asked.count; i++) {
        const struct general_name *name = &asked.items[i];
        if (general_name_equal(name, carrier))
            continue;
        TRY(alternative_name_check(t, &expected, name));
        if (general_name_in(all.items, all.count, name))
            continue;
        if (all.count == COUNT_OF(all.items))
            return fail(REFUSED, "template %s: more than %d alternative names", t->name, GENERAL_NAMES_MAX);
        all.items[all.count++] = *name;
    }
    return names_write(&all, out);
}

static enum status names_check(const struct template *t, struct span subject, struct span san)
{
    if (subject.len > NAMES_MAX_BYTES || san.len > NAMES_MAX_BYTES)
        return fail(REFUSED, "template %s: names of %zu and %zu bytes, at most %zu each", t->name, subject.len, san.len,
                    NAMES_MAX_BYTES);
    if (name_is_empty(subject) && san.len == 0)
        return fail(REFUSED, "template %s: neither subject nor alternative name", t->name);
    return OK;
}

enum status template_expand_names(const struct template *t, const char *device, const char *username,
                                  struct buf *subject, struct buf *san)
{
    const struct pattern_values values = { device, username };

    subject->len = 0;
    san->len = 0;
    return expand(t, &values, subject, san);
}

enum status template_make_names(const struct template *t, const char *device, const char *username,
                                const struct csr *csr, struct general_name san_carrier, struct buf *subject,
                                struct buf *san)
{
    const struct pattern_values values = { device, username };
    AUTO(buf_clear) struct buf made_subject = { 0 };
    AUTO(buf_clear) struct buf expected_san = { 0 };
    AUTO(buf_clear) struct buf made_san = { 0 };

    TRY(expand(t, &values, &made_subject, &expected_san));
    TRY(subject_settle(t, csr_get_subject(csr), &made_subject));
    TRY(san_settle(t, csr_get_subject_alt_name(csr), &san_carrier, buf_span(&expected_san), &made_san));
    TRY(names_check(t, buf_span(&made_subject), buf_span(&made_san)));
    TRY(buf_set(subject, buf_span(&made_subject)));
    return buf_set(san, buf_span(&made_san));
}

/* Every name that stands there may, and none that the template makes is missing. */
static enum status san_check(const struct template *t, struct span expected_der, struct span san)
{
    struct names expected, have;

    TRY(names_read(expected_der, &expected));
    TRY(names_read(san, &have));
    for (size_t i = 0; i < have.count; i++)
        TRY(alternative_name_check(t, &expected, &have.items[i]));
    for (size_t i = 0; i < expected.count; i++)
        if (!general_name_in(have.items, have.count, &expected.items[i]))
            return fail(REFUSED, "template %s: alternative name %zu of the template is missing", t->name, i + 1);
    return OK;
}

enum status template_check_names(const struct template *t, const char *device, const char *username,
                                 struct span subject, struct span san)
{
    const struct pattern_values values = { device, username };
    AUTO(buf_clear) struct buf expected_subject = { 0 };
    AUTO(buf_clear) struct buf expected_san = { 0 };

    TRY(expand(t, &values, &expected_subject, &expected_san));
    TRY(name_check_text(subject));
    if (!name_equal(subject, buf_span(&expected_subject)) && t->request_subject != REQUEST_NAMES_USE)
        return refuse_subject(t, subject, buf_span(&expected_subject));
    TRY(san_check(t, buf_span(&expected_san), san));
    return names_check(t, subject, san);
}
