/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/config/config.h"

#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum status config_read_secret(const struct config_path *path, struct buf *out)
{
    AUTO(fd_closep) int fd = open(path->secret_file, O_RDONLY | O_CLOEXEC);
    struct stat about;

    if (fd < 0 || fstat(fd, &about) != 0)
        return fail(FAULT, "%s: %s", path->secret_file, strerror(errno));
    if (!S_ISREG(about.st_mode) || about.st_mode & 077)
        return fail(BAD_INPUT, "%s: only its owner may read the secret of path %s (chmod 600)", path->secret_file,
                    path->name);
    TRY(file_read_fd(fd, path->secret_file, 4096, out));
    const uint8_t *end = out->len ? memchr(out->ptr, '\n', out->len) : NULL;
    if (end)
        out->len = (size_t)(end - out->ptr);
    if (out->len < CONFIG_SECRET_LEAST_BYTES || out->len > CONFIG_SECRET_MOST_BYTES)
        return fail(BAD_INPUT, "%s: a secret of %zu bytes, expected %d to %d on the first line", path->secret_file,
                    out->len, CONFIG_SECRET_LEAST_BYTES, CONFIG_SECRET_MOST_BYTES);
    return OK;
}
