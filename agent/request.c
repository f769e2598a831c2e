/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/request.h"

#include <stdio.h>

#define NAMES_MAX (PROFILE_LIST_MAX + 1)
#define CARRIER_BYTES (PROFILE_TEXT_BYTES + 8)

/* Where a username goes; "challenge" is not among the names but in front of the password. */
static const struct {
    const char *form;
    const char *prefix;
} carriers[] = {
    { "dns", "DNS:" },
    { "email", "email:" },
    { "uri", "URI:" },
};

static void make_carrier(const struct profile *profile, char carrier[CARRIER_BYTES])
{
    carrier[0] = 0;
    for (size_t i = 0; *profile->username && i < COUNT_OF(carriers); i++)
        if (strcmp(carriers[i].form, profile->username_form) == 0)
            snprintf(carrier, CARRIER_BYTES, "%s%s", carriers[i].prefix, profile->username);
}

static enum status make_names(const struct profile *profile, struct buf *out)
{
    char carrier[CARRIER_BYTES];
    const char *names[NAMES_MAX];
    size_t count = 0;

    make_carrier(profile, carrier);
    if (*carrier)
        names[count++] = carrier;
    for (size_t i = 0; i < profile->subject_alt_name.count; i++)
        if (strcmp(profile->subject_alt_name.items[i], carrier) != 0)
            names[count++] = profile->subject_alt_name.items[i];
    return general_names_parse_text(names, count, out);
}

static enum status make_challenge(const struct profile *profile, struct buf *out)
{
    if (strcmp(profile->username_form, "challenge") == 0 && *profile->username)
        TRY(buf_append_format(out, "%s:", profile->username));
    return buf_append_text(out, profile->password);
}

struct key_spec request_key_spec(const struct profile *profile)
{
    if (strcmp(profile->key_type, "EC") == 0)
        return (struct key_spec){ KEY_EC_P256, 256 };
    if (strcmp(profile->key_type, "EC-P384") == 0)
        return (struct key_spec){ KEY_EC_P384, 384 };
    return (struct key_spec){ KEY_RSA, profile->key_size };
}

enum status request_build(const struct profile *profile, struct private_key *key, struct buf *out)
{
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf names = { 0 };
    AUTO(buf_clear) struct buf challenge = { 0 };

    if (name_parse_text(profile->subject, &subject) != OK)
        return fail_in(BAD_INPUT, "the profile's Subject");
    if (make_names(profile, &names) != OK)
        return fail_in(BAD_INPUT, "the profile's SubjectAltName or ChallengeUsername");
    TRY(make_challenge(profile, &challenge));
    const struct csr_content content = { buf_span(&subject), buf_span(&names), buf_span(&challenge) };
    return csr_build(&content, key, DIGEST_SHA256, out);
}

static enum status check_subject(const struct profile *profile, const struct cert *cert)
{
    AUTO(buf_clear) struct buf asked = { 0 };
    AUTO(buf_clear) struct buf given = { 0 };

    if (!*profile->subject)
        return OK;
    TRY(name_parse_text(profile->subject, &asked));
    if (name_equal(buf_span(&asked), cert_get_subject(cert)))
        return OK;
    TRY(name_format(cert_get_subject(cert), &given));
    return fail(BAD_PROOF, "the certificate is for \"%s\", asked was \"%s\"", buf_text(&given), profile->subject);
}

static enum status check_names(const struct profile *profile, const struct cert *cert)
{
    AUTO(buf_clear) struct buf asked = { 0 };
    AUTO(buf_clear) struct buf given = { 0 };
    const char *names[PROFILE_LIST_MAX];

    for (size_t i = 0; i < profile->subject_alt_name.count; i++)
        names[i] = profile->subject_alt_name.items[i];
    TRY(general_names_parse_text(names, profile->subject_alt_name.count, &asked));
    if (!asked.len || general_names_contain(cert_get_subject_alt_name(cert), buf_span(&asked)))
        return OK;
    TRY(general_names_format(cert_get_subject_alt_name(cert), &given));
    return fail(BAD_PROOF, "the certificate's alternative names (%s) lack some that were asked for",
                given.len ? buf_text(&given) : "none");
}

enum status request_check_certificate(const struct profile *profile, struct private_key *key,
                                      const struct cert *cert)
{
    if (!span_equal(cert_get_spki(cert), public_key_get_spki(private_key_get_public(key))))
        return fail(BAD_PROOF, "the certificate is for another key than ours");
    if (cert_is_ca(cert))
        return fail(BAD_PROOF, "the certificate makes a CA of us; a device must not be one");
    if (!cert_has_key_usage(cert, KEY_USAGE_DIGITAL_SIGNATURE) &&
        !cert_has_key_usage(cert, KEY_USAGE_KEY_ENCIPHERMENT))
        return fail(BAD_PROOF, "the certificate's keyUsage allows neither signing nor key transport");
    TRY(check_subject(profile, cert));
    return check_names(profile, cert);
}
