/* SPDX-License-Identifier: Apache-2.0
 *
 * SCEP requests made beforehand, each with a key, a user and a transaction of its own, and the proof
 * of the replies afterwards; so that the client's share of the cryptography does not disturb the measurement.
 */
#pragma once

#include "bench/fleet.h"
#include "bench/keys.h"
#include "bench/web.h"
#include "lib/scep/scep.h"

/* Whom the requests are for: what GetCACert told. */
struct requests_server {
    struct web_target target;
    struct cert_list certs;      /* all of them, RA encryption first (RFC 8894 s4.2.1.2 leaves the order open) */
    struct cert *encryption;     /* lent from certs: the recipient */
    struct cert *ca;             /* lent from certs: the one that issues */
};
MUST_USE enum status requests_server_init(const char *url, struct requests_server *out);
void requests_server_clear(struct requests_server *server);

struct request_slot;

struct requests {
    const struct requests_server *server;
    const struct fleet *fleet;
    struct key_pool keys;
    struct request_slot *slots; /* shared memory */
    size_t count;
};

/* Make one request for each device of the fleet, on all cores; both lent. */
MUST_USE enum status requests_init(const struct requests_server *server, const struct fleet *fleet,
                                   struct requests *out);
void requests_clear(struct requests *requests);

/* The whole HTTP request, lent. */
struct span requests_get_http(const struct requests *requests, size_t index);

/* Is this a CertRep with pkiStatus SUCCESS for request `index`?  Without cryptography.
 * BAD_INPUT, BAD_PROOF (other transaction), REFUSED with failInfo and its text. */
MUST_USE enum status requests_check_reply(const struct requests *requests, size_t index, struct span reply);

/* The same with the whole proof: signature, nonce, decryption, and that the certificate is for this key.
 *   serial   the new certificate's, hexadecimal */
#define REQUESTS_SERIAL_TEXT_BYTES (2 * CERT_SERIAL_MAX_BYTES + 1)
MUST_USE enum status requests_open_reply(const struct requests *requests, size_t index, struct span reply,
                                         char serial[REQUESTS_SERIAL_TEXT_BYTES]);
