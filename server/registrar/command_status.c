/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/command.h"

#include <openssl/crypto.h>
#include <stdio.h>

static json_t *subject_text(const struct cert *cert)
{
    AUTO(buf_clear) struct buf text = { 0 };

    return name_format(cert_get_subject(cert), &text) == OK ? view_text(buf_span(&text)) : json_string("");
}

static json_t *view_authorities(const struct rules *rules)
{
    json_t *rows = json_array();
    uint8_t fingerprint[SHA256_BYTES];

    for (size_t i = 0; rows && i < rules->config->authorities_count; i++) {
        const struct cert *cert = rules->authorities[i].cert;
        cert_fingerprint(cert, fingerprint);
        json_array_append_new(rows, json_pack("{s:s, s:o, s:o, s:I}", "name", rules->config->authorities[i].name,
                                              "subject", subject_text(cert), "fingerprint",
                                              view_hex(span_of(fingerprint, sizeof fingerprint)), "not_after_s",
                                              (json_int_t)cert_not_after_s(cert)));
    }
    return rows;
}

static json_t *view_paths(const struct config *config)
{
    json_t *rows = json_array();
    char url[CONFIG_URL_BYTES + CONFIG_NAME_BYTES + 8];

    for (size_t i = 0; rows && i < config->paths_count; i++) {
        const struct config_path *path = &config->paths[i];
        json_t *templates = json_array();
        for (size_t t = 0; templates && t < path->templates_count; t++)
            json_array_append_new(templates, json_string(config->templates[path->templates[t]].name));
        snprintf(url, sizeof url, "%s/scep/%s", config->public_url, path->name);
        json_array_append_new(rows, json_pack("{s:s, s:s, s:o}", "name", path->name, "url", url, "templates", templates));
    }
    return rows;
}

static json_t *view_legacy(const struct registrar *registrar)
{
    json_t *row = json_object();
    char name[SCEP_LEGACY_TEXT_BYTES];

    for (size_t i = 0; row && i < SCEP_LEGACY_COUNT; i++) {
        scep_legacy_text(1u << i, name);
        json_object_set_new(row, name, json_integer((json_int_t)registrar->legacy_count[i]));
    }
    return row;
}

enum status command_status(struct call *call)
{
    const struct registrar *registrar = call->registrar;
    const struct config *config = registrar->rules.config;
    struct store_totals totals;

    TRY(store_get_totals(registrar->store, call->now_s, &totals));
    call->answer = json_pack(
        "{s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:o, s:o, s:o}", "version",
        MUSTER_VERSION, "openssl", OpenSSL_version(OPENSSL_VERSION), "started_s", (json_int_t)registrar->started_s,
        "now_s", (json_int_t)call->now_s, "public_url", config->public_url, "devices", (json_int_t)totals.devices,
        "certificates", (json_int_t)totals.certificates, "valid",
        (json_int_t)(totals.certificates - totals.revoked - totals.expired), "revoked", (json_int_t)totals.revoked,
        "expired", (json_int_t)totals.expired, "open_intents", (json_int_t)totals.open_intents, "pending",
        (json_int_t)totals.pending, "events",
        (json_int_t)totals.events, "journal_sequence", (json_int_t)totals.journal_sequence, "signer",
        registrar->signer_connected ? "connected" : "absent", "responders", (json_int_t)registrar->responders_count,
        "authorities", view_authorities(&registrar->rules), "paths", view_paths(config), "legacy",
        view_legacy(registrar));
    return call->answer ? OK : fail(FAULT, "no memory for an answer");
}
