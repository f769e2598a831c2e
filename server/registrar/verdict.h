/* SPDX-License-Identifier: Apache-2.0
 *
 * What was decided about one request, for the client, for the operator, and for what comes next.
 */
#pragma once

#include "server/registrar/intent.h"

#define CLIENT_TEXT_BYTES 256
#define REASON_BYTES 1024

enum verdict_kind {
    VERDICT_REFUSE, /* the client gets `status`, `fail_info` and `text` */
    VERDICT_ISSUE,  /* `intent` is recorded; the signer shall sign it */
    VERDICT_WAIT,   /* the same request is under way as `enrolment` */
    VERDICT_PENDING, /* `enrolment` waits for an operator */
    VERDICT_ANSWER, /* the same request was answered before: with `certificate` */
};

struct verdict {
    enum verdict_kind kind;
    enum status status;
    uint8_t fail_info;
    unsigned retry_after_s; /* of REFUSE, not 0: only for so long, and no CertRep says it but HTTP 429 */
    bool unrecorded;        /* of REFUSE: one of a burst that is an event already */
    char text[CLIENT_TEXT_BYTES];  /* tells nothing that helps an attacker */
    char reason[REASON_BYTES];     /* for the operator */
    char device[STORE_NAME_BYTES]; /* "" while it is unknown */
    int64_t enrolment;
    bool recorded;    /* of PENDING: just now */
    int64_t replaced; /* and so many earlier ones were put aside for it */
    uint8_t serial[CERT_SERIAL_MAX_BYTES]; /* of ANSWER */
    struct buf certificate;                /* DER, of ANSWER */
    struct buf password;                   /* secret: the challengePassword that the answer of a poll needs */
    struct intent *intent;                 /* of ISSUE; whoever puts it into the table takes it out of here */
};

void verdict_clear(struct verdict *verdict);

/* Refuse, with other words for the client than for the operator; returns `kind`. */
enum status refuse(struct verdict *verdict, enum status kind, const char *text, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Refuse, telling both why. */
enum status refuse_openly(struct verdict *verdict, enum status kind, const char *format, ...) PRINTF_LIKE(3, 4);

/* One and the same answer for whatever is wrong with username and password. */
#define TEXT_NOT_ACCEPTED "username or password not accepted"
