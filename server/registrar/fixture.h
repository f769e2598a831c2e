/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests: a registrar in memory with a ledger in a directory of its own, a CA, and a signer and a
 * responder that are only functions.  Any failure of the fixture itself ends the test.
 */
#pragma once

#include "lib/scep/scep.h"
#include "server/registrar/command.h"

#define FIXTURE_NOW_S INT64_C(1800000000)
#define FIXTURE_JOURNAL_MAX 64
#define FIXTURE_DECISIONS_MAX 256

struct fixture_decision {
    uint32_t responder;
    int64_t exchange;
    enum status status;
    uint8_t fail_info;
    uint32_t retry_after_s;
    char text[CLIENT_TEXT_BYTES];
    struct buf certificate;
    struct buf password;
};

struct fixture_record {
    uint8_t serial[CERT_SERIAL_MAX_BYTES];
    char authority[STORE_WORD_BYTES];
    char template[STORE_WORD_BYTES];
    char device[STORE_NAME_BYTES];
    struct buf certificate;
};

struct fixture {
    char directory[256];
    char ledger[300];
    struct config *config;
    struct store *store;
    struct registrar registrar;
    int64_t now_s;
    struct private_key *ca_key;
    struct cert *ca;
    struct buf to_signer; /* frames, as sent */
    struct fixture_record journal[FIXTURE_JOURNAL_MAX];
    size_t journal_count;
    unsigned issues_count;   /* `issue` messages that the signer got */
    bool signer_refuses;
    bool signer_loses;       /* it writes its journal, and dies before it answers */
    struct fixture_decision decisions[FIXTURE_DECISIONS_MAX];
    size_t decisions_count;
};

/* cmocka's set-up and tear-down; tear-down also verifies the chain of events. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/* The registrar dies and starts again with the same ledger; the signer is not connected then. */
void fixture_restart(struct fixture *f);
void fixture_stop(struct fixture *f);
void fixture_start(struct fixture *f);

/* The signer comes, and works off what there is for it to do. */
void fixture_signer_comes(struct fixture *f);
void fixture_signer_goes(struct fixture *f);
void fixture_signer_works(struct fixture *f);

/* --- Requests ----------------------------------------------------------------------- */

/* One of a few keys that are made once for all tests. */
struct private_key *fixture_key(unsigned number);

struct fixture_request {
    const char *path;           /* default "factory" */
    unsigned message_type;      /* default 19 */
    const char *transaction;    /* default "t1" */
    unsigned key;
    const char *subject;        /* of the CSR; default "" */
    const char *username;
    const char *username_kind;  /* default "dns" */
    const char *password;
    struct span proof;
    uint32_t responder;
    int64_t exchange;
};

/* Send it, commit, and let the signer work if it is there.  The newest decision; NULL if there was none. */
struct fixture_decision *fixture_ask(struct fixture *f, const struct fixture_request *request);

/* The same without the signer's work. */
void fixture_send(struct fixture *f, const struct fixture_request *request);

/* A first request with key 0, and one to renew what was issued to gw-1, by RenewalReq. */
struct fixture_request fixture_first(const char *username, const char *password);
struct fixture_request fixture_renewal(const struct fixture_decision *of, unsigned key);

/* A new device has enrolled; its certificate is in the decision. */
const struct fixture_decision *fixture_enrolled(struct fixture *f, const char *name, unsigned key,
                                                char password[CREDENTIAL_GENERATED_BYTES]);

void fixture_assert_refused(const struct fixture_decision *decision, enum scep_fail_info info, const char *words);
bool fixture_same_certificate(const struct fixture_decision *a, const struct fixture_decision *b);

/* --- Commands -------------------------------------------------------------------------- */

/* Give a command, as JSON with ' in place of ".  The status; *answer (if not NULL) is the object or, of a
 * listing, an array of all rows; json_decref() it. */
enum status fixture_command(struct fixture *f, const char *command, json_t **answer);

/* Add a device of template "device" and issue a password; `password` holds 27 bytes. */
void fixture_add_device(struct fixture *f, const char *name, char password[CREDENTIAL_GENERATED_BYTES]);

/* A lasting password in place of what the device has. */
void fixture_issue_lasting(struct fixture *f, const char *device, char password[CREDENTIAL_GENERATED_BYTES]);

/* Revoke what a decision brought, for keyCompromise. */
void fixture_revoke(struct fixture *f, const struct fixture_decision *decision);

/* The text of the newest event; valid until the next call.  "KIND: TEXT" */
const char *fixture_newest_event(struct fixture *f);
void fixture_assert_event(struct fixture *f, const char *words); /* the newest one says so */
