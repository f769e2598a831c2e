/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/sqlite.h"

#include "lib/base/file.h"
#include "lib/store/wal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static const struct statement_text {
    const char *name;
    const char *sql;
} statements[STATEMENT_COUNT] = {
#define STATEMENT(name, sql) [Q_##name] = { #name, sql },
#include "lib/store/statement.def"
#undef STATEMENT
};

/* --- Opening ------------------------------------------------------------- */

/* Exclusive locking keeps the index of the WAL in our memory, so no third file is needed.  FULL syncs
 * the WAL in every commit: a commit that returned survives a power cut.  A longer WAL (16 MB) writes a page
 * that changes in many commits into the database less often. */
static const char *const pragmas[] = {
    "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",        "PRAGMA temp_store = MEMORY", "PRAGMA cache_size = -65536",
    "PRAGMA secure_delete = ON",       "PRAGMA trusted_schema = OFF",     "PRAGMA wal_autocheckpoint = 4000",
};

#define BUSY_TIMEOUT_MS 1000

void statement_finalize(sqlite3_stmt **q)
{
    sqlite3_finalize(*q);
}

enum status store_fault(struct store *store, const char *doing)
{
    store->broken = true;
    return fail(FAULT, "ledger: %s: %s", doing, sqlite3_errmsg(store->db));
}

enum status store_execute(struct store *store, const char *sql)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return store_fault(store, sql);
    return OK;
}

/* SQLite would make it readable for everybody. */
static enum status make_file(const char *path)
{
    AUTO(fd_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail(FAULT, "%s: %s", path, strerror(errno));
    return OK;
}

static enum status open_database(const char *path, struct store *store)
{
    const char *layer = NULL;

    /* One thread, so no locks.  Fails when the library is in use already, which does no harm. */
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    TRY(wal_file_layer(&layer));
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                        layer) != SQLITE_OK)
        return store_fault(store, "opening it");
    sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    for (size_t i = 0; i < COUNT_OF(pragmas); i++)
        TRY(store_execute(store, pragmas[i]));
    return OK;
}

enum status store_open(const char *path, struct store **out)
{
    AUTO(store_freep) struct store *store = calloc(1, sizeof *store);

    if (!store)
        return fail(FAULT, "ledger: no memory");
    TRY(make_file(path));
    enum status status = open_database(path, store);
    if (status == OK)
        status = schema_make(store);
    if (status == OK)
        status = event_load_newest(store);
    if (status != OK)
        return fail_in(status, "%s", path);
    *out = take(store);
    return OK;
}

void store_free(struct store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close(store->db);
    free(store);
}

/* --- Transactions -------------------------------------------------------- */

enum status store_begin(struct store *store)
{
    struct query q = ask(store, Q_begin);

    TRY(run(&q));
    store->in_transaction = true;
    return OK;
}

enum status store_commit(struct store *store)
{
    if (store->broken)
        return fail_in(FAULT, "ledger: nothing can be committed any more");
    struct query q = ask(store, Q_commit);
    TRY(run(&q));
    store->in_transaction = false;
    return OK;
}

void store_rollback(struct store *store)
{
    if (!store->in_transaction)
        return;
    struct query q = ask(store, Q_rollback);
    const enum status status = run(&q);
    store->in_transaction = false;
    if (status != OK || event_load_newest(store) != OK)
        store->broken = true;
}

/* --- Statements ---------------------------------------------------------- */

struct query ask(struct store *store, enum statement which)
{
    sqlite3_stmt **kept = &store->statements[which];

    if (!*kept && sqlite3_prepare_v3(store->db, statements[which].sql, -1, SQLITE_PREPARE_PERSISTENT, kept, NULL) !=
                      SQLITE_OK)
        store->broken = true;
    return (struct query){ .store = store, .statement = *kept };
}

void query_reset(struct query *q)
{
    sqlite3_reset(q->statement);
}

void bind_number(struct query *q, int64_t value)
{
    sqlite3_bind_int64(q->statement, ++q->bound, value);
}

void bind_number_or_null(struct query *q, int64_t value)
{
    if (value)
        bind_number(q, value);
    else
        sqlite3_bind_null(q->statement, ++q->bound);
}

void bind_bytes_or_null(struct query *q, struct span bytes)
{
    if (bytes.len)
        bind_bytes(q, bytes);
    else
        sqlite3_bind_null(q->statement, ++q->bound);
}

/* A null pointer would bind NULL, and no column of ours takes that for an empty value. */
void bind_bytes(struct query *q, struct span bytes)
{
    sqlite3_bind_blob64(q->statement, ++q->bound, bytes.len ? (const void *)bytes.ptr : "", bytes.len,
                        SQLITE_STATIC);
}

void bind_text(struct query *q, struct span text)
{
    sqlite3_bind_text64(q->statement, ++q->bound, text.len ? (const char *)text.ptr : "", text.len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

static const char *query_name(const struct query *q)
{
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        if (q->statement && q->store->statements[i] == q->statement)
            return statements[i].name;
    return "preparing a statement";
}

enum status next(struct query *q, bool *row)
{
    const int result = q->statement ? sqlite3_step(q->statement) : SQLITE_ERROR;

    *row = result == SQLITE_ROW;
    if (*row || result == SQLITE_DONE)
        return OK;
    return store_fault(q->store, query_name(q));
}

enum status run(struct query *q)
{
    const int result = q->statement ? sqlite3_step(q->statement) : SQLITE_ERROR;

    if (q->statement)
        sqlite3_reset(q->statement);
    if (result == SQLITE_DONE)
        return OK;
    /* Without a transaction around it the engine has undone the statement, and nothing else. */
    if (result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY)
        return fail(REFUSED, "ledger: %s: exists already", query_name(q));
    return store_fault(q->store, query_name(q));
}

struct span column_bytes(const struct query *q, int column)
{
    const void *at = sqlite3_column_blob(q->statement, column);

    return span_of(at, at ? (size_t)sqlite3_column_bytes(q->statement, column) : 0);
}

int64_t column_number(const struct query *q, int column)
{
    return sqlite3_column_int64(q->statement, column);
}

/* --- Totals and small facts ------------------------------------------------ */

static enum status read_numbers(struct query *q, int64_t *const *out, size_t count)
{
    bool row = false;

    TRY(next(q, &row));
    for (size_t i = 0; row && i < count; i++)
        *out[i] = column_number(q, (int)i);
    return OK;
}

enum status store_journal_sequence(struct store *store, int64_t *out)
{
    AUTO(query_reset) struct query q = ask(store, Q_journal_sequence);

    return read_numbers(&q, (int64_t *const[]){ out }, 1);
}

enum status store_get_totals(struct store *store, int64_t now_s, struct store_totals *out)
{
    AUTO(query_reset) struct query devices = ask(store, Q_count_devices);
    AUTO(query_reset) struct query open = ask(store, Q_count_open);
    AUTO(query_reset) struct query pending = ask(store, Q_count_pending);
    AUTO(query_reset) struct query certificates = ask(store, Q_count_certificates);

    *out = (struct store_totals){ .events = store->event_id };
    TRY(read_numbers(&devices, (int64_t *const[]){ &out->devices }, 1));
    TRY(read_numbers(&open, (int64_t *const[]){ &out->open_intents }, 1));
    bind_number(&pending, now_s);
    TRY(read_numbers(&pending, (int64_t *const[]){ &out->pending }, 1));
    bind_number(&certificates, now_s);
    TRY(read_numbers(&certificates, (int64_t *const[]){ &out->certificates, &out->revoked, &out->expired }, 3));
    return store_journal_sequence(store, &out->journal_sequence);
}

enum status store_meta_get(struct store *store, const char *name, struct buf *value)
{
    AUTO(query_reset) struct query q = ask(store, Q_meta_get);
    bool row = false;

    bind_text(&q, span_of_text(name));
    TRY(next(&q, &row));
    return buf_set(value, row ? column_bytes(&q, 0) : span_of(NULL, 0));
}

enum status store_meta_put(struct store *store, const char *name, struct span value)
{
    struct query q = ask(store, Q_meta_put);

    bind_text(&q, span_of_text(name));
    bind_bytes(&q, value);
    return run(&q);
}
