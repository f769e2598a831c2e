/* SPDX-License-Identifier: Apache-2.0
 *
 * Open intents: enrolments that are recorded and not yet answered by the signer, and who waits for
 * them.  The ledger is the truth; this table is what of it is under way, so that an answer of the
 * signer needs no look into the ledger.
 */
#pragma once

#include "lib/ipc/ipc.h"
#include "lib/store/store.h"

#define TRANSACTION_TEXT_BYTES 129
#define ADDRESS_BYTES 65

/* A responder's exchange that gets the decision; or the supervisor, whose certificate it is. */
#define WAITER_SUPERVISOR UINT32_MAX
struct waiter {
    uint32_t responder;
    int64_t exchange;
};

struct intent {
    int64_t id; /* the enrolment's row */
    bool renewal;
    bool sent;  /* to the signer that is connected now */
    uint8_t serial[CERT_SERIAL_MAX_BYTES];
    char device[STORE_NAME_BYTES];
    char username[STORE_USERNAME_BYTES];
    char authority[STORE_WORD_BYTES];
    char template[STORE_WORD_BYTES];
    char path[STORE_WORD_BYTES];
    char transaction[TRANSACTION_TEXT_BYTES];
    char address[ADDRESS_BYTES];
    struct buf subject;
    struct buf san;
    struct buf spki;
    int64_t not_before_s;
    int64_t not_after_s;
    struct waiter *waiters;
    size_t waiters_count;
    struct intent *next; /* of the same slot */
};

#define INTENT_SLOTS 4096

struct intents {
    struct intent *slots[INTENT_SLOTS];
    size_t count;
};

/* A copy of a row that was just written or read. */
MUST_USE enum status intent_new(const struct store_enrolment *row, struct intent **out);
void intent_free(struct intent *intent);
AUTO_FREE(intent_free, struct intent)

void intents_clear(struct intents *intents);
void intents_put(struct intents *intents, struct intent *intent); /* taken */
struct intent *intents_find(const struct intents *intents, int64_t id); /* lent; NULL if there is none */
struct intent *intents_take(struct intents *intents, int64_t id); /* out of the table; NULL if there is none */

MUST_USE enum status intent_add_waiter(struct intent *intent, struct waiter waiter);

/* A responder has gone: nobody waits there any more. */
void intents_forget_responder(struct intents *intents, uint32_t responder);

/* The signer has gone: everything has to be sent again. */
void intents_set_unsent(struct intents *intents);

/* The `issue` message for an intent; spans lent from it. */
struct ipc_message intent_issue_message(const struct intent *intent);
