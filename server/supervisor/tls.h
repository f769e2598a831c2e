/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of the server's TLS identities: sees when one has changed and hands it to the responders, and
 * has those that an authority of ours issues certified anew, with a new key, when two thirds of their life
 * have passed.  Descriptors travel to the responders, so that a key that is given by file is read there alone.
 */
#pragma once

#include "lib/config/config.h"
#include "lib/ipc/ipc.h"

#define TLS_LOOK_MS 2000 /* so often are the files looked at */

struct tls_keeper;

/*   config   lent for its life
 * BAD_INPUT FAULT  a file that is given and is not right: certificate, key of it, anchors */
MUST_USE enum status tls_keeper_new(const struct config *config, struct tls_keeper **out);
void tls_keeper_free(struct tls_keeper *keeper);
AUTO_FREE(tls_keeper_free, struct tls_keeper)

/* Which sections' files have changed since the last look?  A bit for each, by its place. */
uint32_t tls_keeper_look(struct tls_keeper *keeper);

/* Send the files of these sections to a responder.  FAULT: it does not take them. */
MUST_USE enum status tls_keeper_hand_over(const struct tls_keeper *keeper, uint32_t sections, int channel);

/* Time for a new key of session tickets?  Then it has one, which all responders must be sent. */
bool tls_keeper_turn_ticket_key(struct tls_keeper *keeper);

/* The key that session tickets of all responders are sealed under. */
MUST_USE enum status tls_keeper_send_ticket_key(const struct tls_keeper *keeper, struct ipc_channel *channel);

/* The next `certify` that the registrar must be sent, if there is one; then ask again.
 *   out   lent until the next call */
bool tls_keeper_next_request(struct tls_keeper *keeper, int64_t now_s, struct ipc_message *out);

/* Its answer: put the new certificate in place.  What fails is told to the log, and is tried again later. */
void tls_keeper_take(struct tls_keeper *keeper, const struct ipc_certified *certified, int64_t now_s);

/* What it was asked and has not answered must be asked again. */
void tls_keeper_registrar_went(struct tls_keeper *keeper);

/* Has every section a certificate? */
bool tls_keeper_is_complete(const struct tls_keeper *keeper);
