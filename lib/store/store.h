/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger: devices, their passwords, what was asked, what was issued, and what happened.
 *
 * One interface; SQLite stands behind it now, another engine may later.  SQL stands nowhere but in
 * statement.def and schema.c.  It decides nothing: who may enrol is the registrar's business.
 *
 * Everything happens inside store_begin() .. store_commit(); what store_commit() returned OK for
 * has reached the disk.  A FAULT from the engine breaks the store: from then on nothing can be
 * committed, so that half of a thing never becomes durable; the owner ends and starts again.
 * Rows are handed to a callback with their spans lent until it returns; the callback may read and
 * write other things, but not run the same listing again.
 */
#pragma once

#include "lib/pki/pki.h"

#define STORE_NAME_BYTES 65      /* a device's name with its NUL */
#define STORE_USERNAME_BYTES 257
#define STORE_WORD_BYTES 65      /* names of templates, paths, authorities */
#define STORE_VERIFIER_BYTES 32
#define STORE_SALT_BYTES 16

struct store;

/* Open the ledger, or make a new one, and lock it: one process at a time.
 *
 *   path   lent   file; beside it the engine keeps PATH-wal
 *   out    given  store_free() it; untouched unless OK
 *
 * A ledger of an earlier schema version is brought up to date.
 * FAULT  cannot be opened, is locked, damaged, or of a later schema version */
MUST_USE enum status store_open(const char *path, struct store **out);
void store_free(struct store *store); /* what was not committed is lost */
AUTO_FREE(store_free, struct store)

/* Open a transaction; only one at a time.  FAULT: the engine refuses, or one is open already. */
MUST_USE enum status store_begin(struct store *store);

/* Make everything since store_begin() durable: with OK it is on the disk.
 * FAULT  the disk or the engine failed now, or something in this store did before */
MUST_USE enum status store_commit(struct store *store);

/* Forget everything since store_begin(); nothing where no transaction is open. */
void store_rollback(struct store *store);

/* --- Devices and their passwords ---------------------------------------- */

enum device_state { DEVICE_ACTIVE = 1, DEVICE_REMOVED = 2 };

enum credential_kind {
    CREDENTIAL_GENERATED = 1, /* 128 random bits, kept as a keyed hash */
    CREDENTIAL_CHOSEN = 2,    /* a person's choice, kept by scrypt */
};

enum enrolment_state {
    ENROLMENT_NONE = 0,
    ENROLMENT_OPEN = 1,   /* the intent: recorded, not yet signed as far as we know */
    ENROLMENT_ISSUED = 2,
    ENROLMENT_FAILED = 3, /* the signer refused it */
    ENROLMENT_PENDING = 4,  /* an operator has to decide; the signer does not know of it */
    ENROLMENT_REJECTED = 5, /* he said no, or a later request took its place */
};

/* A password as it is kept.  That it is reserved or burned is not a field of its own: it names the
 * enrolment that it authenticated, and that enrolment's state says which. */
struct store_credential {
    enum credential_kind kind; /* 0: the device has none */
    uint8_t verifier[STORE_VERIFIER_BYTES];
    uint8_t salt[STORE_SALT_BYTES]; /* of CHOSEN */
    int64_t made_s;
    int64_t expires_s;
    int64_t wrong_tries;
    bool lasting;                         /* good for more than one certificate: issuance does not burn it */
    int64_t enrolment;                    /* 0: not used yet; of a lasting one the newest */
    enum enrolment_state enrolment_state; /* of that one */
};

struct store_device {
    int64_t id; /* 0: there is no such device */
    char name[STORE_NAME_BYTES];
    char username[STORE_USERNAME_BYTES];
    char template[STORE_WORD_BYTES];
    char path[STORE_WORD_BYTES];
    enum device_state state;
    int64_t added_s;
    struct store_credential credential;
    int64_t certificates_count; /* store_device_find_name() and listings only */
};

/* Add a device, or one that was removed again.
 * REFUSED  the name or the username is taken; the text says by whom */
MUST_USE enum status store_device_add(struct store *store, struct store_device *device);

/* OK with out->id 0 where there is none. */
MUST_USE enum status store_device_find_name(struct store *store, struct span name, struct store_device *out);
MUST_USE enum status store_device_find_username(struct store *store, struct span username,
                                                struct store_device *out);
MUST_USE enum status store_device_find(struct store *store, int64_t id, struct store_device *out);

/* No more enrolments; the password goes. */
MUST_USE enum status store_device_remove(struct store *store, int64_t id);

typedef enum status store_each_device(void *context, const struct store_device *device);

/* At most `limit` devices in the order of their names, after `after`.
 *   template   lent   "": all */
MUST_USE enum status store_device_page(struct store *store, const char *after, const char *template,
                                       unsigned limit, store_each_device *each, void *context);

/* Put a new password in place of whatever there was: fresh, unused, no wrong tries. */
MUST_USE enum status store_credential_put(struct store *store, int64_t device,
                                          const struct store_credential *credential);
MUST_USE enum status store_credential_count_wrong(struct store *store, int64_t device);
MUST_USE enum status store_credential_unlock(struct store *store, int64_t device); /* no wrong tries any more */

/* The password authenticated this enrolment, and, unless it is a lasting one, no other from now on. */
MUST_USE enum status store_credential_reserve(struct store *store, int64_t device, int64_t enrolment);

/* --- Authorities ----------------------------------------------------------- */

/* The row of the authority of that name; made or brought up to date.
 *   der   its certificate; empty leaves what is there */
MUST_USE enum status store_authority_put(struct store *store, const char *name, struct span der, int64_t *id);

/* --- Enrolments and certificates -------------------------------------------- */

/* An enrolment: everything that `issue` needs, so that it can be sent again after a crash. */
struct store_enrolment {
    int64_t id;
    enum enrolment_state state;
    int64_t device;    /* 0: none, of the server's own TLS certificates; or unknown, found in the signer's journal */
    int64_t authority; /* row of it */
    int64_t proof;     /* the certificate that it renews; 0: a password did */
    struct span serial;
    struct span key_hash;         /* SHA-256 of the SubjectPublicKeyInfo */
    struct span transaction_hash; /* SHA-256 of path and transaction */
    struct span subject, san, spki;
    int64_t asked_s, not_before_s, not_after_s;
    struct span template, path;
    struct span transaction; /* as text, for events */
    struct span address;
    /* Filled when read: */
    struct span device_name, username, authority_name;
    int64_t expires_s; /* of one that waits or waited for an operator; 0: it never did */
    int64_t decided_s; /* 0: not yet */
    struct span decided_by, reason;
};

typedef enum status store_each_enrolment(void *context, const struct store_enrolment *enrolment);

/* Record an intent; with `state` PENDING one that waits, for which store_approval_add() follows.  `id` and what
 * is filled when read are not looked at.
 * REFUSED  the serial number exists already */
MUST_USE enum status store_enrolment_add(struct store *store, const struct store_enrolment *enrolment, int64_t *id);

/* The newest enrolment, not failed, of this key and transaction. */
struct store_repeat {
    int64_t id; /* 0: there is none */
    enum enrolment_state state;
    int64_t device;
    int64_t proof;
};
MUST_USE enum status store_enrolment_find_repeat(struct store *store, struct span key_hash,
                                                 struct span transaction_hash, struct store_repeat *out);

/* Whose key is this?
 *   known    it stands in an enrolment that has not failed
 *   device   its device; 0 for an orphan's */
MUST_USE enum status store_key_find_owner(struct store *store, struct span key_hash, bool *known, int64_t *device);

/* Every open intent, oldest first. */
MUST_USE enum status store_enrolment_each_open(struct store *store, store_each_enrolment *each, void *context);

/* The enrolment with this serial number, whatever became of it.
 *   id, state  0 and ENROLMENT_NONE where there is none */
MUST_USE enum status store_enrolment_find_serial(struct store *store, struct span serial, int64_t *id,
                                                 enum enrolment_state *state);

/* `each` runs once, or not at all where there is none. */
MUST_USE enum status store_enrolment_find(struct store *store, int64_t id, store_each_enrolment *each, void *context);

/* At most `limit` enrolments after row `after`, oldest first; all, or those that are PENDING. */
MUST_USE enum status store_enrolment_page(struct store *store, int64_t after, bool pending_only, unsigned limit,
                                          store_each_enrolment *each, void *context);

/* --- What waits for an operator */

struct store_approval {
    int64_t enrolment;
    struct span transaction_hash; /* as the enrolment's */
    struct span signer_hash;      /* SHA-256 of the SubjectPublicKeyInfo that signed the message */
    int64_t expires_s;
    struct span sealed; /* the challengePassword where the answer will need it; empty where not */
    bool by_password;   /* a password of the device authenticated the request: a rejection burns it */
};
MUST_USE enum status store_approval_add(struct store *store, const struct store_approval *approval);

/* The newest enrolment that waits, or waited, under this transaction and signer.  OK with *id 0: there is none. */
MUST_USE enum status store_approval_find(struct store *store, struct span transaction_hash, struct span signer_hash,
                                         int64_t *id);

/* All that are PENDING of a device become REJECTED, for this reason, by nobody; a lasting password that they came
 * with is free again. */
MUST_USE enum status store_approval_replace(struct store *store, int64_t device, int64_t when_s, struct span reason,
                                            int64_t *count);

/* A PENDING one is OPEN from now on, with these dates. */
struct store_decision {
    int64_t enrolment;
    int64_t when_s;
    struct span by;
    struct span reason;                  /* of a rejection */
    int64_t not_before_s, not_after_s; /* of an approval */
    int64_t expires_s;                 /* of an approval: until when the answer can be fetched, at least */
};
MUST_USE enum status store_approval_approve(struct store *store, const struct store_decision *decision);
/* The password that the request came with is burned, unless another has been issued since. */
MUST_USE enum status store_approval_reject(struct store *store, const struct store_decision *decision);

/* What was kept sealed of an enrolment, replacing `out`; empty where nothing is, or no longer. */
MUST_USE enum status store_approval_get_sealed(struct store *store, int64_t enrolment, struct buf *out);

/* It is not needed any more: of this one (rejections, failures and replacements do that by themselves), or of all
 * that have expired. */
MUST_USE enum status store_approval_wipe(struct store *store, int64_t enrolment);
MUST_USE enum status store_approval_wipe_expired(struct store *store, int64_t now_s);

/* The signer refused it: neither store_enrolment_find_repeat() nor store_key_find_owner() sees it any more. */
MUST_USE enum status store_enrolment_fail(struct store *store, int64_t id);

/* A certificate exists: its row, and its enrolment is issued.  The row has the enrolment's number. */
MUST_USE enum status store_enrolment_complete(struct store *store, int64_t id, int64_t journal_sequence,
                                              int64_t not_after_s, struct span der);

struct store_certificate {
    int64_t id; /* also its enrolment's; 0: there is none */
    int64_t device;
    struct span serial, device_name, authority_name, template, subject, san, der;
    int64_t not_before_s, not_after_s;
    int64_t revoked_s; /* 0: it is not */
    int64_t reason;    /* RFC 5280 s5.3.1 */
    int64_t asked_s;   /* when its enrolment was */
};

typedef enum status store_each_certificate(void *context, const struct store_certificate *certificate);

/* `each` runs once, or not at all where there is none. */
MUST_USE enum status store_certificate_find_serial(struct store *store, struct span serial,
                                                   store_each_certificate *each, void *context);
MUST_USE enum status store_certificate_find(struct store *store, int64_t id, store_each_certificate *each,
                                            void *context);

/* At most `limit` certificates after row `after`, oldest first; of one device, or with 0 of all. */
MUST_USE enum status store_certificate_page(struct store *store, int64_t after, int64_t device, unsigned limit,
                                            store_each_certificate *each, void *context);

/* REFUSED  it is revoked already */
MUST_USE enum status store_certificate_revoke(struct store *store, int64_t id, int64_t when_s, int64_t reason);

/* --- Events -------------------------------------------------------------------- */

#define STORE_EVENT_HASH_BYTES SHA256_BYTES

/* What happened; empty spans where a field does not apply. */
struct store_event {
    int64_t id; /* given by the store: one more than the one before */
    int64_t when_s;
    struct span kind, device, serial, path, transaction, address, text;
};

typedef enum status store_each_event(void *context, const struct store_event *event);

/* Add an event; its hash covers its fields and the hash of the one before. */
MUST_USE enum status store_event_append(struct store *store, const struct store_event *event);
MUST_USE enum status store_event_page(struct store *store, int64_t after, unsigned limit, store_each_event *each,
                                      void *context);
int64_t store_event_newest(const struct store *store); /* 0: none */

/* Walk the whole chain.  BAD_PROOF with the first event that does not fit. */
MUST_USE enum status store_event_verify(struct store *store);

/* --- The rest -------------------------------------------------------------------- */

struct store_totals {
    int64_t devices;      /* not removed */
    int64_t certificates; /* all of them: valid, expired and revoked */
    int64_t revoked;
    int64_t expired;      /* and not revoked */
    int64_t open_intents;
    int64_t pending;      /* wait for an operator, and have not expired */
    int64_t events;
    int64_t journal_sequence; /* the highest that was recorded */
};
MUST_USE enum status store_get_totals(struct store *store, int64_t now_s, struct store_totals *out);

/* The highest journal sequence of any certificate; 0 for none. */
MUST_USE enum status store_journal_sequence(struct store *store, int64_t *out);

/* Small facts about the ledger itself, by name.  Reading an absent one gives an empty value. */
MUST_USE enum status store_meta_get(struct store *store, const char *name, struct buf *value);
MUST_USE enum status store_meta_put(struct store *store, const char *name, struct span value);
