/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/rules.h"

#include "lib/base/log.h"

#define META_KEY_ID "credential-key-id"

static enum status load_authority(const struct config *config, struct store *store, size_t i, struct authority *out)
{
    const struct config_authority *place = &config->authorities[i];
    AUTO(cert_list_clear) struct cert_list chain = { 0 };

    TRY(cert_load(place->certificate, &out->cert));
    if (place->chain[0])
        TRY(cert_list_load(&chain, place->chain));
    TRY(name_constraints_read(out->cert, &chain, &out->constraints));
    cert_fingerprint(chain.count ? chain.items[chain.count - 1] : out->cert, out->anchor_fingerprint);
    return store_authority_put(store, place->name, cert_get_der(out->cert), &out->row);
}

/* The key and the ledger belong together: with another key no password would be right. */
static enum status load_key(struct store *store, const char *path, struct credential_key *out)
{
    AUTO(buf_clear) struct buf kept = { 0 };
    uint8_t id[CREDENTIAL_KEY_ID_BYTES];

    TRY(store_meta_get(store, META_KEY_ID, &kept));
    TRY(credential_key_load(path, kept.len == 0, out));
    credential_key_id(out, id);
    if (kept.len == 0)
        return store_meta_put(store, META_KEY_ID, span_of(id, sizeof id));
    if (!span_equal(buf_span(&kept), span_of(id, sizeof id)))
        return fail(FAULT, "%s is not the key that this ledger's passwords were kept with; put the right one back", path);
    return OK;
}

static enum status load_secret(const struct config_path *path, const struct credential_key *key,
                               uint8_t out[STORE_VERIFIER_BYTES])
{
    AUTO(buf_clear) struct buf secret = { 0 };

    if (!path->secret_file[0])
        return OK;
    TRY(config_read_secret(path, &secret));
    log_write(LOG_WARNING, "path %s: whoever knows the secret in %s can have certificates of every device of this path",
              path->name, path->secret_file);
    return credential_hash_secret(key, path->name, buf_span(&secret), out);
}

static enum status load_all(struct store *store, const char *key_path, struct rules *out)
{
    for (size_t i = 0; i < out->config->authorities_count; i++)
        TRY(load_authority(out->config, store, i, &out->authorities[i]));
    TRY(load_key(store, key_path, &out->key));
    for (size_t i = 0; i < out->config->paths_count; i++)
        TRY(load_secret(&out->config->paths[i], &out->key, out->secrets[i]));
    return OK;
}

enum status rules_load(const struct config *config, struct store *store, const char *key_path, struct rules *out)
{
    *out = (struct rules){ .config = config };
    TRY(store_begin(store));
    const enum status status = load_all(store, key_path, out);
    if (status == OK)
        return store_commit(store);
    store_rollback(store);
    rules_clear(out);
    return status;
}

void rules_clear(struct rules *rules)
{
    for (size_t i = 0; i < CONFIG_AUTHORITIES_MAX; i++) {
        cert_free(rules->authorities[i].cert);
        rules->authorities[i].cert = NULL;
        name_constraints_free(rules->authorities[i].constraints);
        rules->authorities[i].constraints = NULL;
    }
    explicit_bzero(rules->secrets, sizeof rules->secrets);
    rates_close(rules->user_rates);
    rules->user_rates = NULL;
    explicit_bzero(&rules->key, sizeof rules->key);
}
