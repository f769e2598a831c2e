/* SPDX-License-Identifier: Apache-2.0
 *
 * Who the server is to TLS clients: loaded before the jail, and replaced while it runs by files that the
 * supervisor hands over.  Private to the responder.
 */
#pragma once

#include "lib/config/config.h"
#include "lib/http/http.h"
#include "lib/ipc/ipc.h"

enum identity_part { IDENTITY_CERTIFICATE, IDENTITY_CHAIN, IDENTITY_KEY, IDENTITY_ANCHORS, IDENTITY_PARTS };

struct identities {
    const struct config *config; /* lent */
    struct http_tls *tls;        /* NULL where there is no tls section */
    struct buf parts[IDENTITY_PARTS]; /* of the section that is being handed over */
};

/* Load every section of the configuration.  One that an authority of ours issues may have no certificate yet.
 *   config   lent for their life
 *   out      zeroed; identities_clear() it, also after a failure */
MUST_USE enum status identities_load(const struct config *config, struct identities *out);
void identities_clear(struct identities *identities);

/* A tls_file or ticket_key message (its descriptor is taken).  Files that are not right are told to the log,
 * and what was there before stays.
 * BAD_INPUT  the supervisor broke the protocol */
MUST_USE enum status identities_take(struct identities *identities, const struct ipc_message *message);
