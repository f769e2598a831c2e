/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/command.h"

#include "lib/base/text.h"

#include <stdio.h>

json_t *view_text(struct span bytes)
{
    AUTO(buf_clear) struct buf clean = { 0 };
    json_t *text = json_stringn(bytes.len ? (const char *)bytes.ptr : "", bytes.len);

    if (text || buf_append(&clean, bytes) != OK)
        return text;
    for (size_t i = 0; i < clean.len; i++)
        if (clean.ptr[i] > 0x7e)
            clean.ptr[i] = '?';
    return json_stringn((const char *)clean.ptr, clean.len);
}

json_t *view_hex(struct span bytes)
{
    char text[2 * SHA256_BYTES + 1] = "";

    if (bytes.len <= SHA256_BYTES)
        hex_encode(bytes, text);
    return json_string(text);
}

/* --- Device ------------------------------------------------------------------------ */

static const char *device_state(const struct rules *rules, const struct store_device *device)
{
    if (device->state == DEVICE_REMOVED)
        return "removed";
    return device->credential.wrong_tries >= rules->config->password_tries ? "locked" : "active";
}

static const char *password_state(const struct store_credential *credential, int64_t now_s)
{
    const enum enrolment_state used = credential->enrolment_state;

    if (credential->kind == 0)
        return "none";
    if (used == ENROLMENT_REJECTED || (used == ENROLMENT_ISSUED && !credential->lasting))
        return "burned";
    if ((used == ENROLMENT_OPEN || used == ENROLMENT_PENDING) && !credential->lasting)
        return "reserved";
    return now_s >= credential->expires_s ? "expired" : "ready";
}

json_t *view_device(const struct rules *rules, const struct store_device *device, int64_t now_s)
{
    const struct store_credential *credential = &device->credential;

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:b, s:I}", "name", device->name, "template",
                     device->template, "path", device->path, "username", device->username, "state",
                     device_state(rules, device), "added_s", (json_int_t)device->added_s, "certificates",
                     (json_int_t)device->certificates_count, "wrong_tries", (json_int_t)credential->wrong_tries,
                     "password", password_state(credential, now_s), "password_lasting", credential->lasting, "password_expires_s",
                     (json_int_t)credential->expires_s);
}

/* --- Certificate ------------------------------------------------------------------- */

const char *view_certificate_state(const struct store_certificate *certificate, int64_t now_s)
{
    if (certificate->revoked_s)
        return "revoked";
    return now_s > certificate->not_after_s ? "expired" : "valid";
}

/* RFC 5280 s5.3.1 */
static const char *reason_name(const struct store_certificate *certificate)
{
    static const char *const names[] = { "unspecified", "keyCompromise", "cACompromise", "affiliationChanged",
                                         "superseded", "cessationOfOperation", "certificateHold", "",
                                         "removeFromCRL", "privilegeWithdrawn", "aACompromise" };
    const int64_t reason = certificate->reason;

    return certificate->revoked_s && reason >= 0 && reason < (int64_t)COUNT_OF(names) ? names[reason] : "";
}

static json_t *name_text(struct span name)
{
    AUTO(buf_clear) struct buf text = { 0 };

    return !name_is_empty(name) && name_format(name, &text) == OK ? view_text(buf_span(&text)) : json_string("");
}

static json_t *names_text(struct span names)
{
    AUTO(buf_clear) struct buf text = { 0 };

    return names.len && general_names_format(names, &text) == OK ? view_text(buf_span(&text)) : json_string("");
}

static json_t *pem_text(struct span der)
{
    AUTO(cert_freep) struct cert *cert = NULL;
    AUTO(buf_clear) struct buf pem = { 0 };

    if (cert_parse(der, &cert) != OK || cert_append_pem(cert, &pem) != OK)
        return NULL;
    return view_text(buf_span(&pem));
}

json_t *view_certificate(const struct store_certificate *certificate, int64_t now_s, bool with_pem)
{
    uint8_t fingerprint[SHA256_BYTES];

    sha256(certificate->der, fingerprint);
    json_t *object =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:s, s:I, s:s, s:o}", "serial",
                  view_hex(certificate->serial), "device", view_text(certificate->device_name), "authority",
                  view_text(certificate->authority_name), "template", view_text(certificate->template), "subject",
                  name_text(certificate->subject), "subject_alt_name", names_text(certificate->san), "not_before_s",
                  (json_int_t)certificate->not_before_s, "not_after_s", (json_int_t)certificate->not_after_s, "state",
                  view_certificate_state(certificate, now_s), "revoked_s", (json_int_t)certificate->revoked_s,
                  "reason", reason_name(certificate), "fingerprint",
                  view_hex(span_of(fingerprint, sizeof fingerprint)));
    if (object && with_pem)
        json_object_set_new(object, "pem", pem_text(certificate->der));
    return object;
}

/* --- Enrolment --------------------------------------------------------------------- */

static const char *enrolment_state(const struct store_enrolment *row, int64_t now_s)
{
    switch (row->state) {
    case ENROLMENT_OPEN:
        return "open";
    case ENROLMENT_ISSUED:
        return "issued";
    case ENROLMENT_FAILED:
        return "failed";
    case ENROLMENT_PENDING:
        return now_s >= row->expires_s ? "expired" : "pending";
    case ENROLMENT_REJECTED:
        return "rejected";
    case ENROLMENT_NONE:
        break;
    }
    return "unknown";
}

json_t *view_enrolment(const struct store_enrolment *row, int64_t now_s)
{
    return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:o}", "id",
                     (json_int_t)row->id, "state", enrolment_state(row, now_s), "device", view_text(row->device_name),
                     "path", view_text(row->path), "template", view_text(row->template), "authority",
                     view_text(row->authority_name), "renewal", row->proof != 0, "subject", name_text(row->subject),
                     "subject_alt_name", names_text(row->san), "key", view_hex(row->key_hash), "serial",
                     view_hex(row->serial), "transaction", view_text(row->transaction), "address",
                     view_text(row->address), "asked_s", (json_int_t)row->asked_s, "expires_s",
                     (json_int_t)row->expires_s, "decided_s", (json_int_t)row->decided_s, "decided_by",
                     view_text(row->decided_by), "reason", view_text(row->reason));
}

/* --- Event --------------------------------------------------------------------------- */

json_t *view_event(const struct store_event *event)
{
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)event->id, "when_s",
                     (json_int_t)event->when_s, "kind", view_text(event->kind), "device", view_text(event->device),
                     "serial", view_hex(event->serial), "path", view_text(event->path), "transaction",
                     view_text(event->transaction), "address", view_text(event->address), "text",
                     view_text(event->text));
}

/* --- Profile --------------------------------------------------------------------------- */

/* A template's pattern for this device.  Names and usernames have no character that would have to be
 * escaped in a name's text (command_device.c sees to it). */
static json_t *expand(const char *pattern, const struct store_device *device)
{
    const struct {
        const char *variable;
        const char *value;
    } variables[] = { { "%{name}", device->name }, { "%{username}", device->username } };
    AUTO(buf_clear) struct buf text = { 0 };

    while (*pattern) {
        size_t step = 1;
        struct span piece = span_of(pattern, 1);
        for (size_t i = 0; i < COUNT_OF(variables); i++) {
            if (strncmp(pattern, variables[i].variable, strlen(variables[i].variable)) != 0)
                continue;
            step = strlen(variables[i].variable);
            piece = span_of_text(variables[i].value);
        }
        if (buf_append(&text, piece) != OK)
            return NULL;
        pattern += step;
    }
    return view_text(buf_span(&text));
}

static json_t *expand_names(const struct template *t, const struct store_device *device)
{
    json_t *names = json_array();

    for (size_t i = 0; names && i < t->san_count; i++)
        json_array_append_new(names, expand(t->san[i], device));
    return names;
}

static unsigned smallest_rsa_bits(const struct template *t)
{
    unsigned bits = 0;

    for (size_t i = 0; i < t->keys_count; i++)
        if (t->keys[i].kind == KEY_RSA && (bits == 0 || t->keys[i].min_bits < bits))
            bits = t->keys[i].min_bits;
    return bits < 2048 ? 2048 : bits;
}

/* RSA where the template takes it: every client knows it. */
static const char *profile_key_type(const struct template *t)
{
    const char *found = "RSA";

    for (size_t i = t->keys_count; i-- > 0;) {
        if (t->keys[i].kind == KEY_RSA)
            return "RSA";
        found = t->keys[i].kind == KEY_EC_P256 ? "EC" : "EC-P384";
    }
    return found;
}

#define PROFILE_RENEW_AT_ELAPSED_PERCENT 80

/* Whom the device may believe under https: the anchor it has anyway, if that one is above our certificate. */
static const char *tls_anchor(const struct rules *rules, const struct authority *authority)
{
    const struct config *config = rules->config;
    const size_t issuer = config->tls_count ? config->tls[0].issue_from : CONFIG_NONE;

    if (issuer == CONFIG_NONE || strncmp(config->public_url, "https:", 6) != 0)
        return "system";
    return memcmp(rules->authorities[issuer].anchor_fingerprint, authority->anchor_fingerprint, SHA256_BYTES) == 0
               ? "ca"
               : "system";
}

enum status view_profile(const struct rules *rules, const struct store_device *device, json_t **out)
{
    const struct config *config = rules->config;
    const struct config_path *path = config_find_path(config, span_of_text(device->path));
    const struct template *t = config_find_template(config, span_of_text(device->template));
    char url[CONFIG_URL_BYTES + CONFIG_NAME_BYTES + 8];

    if (!path || !t)
        return fail(FAULT, "device %s has path %s and template %s, and musterd.conf no longer has both", device->name,
                    device->path, device->template);
    const struct authority *authority = &rules->authorities[path->authority];
    const char *form = path->username_forms_count ? username_form_name(path->username_forms[0]) : "dns";
    snprintf(url, sizeof url, "%s/scep/%s", config->public_url, path->name);
    *out = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:s, s:i, s:i}", "name", device->name, "server_url",
                     url, "tls_anchor", tls_anchor(rules, authority), "ca_identifier", "", "ca_fingerprint",
                     view_hex(span_of(authority->anchor_fingerprint, SHA256_BYTES)), "username", device->username,
                     "username_form", form, "subject", expand(t->subject, device), "subject_alt_name",
                     expand_names(t, device), "key_type", profile_key_type(t), "key_size", (int)smallest_rsa_bits(t),
                     "renew_at_elapsed_percent", PROFILE_RENEW_AT_ELAPSED_PERCENT);
    return *out ? OK : fail(FAULT, "no memory for a profile");
}
