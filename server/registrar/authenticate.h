/* SPDX-License-Identifier: Apache-2.0
 *
 * Who sends this request?  Username and password say so, or a certificate of ours that the request was
 * signed with, or username and the secret of the path: what counts is the path's to say, and nothing else does.
 */
#pragma once

#include "lib/ipc/ipc.h"
#include "server/registrar/rules.h"
#include "server/registrar/verdict.h"

/* Somebody who has shown who he is. */
struct applicant {
    struct store_device device;
    enum authenticator by;
    int64_t proof; /* the certificate that says so; 0: what he knows did */
    uint8_t proof_key_hash[SHA256_BYTES]; /* of its SubjectPublicKeyInfo */
    bool proof_is_rsa;                    /* its key can decrypt an answer */
    int64_t proof_not_before_s;
    int64_t proof_not_after_s;
    struct buf proof_subject;
    struct buf proof_san;
};

void applicant_clear(struct applicant *applicant);

/* What is judged, and by what; everything lent. */
struct question {
    struct store *store;
    const struct rules *rules;
    const struct config_path *path;
    const struct ipc_enrol *enrol;
    int64_t now_s;
};

/* Authenticate the sender of an `enrol` by the first of the path's authenticators that is for such requests.
 *
 *   out       zeroed; the device is filled as far as it was found
 *   verdict   filled unless OK
 *
 * OK says who it is, not that he may have what he asks for.
 * REFUSED BAD_INPUT  not shown, or no authenticator of the path is for it, or too often     FAULT  ledger or libcrypto */
MUST_USE enum status authenticate(const struct question *question, struct applicant *out, struct verdict *verdict);

/* The same by `proof` alone, whatever authenticators the path has: for what is no enrolment. */
MUST_USE enum status authenticate_by_certificate(const struct question *question, struct applicant *out,
                                                 struct verdict *verdict);
