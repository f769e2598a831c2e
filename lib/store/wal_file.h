/* SPDX-License-Identifier: Apache-2.0
 *
 * A file layer under SQLite that gathers what is written to the write-ahead log.
 *
 * SQLite writes each page of a commit with two calls, 24 bytes and 4096, one behind the other.  This
 * layer keeps such a run in memory and writes it in one piece when it is synced, read, or too long:
 * it halves what the kernel does for a commit.  Nothing else changes: what is synced is on the disk,
 * and only what is synced counts, so a crash in between loses what a crash before would have lost.
 * All other files go to the usual layer directly.  Internal to lib/store.
 * Source: https://sqlite.org/vfs.html, https://sqlite.org/c3ref/io_methods.html
 */
#pragma once

#include "lib/base/span.h"

/* The layer's name, for sqlite3_open_v2(); registered at the first call.  FAULT  SQLite refuses it */
MUST_USE enum status wal_file_layer(const char **name);
