/* SPDX-License-Identifier: Apache-2.0
 *
 * The registrar without its sockets: it takes messages and gives messages.
 *
 * Nothing it gives may leave the house before the transaction that was under way has been committed;
 * that is the business of whoever owns the sockets (loop.c).
 */
#pragma once

#include "lib/scep/legacy.h"
#include "server/registrar/decide.h"
#include "server/registrar/lookup.h"
#include "server/registrar/pending.h"

/* Where messages go.  They are kept until the commit. */
struct outlet {
    enum status (*send)(void *context, enum ipc_role to, uint32_t number, const struct ipc_message *message);
    void *context;
};

struct registrar {
    struct store *store; /* lent */
    struct rules rules;
    struct intents intents;
    struct outlet outlet;
    bool signer_connected;
    bool reconciled;     /* with the journal of the signer that is connected now */
    size_t at_signer_count; /* intents that it was sent and has not answered */
    unsigned responders_count;
    int64_t started_s;
    uint64_t legacy_count[SCEP_LEGACY_COUNT]; /* uses of old algorithms since started_s, by SCEP_LEGACY_*'s bits */
};

/* Load what the ledger holds open.
 *   registrar   its `store`, `rules` and `outlet` are set */
MUST_USE enum status registrar_init(struct registrar *registrar, int64_t now_s);
void registrar_clear(struct registrar *registrar); /* also the rules; not the store */

/* Take one message from a responder or a signer, within a transaction.
 *
 *   from     the sender's role
 *   number   which one of its kind
 *
 * FAULT      the ledger broke, or there is no memory: end, and start again
 * BAD_INPUT  a message that nobody takes */
MUST_USE enum status registrar_take(struct registrar *registrar, enum ipc_role from, uint32_t number,
                                    const struct ipc_message *message, int64_t now_s);

/* A process came or went. */
MUST_USE enum status registrar_peer_came(struct registrar *registrar, enum ipc_role role);
void registrar_peer_went(struct registrar *registrar, enum ipc_role role, uint32_t number);

/* --- What the files of the core share ------------------------------------------ */

/* signing.c: between an intent and its certificate. */
MUST_USE enum status signing_send(struct registrar *registrar, struct intent *intent);
MUST_USE enum status signing_take_issued(struct registrar *registrar, const struct ipc_issued *issued, int64_t now_s);

/* certify.c: the supervisor wants a key of the server's own certified.  FAULT: the ledger broke. */
MUST_USE enum status certify_take(struct registrar *registrar, const struct ipc_certify *certify, int64_t now_s);

/* Tell the supervisor, who waits for this intent; not OK: with the text of the last failure. */
MUST_USE enum status certify_answer(struct registrar *registrar, const struct intent *intent, enum status status,
                                    struct span certificate);

/* reconcile.c: the ledger and the signer's journal, compared when a signer comes. */
MUST_USE enum status reconcile_begin(struct registrar *registrar);
MUST_USE enum status reconcile_take_record(struct registrar *registrar, const struct ipc_journal_record *record,
                                           int64_t now_s);
MUST_USE enum status reconcile_end(struct registrar *registrar, int64_t sequence, int64_t now_s);

/* The certificate of an intent has come: ledger, event, and decisions for all who wait; the intent ends.
 *   intent   taken */
MUST_USE enum status signing_complete(struct registrar *registrar, struct intent *intent, int64_t sequence,
                                      struct span der, int64_t now_s);

/* What an event says; texts may be NULL, bytes that are not printable ASCII become '?'. */
struct note {
    const char *kind;
    const char *device;
    struct span serial;
    const char *path;
    const char *transaction;
    const char *address;
};
struct note note_of_intent(const struct intent *intent, const char *kind); /* lent from both */
MUST_USE enum status note_event(struct store *store, int64_t now_s, const struct note *note, const char *format, ...)
    PRINTF_LIKE(4, 5);
