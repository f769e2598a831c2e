/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests: a configuration with a PKI of two levels in a temporary directory, a client, a
 * registrar at the other end of a socket pair, and exchanges without HTTP.
 */
#pragma once

#include "server/responder/handle.h"

struct party {
    struct private_key *key;
    struct cert *cert;
    struct buf der;
};

struct world {
    char directory[64];
    struct config *config;
    struct party root;
    struct party issuing;
    struct party ra; /* encryption */
    struct party ra_signing;
    struct party client;   /* self-signed */
    struct party renewing; /* the client's key, certified by the issuing CA */
    struct party expired;  /* the same, and over */
    struct party stranger; /* the client's key, certified by a CA that is not ours */
    struct party other;    /* another self-signed client */
    struct cert_list ca_certs;
};

/* Made once per test program; ends it when that fails. */
struct world *world_get(void);
void world_free(void);

/* What a client wants; zero or NULL takes the usual. */
struct wish {
    enum scep_message_type type; /* PKCSReq */
    const struct party *signer;  /* the client */
    struct private_key *csr_key; /* the client's */
    const char *const *names;    /* alternative names; none */
    size_t names_count;
    const char *challenge;  /* none */
    struct cert *recipient; /* the RA's encryption certificate */
    struct span plain;      /* messageData instead of a CSR */
};

extern const struct wish plain_wish; /* the challengePassword "gw-17:secret" */

#define FIXTURE_TRANSACTION "test-transaction"
#define FIXTURE_NONCE "0123456789abcdef"

void world_message(const struct world *world, const struct wish *wish, struct buf *out);

/* Open a CertRep as the client would; ends the program when it cannot be proved. */
void world_open(const struct world *world, struct span der, struct scep_answer *out);

/* An exchange that keeps its answer. */
struct http_exchange {
    struct http_request request;
    unsigned answers;
    int status;
    char content_type[64];
    unsigned retry_after_s;
    struct buf body;
};

void exchange_init(struct http_exchange *exchange, enum http_method method, const char *path,
                   struct span query, struct span body);
void exchange_clear(struct http_exchange *exchange);

/* A registrar for the responder, which is connected to it. */
void registrar_connect(struct responder *responder, struct ipc_channel *registrar);

/* The next message that came from the responder; false when there is none. */
bool registrar_next(struct ipc_channel *registrar, struct ipc_message *out);

/* Decide, and let the responder hear it. */
void registrar_decide(struct responder *responder, struct ipc_channel *registrar,
                      const struct ipc_decision *decision);

/* --- A desk: what one test has before it --------------------------------- */

/* One test's responder, with a registrar unless it is taken away. */
struct desk {
    struct world *world;
    struct responder *responder;
    struct ipc_channel registrar;
    struct http_exchange exchange;
    struct buf sent; /* the message */
};

/* cmocka's set-up and tear-down. */
int desk_open(void **state);
int desk_close(void **state);

/* Ask, and have the answer in `exchange`. */
void desk_get(struct desk *desk, const char *path, const char *query);
void desk_post(struct desk *desk, const char *path, struct span body);
void desk_post_wish(struct desk *desk, const char *path, const struct wish *wish);

struct ipc_message desk_next_message(struct desk *desk, enum ipc_kind kind);
void assert_span(struct span s, const char *text);
void desk_assert_says(struct desk *desk, const char *part);

/* The exchange was answered by a CertRep FAILURE, and the registrar told of it. */
void desk_assert_refused(struct desk *desk, enum scep_fail_info info, const char *part);

#define AT_DESK(test) cmocka_unit_test_setup_teardown(test, desk_open, desk_close)

/* End the program where a step of the fixture fails. */
void must(enum status status);
