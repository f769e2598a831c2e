/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this folder share: the SQLite behind store.h.  Nobody else includes it.
 */
#pragma once

#include "lib/store/store.h"

#include <sqlite3.h>

enum statement {
#define STATEMENT(name, sql) Q_##name,
#include "lib/store/statement.def"
#undef STATEMENT
    STATEMENT_COUNT
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_COUNT]; /* prepared at first use */
    bool broken;      /* the engine failed: nothing more is committed */
    bool in_transaction;
    int64_t event_id; /* the newest event, and its hash */
    uint8_t event_hash[STORE_EVENT_HASH_BYTES];
};

void statement_finalize(sqlite3_stmt **q);

/* FAULT with the engine's words; breaks the store. */
enum status store_fault(struct store *store, const char *doing);

/* Run a text without parameters or rows. */
MUST_USE enum status store_execute(struct store *store, const char *sql);

MUST_USE enum status schema_make(struct store *store);

/* Find the end of the chain of events, as it stands on disk. */
MUST_USE enum status event_load_newest(struct store *store);

/* A statement on its way: ask(), then bind_...() in the order of the parameters, then run() or next(). */
struct query {
    struct store *store;
    sqlite3_stmt *statement; /* NULL when it could not be prepared: then run() and next() fail */
    int bound;
};

struct query ask(struct store *store, enum statement which);
void query_reset(struct query *q); /* with AUTO, for those that are read with next() */

/* Bytes and texts are lent until the query has run. */
void bind_number(struct query *q, int64_t value);
void bind_number_or_null(struct query *q, int64_t value); /* 0 is NULL: a reference to nothing */
void bind_bytes(struct query *q, struct span bytes);
void bind_bytes_or_null(struct query *q, struct span bytes); /* empty is NULL */
void bind_text(struct query *q, struct span text);

/* Run one that gives no rows.  REFUSED: something unique is there already.  FAULT: the store broke. */
MUST_USE enum status run(struct query *q);

/* The next row.  OK with *row false at the end. */
MUST_USE enum status next(struct query *q, bool *row);

struct span column_bytes(const struct query *q, int column); /* lent until the next step */
int64_t column_number(const struct query *q, int column);    /* NULL gives 0 */
