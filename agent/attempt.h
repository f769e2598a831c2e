/* SPDX-License-Identifier: Apache-2.0
 *
 * An enrolment that is under way: the key that was made for it and the transaction it goes by.  It is on
 * disk before the first request is sent, so that after a power cut the same request can be sent again:
 * a new one would need a new one-time password.
 */
#pragma once

#include "agent/vault.h"
#include "lib/pki/pki.h"
#include "lib/profile/profile.h"

#define ATTEMPT_TRANSACTION_BYTES 41

struct attempt {
    struct private_key *key;
    char transaction[ATTEMPT_TRANSACTION_BYTES]; /* "": nothing was sent with this key yet */
    bool pending;                                /* the server has said PENDING to it */
    uint8_t orders[SHA256_BYTES];                /* what the profile asked for, without the password */
};

void attempt_clear(struct attempt *attempt);

/* The part of a profile that makes one certificate another than the next; a new password changes nothing. */
MUST_USE enum status attempt_set_orders(struct attempt *attempt, const struct profile *profile);

/* Load the attempt that was made for the same orders; its key stays NULL when there is none. */
MUST_USE enum status attempt_load(struct attempt *attempt, struct vault *vault);

/* Put it on disk, durably. */
MUST_USE enum status attempt_save(const struct attempt *attempt, struct vault *vault);

/* A fresh transactionID. */
MUST_USE enum status attempt_begin(struct attempt *attempt);

/* It has led to a certificate: forget it. */
MUST_USE enum status attempt_finish(struct vault *vault);
