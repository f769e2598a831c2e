/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/sqlite.h"

#include <stdio.h>

#define SCHEMA_VERSION 5

/* Random values (serials, hashes) are never a table's key: rows are appended, and only the unique
 * indexes over them are touched at random places.  Every tree that an enrolment touches costs one
 * page in each commit, so an index has to be worth it. */
static const char *const first[] = {
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",

    "CREATE TABLE device ("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, username TEXT NOT NULL UNIQUE,"
    " template TEXT NOT NULL, path TEXT NOT NULL, state INTEGER NOT NULL, added_s INTEGER NOT NULL)",

    "CREATE TABLE authority ("
    " id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, der BLOB NOT NULL)",

    /* proof_id: the certificate that a renewal was signed with. */
    "CREATE TABLE enrolment ("
    " id INTEGER PRIMARY KEY, device_id INTEGER REFERENCES device(id),"
    " authority_id INTEGER NOT NULL REFERENCES authority(id), proof_id INTEGER REFERENCES certificate(id),"
    " state INTEGER NOT NULL, serial BLOB NOT NULL UNIQUE, key_hash BLOB NOT NULL,"
    " transaction_hash BLOB NOT NULL, asked_s INTEGER NOT NULL, not_before_s INTEGER NOT NULL,"
    " not_after_s INTEGER NOT NULL, template TEXT NOT NULL, path TEXT NOT NULL, transaction_text TEXT NOT NULL,"
    " address TEXT NOT NULL, subject BLOB NOT NULL, san BLOB NOT NULL, spki BLOB NOT NULL)",
    "CREATE INDEX enrolment_key ON enrolment (key_hash, transaction_hash)",
    "CREATE INDEX enrolment_device ON enrolment (device_id)",
    "CREATE INDEX enrolment_open ON enrolment (id) WHERE state = 1",

    /* enrolment_id: whom it let in; that enrolment's state makes it reserved or burned. */
    "CREATE TABLE credential ("
    " device_id INTEGER PRIMARY KEY REFERENCES device(id), kind INTEGER NOT NULL, verifier BLOB NOT NULL,"
    " salt BLOB NOT NULL, made_s INTEGER NOT NULL, expires_s INTEGER NOT NULL,"
    " wrong_tries INTEGER NOT NULL, enrolment_id INTEGER REFERENCES enrolment(id))",

    "CREATE TABLE certificate ("
    " id INTEGER PRIMARY KEY REFERENCES enrolment(id), journal_sequence INTEGER NOT NULL,"
    " not_after_s INTEGER NOT NULL, revoked_s INTEGER, reason INTEGER, der BLOB NOT NULL)",
    /* Serves the highest sequence, and the totals without reading a certificate. */
    "CREATE INDEX certificate_sequence ON certificate (journal_sequence, not_after_s, revoked_s)",

    /* What a device was handed, and how; filled when profiles are delivered by more than a file. */
    "CREATE TABLE profile ("
    " id INTEGER PRIMARY KEY, device_id INTEGER NOT NULL REFERENCES device(id), handed_s INTEGER NOT NULL,"
    " channel TEXT NOT NULL)",

    "CREATE TABLE event ("
    " id INTEGER PRIMARY KEY, when_s INTEGER NOT NULL, kind TEXT NOT NULL, device TEXT NOT NULL,"
    " serial BLOB NOT NULL, path TEXT NOT NULL, transaction_text TEXT NOT NULL, address TEXT NOT NULL,"
    " text TEXT NOT NULL, hash BLOB NOT NULL)",

    "CREATE TABLE crl ("
    " id INTEGER PRIMARY KEY, authority_id INTEGER NOT NULL REFERENCES authority(id), number INTEGER NOT NULL,"
    " this_update_s INTEGER NOT NULL, next_update_s INTEGER NOT NULL, der BLOB NOT NULL,"
    " UNIQUE (authority_id, number))",
};

/* Version 2: requests that wait for an operator's decision.  A table of its own, so that an enrolment
 * that nobody has to approve touches nothing more than before. */
static const char *const second[] = {
    /* signer_hash: of the key that signed the message, which has to sign the polls too.
     * decided_s is NULL until somebody has decided; decided_by says who. */
    "CREATE TABLE approval ("
    " id INTEGER PRIMARY KEY REFERENCES enrolment(id), transaction_hash BLOB NOT NULL, signer_hash BLOB NOT NULL,"
    " expires_s INTEGER NOT NULL, decided_s INTEGER, decided_by TEXT NOT NULL, reason TEXT NOT NULL)",
    "CREATE INDEX approval_poll ON approval (transaction_hash, signer_hash)",
    "CREATE INDEX enrolment_pending ON enrolment (id) WHERE state = 4",
};

/* Version 3: passwords that are good for more than one certificate. */
static const char *const third[] = {
    "ALTER TABLE credential ADD COLUMN lasting INTEGER NOT NULL DEFAULT 0",
};

/* Version 4: sealed: the challengePassword of a request whose answer has to be encrypted with it, or NULL. */
static const char *const fourth[] = {
    "ALTER TABLE approval ADD COLUMN sealed BLOB",
    "CREATE INDEX approval_sealed ON approval (expires_s) WHERE sealed IS NOT NULL",
};

/* Version 5: whether a password of the device was what authenticated a request that waits. */
static const char *const fifth[] = {
    "ALTER TABLE approval ADD COLUMN by_password INTEGER NOT NULL DEFAULT 0",
    "UPDATE approval SET by_password = (SELECT proof_id IS NULL FROM enrolment e WHERE e.id = approval.id)",
};

/* How to come from each version to the next. */
static const struct {
    const char *const *statements;
    size_t count;
} steps[SCHEMA_VERSION] = {
    { first, COUNT_OF(first) },
    { second, COUNT_OF(second) },
    { third, COUNT_OF(third) },
    { fourth, COUNT_OF(fourth) },
    { fifth, COUNT_OF(fifth) },
};

static enum status read_version(struct store *store, int *version)
{
    AUTO(statement_finalize) sqlite3_stmt *q = NULL;

    if (sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &q, NULL) != SQLITE_OK ||
        sqlite3_step(q) != SQLITE_ROW)
        return store_fault(store, "reading the schema's version");
    *version = sqlite3_column_int(q, 0);
    return OK;
}

static enum status climb(struct store *store, int from)
{
    char text[64];

    TRY(store_execute(store, "BEGIN IMMEDIATE"));
    for (int version = from; version < SCHEMA_VERSION; version++)
        for (size_t i = 0; i < steps[version].count; i++)
            TRY(store_execute(store, steps[version].statements[i]));
    snprintf(text, sizeof text, "PRAGMA user_version = %d", SCHEMA_VERSION);
    TRY(store_execute(store, text));
    return store_execute(store, "COMMIT");
}

enum status schema_make(struct store *store)
{
    int version = 0;

    TRY(read_version(store, &version));
    if (version == SCHEMA_VERSION)
        return OK;
    if (version < 0 || version > SCHEMA_VERSION)
        return fail(FAULT, "the ledger has schema version %d and this program knows %d; use the program that wrote it",
                    version, SCHEMA_VERSION);
    return climb(store, version);
}
