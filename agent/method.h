/* SPDX-License-Identifier: Apache-2.0
 *
 * What an enrolment protocol does for the device: one table of functions each.  The steps of an
 * enrolment know this table and no protocol.
 */
#pragma once

#include "agent/trust.h"
#include "lib/profile/profile.h"

struct method_session; /* a protocol's own */

struct method_request {
    struct span transaction;         /* printable; the same again when the same request is repeated */
    struct span csr;                 /* PKCS#10, DER */
    struct private_key *key;         /* the CSR's */
    struct cert *signer;             /* the certificate to be renewed; NULL for a first enrolment */
    struct private_key *signer_key;  /* its key; NULL for a first enrolment */
    struct trust *trust;
    int64_t now_s;
};

struct method {
    const char *name; /* the profile's Protocol */

    /* Begin to talk to the profile's server; `profile` is lent for as long as the session lasts. */
    enum status (*open)(const struct profile *profile, struct method_session **out);
    void (*close)(struct method_session *session);

    /* Ask what the server can do.  The answer is not authenticated, so it may raise what we use but
     * never lower it; no answer is fine. */
    enum status (*capabilities)(struct method_session *session);

    /* Fetch CA and RA certificates, unproved; appended.  `which` is a CA identifier, NULL for the profile's. */
    enum status (*fetch_ca)(struct method_session *session, const char *which, struct cert_list *out);

    /* Send a request and prove the answer; the certificates that came are appended.
     *
     * PENDING    proved: not yet
     * REFUSED    proved: no, and it stays no
     * BAD_PROOF, BAD_INPUT, FAULT   nothing is proved; the same request may be sent again */
    enum status (*request)(struct method_session *session, const struct method_request *request,
                           struct cert_list *certs);

    /* Ask what became of a request that got PENDING: the same transaction, key and CSR, which may lack the
     * password.  The same statuses. */
    enum status (*poll)(struct method_session *session, const struct method_request *request,
                        struct cert_list *certs);
};

/* By the profile's Protocol; NULL when we do not know it. */
const struct method *method_find(const char *protocol);

extern const struct method method_scep;
