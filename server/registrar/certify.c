/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's own TLS certificates: the supervisor has made a key, and a tls section of the configuration
 * says which names an authority of ours certifies for it.  The way is that of every certificate: the intent
 * is recorded, then the signer signs, then it is answered.  They belong to no device.
 */
#include "server/registrar/core.h"

#include "server/registrar/decide.h"

static enum status answer(struct registrar *registrar, const struct config_tls *section, struct span name,
                          enum status status, struct span certificate)
{
    const struct ipc_message message = { .kind = IPC_KIND_certified,
                                         .fd = -1,
                                         .certified = { .section = section ? span_of_text(section->name) : name,
                                                        .status = (uint8_t)status,
                                                        .reason = span_of_text(status == OK ? "" : fail_text()),
                                                        .certificate = certificate } };

    return registrar->outlet.send(registrar->outlet.context, IPC_SUPERVISOR, 0, &message);
}

/* "tls:NAME" of an intent is the template that the configuration made for the section NAME. */
static const struct config_tls *section_of(const struct registrar *registrar, const char *template)
{
    const struct config *config = registrar->rules.config;

    for (size_t i = 0; i < config->tls_count; i++)
        if (config->tls[i].issue_from != CONFIG_NONE &&
            strcmp(config->templates[config->tls[i].template].name, template) == 0)
            return &config->tls[i];
    return NULL;
}

enum status certify_answer(struct registrar *registrar, const struct intent *intent, enum status status,
                           struct span certificate)
{
    const struct config_tls *section = section_of(registrar, intent->template);

    return section ? answer(registrar, section, span_of(NULL, 0), status, certificate) : OK;
}

/* Who was asked for the same key before this registrar began joins what is under way. */
static struct intent *find_open(const struct registrar *registrar, const char *template, struct span spki)
{
    for (size_t i = 0; i < INTENT_SLOTS; i++)
        for (struct intent *intent = registrar->intents.slots[i]; intent; intent = intent->next)
            if (strcmp(intent->template, template) == 0 && span_equal(buf_span(&intent->spki), spki))
                return intent;
    return NULL;
}

static enum status record(struct registrar *registrar, const struct config_tls *section, struct span spki,
                          int64_t now_s, struct intent **out)
{
    const struct template *t = &registrar->rules.config->templates[section->template];
    const struct authority *authority = &registrar->rules.authorities[section->issue_from];
    AUTO(buf_clear) struct buf subject = { 0 };
    AUTO(buf_clear) struct buf san = { 0 };
    AUTO(public_key_freep) struct public_key *key = NULL;
    uint8_t serial[CERT_SERIAL_MAX_BYTES], hash[SHA256_BYTES];

    TRY(public_key_parse(spki, &key));
    TRY(template_check_key(t, key));
    TRY(template_expand_names(t, "", "", &subject, &san));
    TRY(name_constraints_check(authority->constraints, buf_span(&subject), buf_span(&san)));
    TRY(cert_serial_generate(serial));
    sha256(spki, hash);
    const struct dates dates = decide_dates(authority->cert, t, now_s);
    struct store_enrolment row = {
        .asked_s = now_s,
        .not_before_s = dates.not_before_s,
        .not_after_s = dates.not_after_s,
        .authority = authority->row,
        .serial = span_of(serial, sizeof serial),
        .key_hash = span_of(hash, sizeof hash),
        .transaction_hash = span_of(hash, sizeof hash), /* a new one with each key */
        .subject = buf_span(&subject),
        .san = buf_span(&san),
        .spki = spki,
        .template = span_of_text(t->name),
        .authority_name = span_of_text(registrar->rules.config->authorities[section->issue_from].name),
    };
    TRY(store_enrolment_add(registrar->store, &row, &row.id));
    return intent_new(&row, out);
}

enum status certify_take(struct registrar *registrar, const struct ipc_certify *certify, int64_t now_s)
{
    const struct config_tls *section = config_find_tls(registrar->rules.config, certify->section);
    struct intent *intent = NULL;

    if (!section || section->issue_from == CONFIG_NONE) {
        (void)fail(REFUSED, "the configuration has no tls section of that name with issue_from");
        return answer(registrar, NULL, certify->section, REFUSED, span_of(NULL, 0));
    }
    const struct template *t = &registrar->rules.config->templates[section->template];
    intent = find_open(registrar, t->name, certify->spki);
    if (!intent) {
        const enum status status = record(registrar, section, certify->spki, now_s, &intent);
        if (status == FAULT)
            return FAULT;
        if (status != OK)
            return answer(registrar, section, certify->section, status, span_of(NULL, 0));
        intents_put(&registrar->intents, intent);
    }
    TRY(intent_add_waiter(intent, (struct waiter){ WAITER_SUPERVISOR, 0 }));
    return signing_send(registrar, intent);
}
