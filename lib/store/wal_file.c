/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/wal_file.h"

#include <sqlite3.h>

#define LAYER_NAME "muster-wal"
/* SQLite's unix layer takes 0x1ffff bytes at once, and cuts off what is longer. */
#define RUN_MAX_BYTES ((size_t)0x1ffff)

/* The real file lies directly behind it. */
struct wal_file {
    sqlite3_file file; /* first: SQLite knows no more of it */
    struct buf run;    /* what is not written yet */
    sqlite3_int64 at;  /* where it belongs */
};

static sqlite3_vfs *usual; /* SQLite's own layer for this system */

static struct wal_file *wal_of(sqlite3_file *file)
{
    return (struct wal_file *)file;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return (sqlite3_file *)(wal_of(file) + 1);
}

static const sqlite3_io_methods *real_methods(sqlite3_file *file)
{
    return real_of(file)->pMethods;
}

/* A failed write leaves the run as it is; SQLite gives the transaction up, and so does the store. */
static int flush(sqlite3_file *file)
{
    struct wal_file *wal = wal_of(file);

    if (wal->run.len == 0)
        return SQLITE_OK;
    const int result = real_methods(file)->xWrite(real_of(file), wal->run.ptr, (int)wal->run.len, wal->at);
    if (result == SQLITE_OK)
        wal->run.len = 0;
    return result;
}

static int wal_close(sqlite3_file *file)
{
    const int flushed = flush(file);
    const int closed = real_methods(file)->xClose(real_of(file));

    buf_clear(&wal_of(file)->run);
    return flushed != SQLITE_OK ? flushed : closed;
}

static int wal_read(sqlite3_file *file, void *to, int len, sqlite3_int64 at)
{
    const int result = flush(file);

    return result != SQLITE_OK ? result : real_methods(file)->xRead(real_of(file), to, len, at);
}

static int wal_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 at)
{
    struct wal_file *wal = wal_of(file);
    const bool follows = at == wal->at + (sqlite3_int64)wal->run.len;

    if (wal->run.len && (!follows || wal->run.len + (size_t)len > RUN_MAX_BYTES)) {
        const int result = flush(file);
        if (result != SQLITE_OK)
            return result;
    }
    if (wal->run.len == 0)
        wal->at = at;
    return buf_append(&wal->run, span_of(from, (size_t)len)) == OK ? SQLITE_OK : SQLITE_IOERR_NOMEM;
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    const int result = flush(file);

    return result != SQLITE_OK ? result : real_methods(file)->xTruncate(real_of(file), size);
}

static int wal_sync(sqlite3_file *file, int flags)
{
    const int result = flush(file);

    return result != SQLITE_OK ? result : real_methods(file)->xSync(real_of(file), flags);
}

static int wal_size(sqlite3_file *file, sqlite3_int64 *size)
{
    const int result = flush(file);

    return result != SQLITE_OK ? result : real_methods(file)->xFileSize(real_of(file), size);
}

static int wal_lock(sqlite3_file *file, int level)
{
    return real_methods(file)->xLock(real_of(file), level);
}

static int wal_unlock(sqlite3_file *file, int level)
{
    return real_methods(file)->xUnlock(real_of(file), level);
}

static int wal_check_lock(sqlite3_file *file, int *reserved)
{
    return real_methods(file)->xCheckReservedLock(real_of(file), reserved);
}

static int wal_control(sqlite3_file *file, int what, void *argument)
{
    return real_methods(file)->xFileControl(real_of(file), what, argument);
}

static int wal_sector_size(sqlite3_file *file)
{
    return real_methods(file)->xSectorSize(real_of(file));
}

static int wal_characteristics(sqlite3_file *file)
{
    return real_methods(file)->xDeviceCharacteristics(real_of(file));
}

/* Version 1: the shared memory and the mapping of later ones belong to the database's file. */
static const sqlite3_io_methods wal_methods = {
    .iVersion = 1,
    .xClose = wal_close,
    .xRead = wal_read,
    .xWrite = wal_write,
    .xTruncate = wal_truncate,
    .xSync = wal_sync,
    .xFileSize = wal_size,
    .xLock = wal_lock,
    .xUnlock = wal_unlock,
    .xCheckReservedLock = wal_check_lock,
    .xFileControl = wal_control,
    .xSectorSize = wal_sector_size,
    .xDeviceCharacteristics = wal_characteristics,
};

static int layer_open(sqlite3_vfs *layer, sqlite3_filename name, sqlite3_file *file, int flags, int *given)
{
    (void)layer;
    if (!(flags & SQLITE_OPEN_WAL))
        return usual->xOpen(usual, name, file, flags, given);
    *wal_of(file) = (struct wal_file){ 0 };
    const int result = usual->xOpen(usual, name, real_of(file), flags, given);
    /* SQLite closes what has methods, also after a failure. */
    file->pMethods = real_methods(file) ? &wal_methods : NULL;
    return result;
}

enum status wal_file_layer(const char **name)
{
    static sqlite3_vfs layer;

    if (!usual) {
        sqlite3_vfs *found = sqlite3_vfs_find(NULL);
        if (!found)
            return fail(FAULT, "SQLite has no file layer");
        layer = *found;
        layer.zName = LAYER_NAME;
        layer.szOsFile = (int)sizeof(struct wal_file) + found->szOsFile;
        layer.xOpen = layer_open;
        if (sqlite3_vfs_register(&layer, 0) != SQLITE_OK)
            return fail(FAULT, "SQLite refuses the file layer " LAYER_NAME);
        usual = found;
    }
    *name = LAYER_NAME;
    return OK;
}
