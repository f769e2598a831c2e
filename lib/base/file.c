/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum status file_read_fd(int fd, const char *path, size_t limit_bytes, struct buf *out)
{
    const size_t before = out->len;

    for (;;) {
        uint8_t *to = buf_reserve(out, 4096);
        if (!to)
            return fail(FAULT, "%s: no memory to read it", path);
        const ssize_t n = read(fd, to, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(FAULT, "%s: %s", path, strerror(errno));
        if (n == 0)
            return OK;
        out->len += (size_t)n;
        if (out->len - before > limit_bytes)
            return fail(BAD_INPUT, "%s: longer than %zu bytes", path, limit_bytes);
    }
}

enum status file_read_at(int directory, const char *name, size_t limit_bytes, struct buf *out)
{
    AUTO(fd_closep) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return fail(FAULT, "%s: %s", name, strerror(errno));
    return file_read_fd(fd, name, limit_bytes, out);
}

enum status file_read(const char *path, size_t limit_bytes, struct buf *out)
{
    return file_read_at(AT_FDCWD, path, limit_bytes, out);
}

enum status file_write_all(int fd, struct span content)
{
    while (content.len) {
        const ssize_t n = write(fd, content.ptr, content.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(FAULT, "cannot write: %s", strerror(errno));
        content.ptr += n;
        content.len -= (size_t)n;
    }
    return OK;
}

enum status file_sync_parent(const char *path)
{
    char copy[PATH_MAX];

    if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy)
        return fail(BAD_INPUT, "%s: path too long", path);
    const char *parent = dirname(copy);
    AUTO(fd_closep) int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return fail(FAULT, "%s: cannot sync the directory: %s", parent, strerror(errno));
    return OK;
}

static enum status write_new(const char *path, struct span content, mode_t mode)
{
    AUTO(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

    if (fd < 0)
        return fail(FAULT, "%s: %s", path, strerror(errno));
    enum status status = file_write_all(fd, content);
    if (status != OK)
        return fail_in(status, "%s", path);
    if (fsync(fd) != 0)
        return fail(FAULT, "%s: cannot sync: %s", path, strerror(errno));
    return OK;
}

enum status file_create(const char *path, struct span content, mode_t mode)
{
    TRY(write_new(path, content, mode));
    return file_sync_parent(path);
}

enum status file_replace(const char *path, struct span content, mode_t mode)
{
    char temporary[PATH_MAX];

    if ((size_t)snprintf(temporary, sizeof temporary, "%s.tmp", path) >= sizeof temporary)
        return fail(BAD_INPUT, "%s: path too long", path);
    if (unlink(temporary) != 0 && errno != ENOENT)
        return fail(FAULT, "%s: %s", temporary, strerror(errno));
    TRY(write_new(temporary, content, mode));
    if (rename(temporary, path) != 0)
        return fail(FAULT, "%s: cannot rename into place: %s", path, strerror(errno));
    return file_sync_parent(path);
}

enum status file_make_directory(const char *path, mode_t mode)
{
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return fail(FAULT, "%s: cannot make the directory: %s", path, strerror(errno));
    return OK;
}
