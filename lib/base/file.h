/* SPDX-License-Identifier: Apache-2.0
 *
 * Files read and written whole, durably: what these functions return OK for
 * has reached the disk.
 */
#pragma once

#include "lib/base/span.h"

#include <sys/types.h>
#include <unistd.h>

/* Append a whole file to `out`.
 * FAULT  cannot be opened or read     BAD_INPUT  longer than `limit_bytes` */
MUST_USE enum status file_read(const char *path, size_t limit_bytes, struct buf *out);

/* The same from an open directory. */
MUST_USE enum status file_read_at(int directory, const char *name, size_t limit_bytes, struct buf *out);

/* The same from an open descriptor, from where it stands; `name` is for error texts. */
MUST_USE enum status file_read_fd(int fd, const char *name, size_t limit_bytes, struct buf *out);

/* Make a new file (it must not exist yet), write it, sync it and its directory. */
MUST_USE enum status file_create(const char *path, struct span content, mode_t mode);

/* Put new content in place of a file, or make it: temporary file, sync, rename, sync directory. */
MUST_USE enum status file_replace(const char *path, struct span content, mode_t mode);

/* mkdir that is content with an existing directory. */
MUST_USE enum status file_make_directory(const char *path, mode_t mode);

/* write(2) until all is written, EINTR included. */
MUST_USE enum status file_write_all(int fd, struct span content);

/* fsync the directory that holds `path`. */
MUST_USE enum status file_sync_parent(const char *path);

static inline void fd_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
