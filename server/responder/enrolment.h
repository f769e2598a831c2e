/* SPDX-License-Identifier: Apache-2.0
 *
 * One PKIOperation, from the bytes of its message to the question that the registrar decides.
 * Here stands what RFC 8894 lets a responder prove without knowing anybody: shape, signature,
 * envelope, proof of possession, whose certificate signed.  Private to the responder.
 */
#pragma once

#include "lib/ipc/ipc.h"
#include "server/responder/endpoint.h"

#include <sys/queue.h>

#define ENROLMENT_TEXT_BYTES 512 /* of msg.def's decision.text, too */

struct http_exchange;

struct enrolment {
    TAILQ_ENTRY(enrolment) link;
    int64_t number;                  /* ours for it; the decision carries it back */
    int64_t deadline_ms;             /* monotonic; then the client is told to come back */
    struct http_exchange *exchange;  /* to be answered */
    const struct endpoint *endpoint; /* lent */
    struct scep_message *message;
    struct csr *csr;                   /* of PKCSReq and RenewalReq */
    struct buf plain;                  /* messageData of the others */
    struct scep_certificate_id wanted; /* of GetCert; lent from `plain` */
    uint8_t signer_hash[SHA256_BYTES]; /* of CertPoll: the key that signed it */
    struct span username;      /* lent from the request, like those that follow */
    const char *username_kind; /* "" if there is no username */
    struct span password;
    struct span proof;               /* the certificate of ours that signed it, DER; empty if none did */
    enum scep_fail_info fail_info;   /* when it was refused here */
    char told[ENROLMENT_TEXT_BYTES]; /* and the failInfoText for the client */
};

/* FAULT  no memory */
MUST_USE enum status enrolment_new(const struct endpoint *endpoint, struct http_exchange *exchange,
                                   struct enrolment **out);
void enrolment_free(struct enrolment *enrolment); /* wipes */
AUTO_FREE(enrolment_free, struct enrolment)

/* Read the message's shape; what is no pkiMessage cannot be answered by one.
 * BAD_INPUT */
MUST_USE enum status enrolment_read(struct enrolment *enrolment, struct span der);

/* Prove, open and understand a message that was read.
 *
 * OK         the question is complete: enrolment_fill() it
 * BAD_INPUT, BAD_PROOF, REFUSED   fail_info and told are what the client gets; fail_text() is the
 *            operator's, and may say more
 * FAULT      ours: the client may try again */
MUST_USE enum status enrolment_prove(struct enrolment *enrolment);

/* The question to the registrar; spans are lent from the enrolment and its exchange. */
void enrolment_fill(const struct enrolment *enrolment, struct ipc_message *out);

/* What a CertRep says. */
struct enrolment_answer {
    enum scep_pki_status pki_status;
    struct span issued;            /* with SCEP_SUCCESS: the certificate, DER */
    struct span password;          /* of a CertPoll by an EC key: what to encrypt it with */
    enum scep_fail_info fail_info; /* with SCEP_FAILURE */
    const char *text;              /* with SCEP_FAILURE: failInfoText */
};

/* Build the CertRep, signed by the RA; replaces `out`. */
MUST_USE enum status enrolment_reply(const struct enrolment *enrolment, const struct enrolment_answer *answer,
                                     struct buf *out);
