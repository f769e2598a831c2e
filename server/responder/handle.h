/* SPDX-License-Identifier: Apache-2.0
 *
 * The responder's heart, without its event loop: requests come in, questions go to the registrar,
 * decisions come back, answers go out.  Private to the responder.
 */
#pragma once

#include "lib/http/http.h"
#include "lib/ipc/ipc.h"
#include "lib/rate/rate.h"
#include "server/responder/distribute.h"
#include "server/responder/endpoint.h"
#include "server/responder/enrolment.h"

#define RESPONDER_WAIT_MS 30000   /* so long may a decision take */
#define RESPONDER_RETRY_AFTER_S 5 /* and then the client shall come again */

TAILQ_HEAD(enrolments, enrolment);

struct responder {
    const struct config *config;
    struct rates *rates; /* owned; NULL: nothing is limited */
    struct endpoint endpoints[CONFIG_PATHS_MAX];
    size_t endpoints_count;
    struct ca_files ca_files;
    struct ipc_channel registrar; /* fd -1 while there is none */
    struct enrolments waiting;    /* undecided, the oldest first */
    struct enrolment **places;    /* the same, by number modulo places_count */
    size_t places_count;
    int64_t next_number;
};

/* Load everything that the paths need; nothing is opened later.
 *   config   lent for the responder's life */
MUST_USE enum status responder_new(const struct config *config, struct responder **out);
void responder_free(struct responder *responder);
AUTO_FREE(responder_free, struct responder)

/* Keep a record of what the HTTP server refused before there was a request. */
void responder_note_refused(struct responder *responder, int http_status, const char *why, const char *address,
                            const char *user_agent);

/* Answer a request, now or when the registrar has decided. */
void responder_handle(struct responder *responder, struct http_exchange *exchange);

/* A registrar is there (fd taken): what is undecided is asked again. */
MUST_USE enum status responder_connect(struct responder *responder, int fd, uint32_t number);

/* It has gone: keep what is undecided for the next one. */
void responder_disconnect(struct responder *responder);

/* Take what the registrar has sent.
 * FAULT      it has gone (then responder_disconnect() was done)
 * BAD_INPUT  it broke the protocol: end the process */
MUST_USE enum status responder_listen(struct responder *responder);

/* Tell those who have waited too long to come again. */
void responder_expire(struct responder *responder, int64_t now_ms);
