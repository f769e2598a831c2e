/* SPDX-License-Identifier: Apache-2.0
 *
 * Who sends this request?  Either username and password say so, or a certificate of ours that the
 * request was signed with.
 */
#pragma once

#include "lib/ipc/ipc.h"
#include "server/registrar/rules.h"
#include "server/registrar/verdict.h"

/* Somebody who has shown who he is. */
struct applicant {
    struct store_device device;
    int64_t proof; /* the certificate that says so; 0: the password did */
    uint8_t proof_key_hash[SHA256_BYTES]; /* of its SubjectPublicKeyInfo */
    bool proof_is_rsa;                    /* its key can decrypt an answer */
    int64_t proof_not_before_s;
    int64_t proof_not_after_s;
    struct buf proof_subject;
    struct buf proof_san;
};

void applicant_clear(struct applicant *applicant);

/* Authenticate the sender of an `enrol`.
 *
 *   out       zeroed; the device is filled as far as it was found
 *   verdict   filled unless OK
 *
 * OK says who it is, not that he may have what he asks for.
 * REFUSED BAD_INPUT  not shown     FAULT  ledger or libcrypto */
MUST_USE enum status authenticate(struct store *store, const struct rules *rules, const struct ipc_enrol *enrol,
                                  int64_t now_s, struct applicant *out, struct verdict *verdict);
