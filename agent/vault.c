/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vault.h"

#include "lib/base/file.h"
#include "lib/base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#define FILE_MAX_BYTES ((size_t)262144)
#define CURRENT "current"
#define CURRENT_NEW "current.tmp"
#define GENERATION_PREFIX "gen-"

struct vault {
    char path[PATH_MAX / 2];
    int lock;
};

void vault_free(struct vault *vault)
{
    if (!vault)
        return;
    fd_closep(&vault->lock);
    free(vault);
}

const char *vault_get_path(const struct vault *vault)
{
    return vault->path;
}

static enum status make_path(const struct vault *vault, const char *name, char path[PATH_MAX])
{
    const int n = snprintf(path, PATH_MAX, "%s/%s", vault->path, name);

    return n > 0 && n < PATH_MAX ? OK : fail(BAD_INPUT, "%s/%s: path too long", vault->path, name);
}

static enum status make_generation_path(const struct vault *vault, unsigned generation, const char *name,
                                        char path[PATH_MAX])
{
    const int n = snprintf(path, PATH_MAX, "%s/" GENERATION_PREFIX "%u%s%s", vault->path, generation,
                           *name ? "/" : "", name);

    return n > 0 && n < PATH_MAX ? OK : fail(BAD_INPUT, "%s: path too long", vault->path);
}

/* "gen-17" is 17; 0 for anything else. */
static unsigned parse_generation(const char *name)
{
    const size_t prefix = sizeof GENERATION_PREFIX - 1;
    int64_t number = 0;

    if (strncmp(name, GENERATION_PREFIX, prefix) != 0 || name[prefix] < '1' || name[prefix] > '9')
        return 0;
    return number_parse(name + prefix, 1, UINT_MAX - 1, &number) == OK ? (unsigned)number : 0;
}

/* --- Writing ----------------------------------------------------------------------------------- */

static enum status sync_folder(const char *path)
{
    AUTO(fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0)
        return fail(FAULT, "%s: cannot sync the folder: %s", path, strerror(errno));
    return OK;
}

static enum status write_file(const char *path, struct span content)
{
    AUTO(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return fail(FAULT, "%s: %s", path, strerror(errno));
    if (file_write_all(fd, content) != OK)
        return fail_in(FAULT, "%s", path);
    if (fsync(fd) != 0)
        return fail(FAULT, "%s: cannot sync: %s", path, strerror(errno));
    return OK;
}

static enum status remove_file(const char *path)
{
    if (unlink(path) != 0 && errno != ENOENT)
        return fail(FAULT, "%s: cannot remove: %s", path, strerror(errno));
    return OK;
}

static enum status rename_into_place(const struct vault *vault, const char *from, const char *to)
{
    if (rename(from, to) != 0)
        return fail(FAULT, "%s: cannot rename into place: %s", to, strerror(errno));
    return sync_folder(vault->path);
}

enum status vault_write_record(struct vault *vault, const char *name, struct span content)
{
    char path[PATH_MAX];
    char temporary[PATH_MAX];

    TRY(make_path(vault, name, path));
    if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary)
        return fail(BAD_INPUT, "%s: path too long", path);
    TRY(remove_file(temporary));
    TRY(write_file(temporary, content));
    return rename_into_place(vault, temporary, path);
}

enum status vault_remove_record(struct vault *vault, const char *name)
{
    char path[PATH_MAX];

    TRY(make_path(vault, name, path));
    TRY(remove_file(path));
    return sync_folder(vault->path);
}

enum status vault_switch(struct vault *vault, unsigned generation)
{
    char path[PATH_MAX];
    char temporary[PATH_MAX];
    char target[32];

    TRY(make_path(vault, CURRENT, path));
    TRY(make_path(vault, CURRENT_NEW, temporary));
    snprintf(target, sizeof target, GENERATION_PREFIX "%u", generation);
    TRY(remove_file(temporary));
    if (symlink(target, temporary) != 0)
        return fail(FAULT, "%s: cannot make the link: %s", temporary, strerror(errno));
    return rename_into_place(vault, temporary, path);
}

/* --- Reading ----------------------------------------------------------------------------------- */

enum status vault_read_record(const struct vault *vault, const char *name, bool *found, struct buf *out)
{
    char path[PATH_MAX];

    TRY(make_path(vault, name, path));
    *found = access(path, F_OK) == 0;
    return *found ? file_read(path, FILE_MAX_BYTES, out) : OK;
}

enum status vault_read(const struct vault *vault, unsigned generation, const char *name, struct buf *out)
{
    char path[PATH_MAX];

    TRY(make_generation_path(vault, generation, name, path));
    return file_read(path, FILE_MAX_BYTES, out);
}

enum status vault_current(const struct vault *vault, unsigned *generation)
{
    char path[PATH_MAX];
    char target[64];

    TRY(make_path(vault, CURRENT, path));
    const ssize_t n = readlink(path, target, sizeof target - 1);
    if (n < 0 && errno == ENOENT) {
        *generation = 0;
        return OK;
    }
    if (n < 0)
        return fail(FAULT, "%s: %s; expected a link to gen-N", path, strerror(errno));
    target[n] = 0;
    *generation = parse_generation(target);
    return *generation ? OK : fail(FAULT, "%s: points to \"%s\", expected gen-N", path, target);
}

/* --- Generations -------------------------------------------------------------------------------- */

static void dir_closep(DIR **folder)
{
    if (*folder)
        closedir(*folder);
}

typedef enum status visit(struct vault *vault, const char *name, void *context);

static enum status for_each(struct vault *vault, const char *path, visit *each, void *context)
{
    AUTO(dir_closep) DIR *folder = opendir(path);
    const struct dirent *entry;

    if (!folder)
        return fail(FAULT, "%s: %s", path, strerror(errno));
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.')
            TRY(each(vault, entry->d_name, context));
    return OK;
}

static enum status see_highest(struct vault *vault, const char *name, void *context)
{
    unsigned *highest = context;
    const unsigned generation = parse_generation(name);

    (void)vault;
    if (generation > *highest)
        *highest = generation;
    return OK;
}

enum status vault_stage(struct vault *vault, const struct vault_file *files, size_t count, unsigned *generation)
{
    char folder[PATH_MAX];
    char path[PATH_MAX];
    unsigned highest = 0;

    TRY(for_each(vault, vault->path, see_highest, &highest));
    const unsigned next = highest + 1;
    TRY(make_generation_path(vault, next, "", folder));
    if (mkdir(folder, 0700) != 0)
        return fail(FAULT, "%s: cannot make the folder: %s", folder, strerror(errno));
    for (size_t i = 0; i < count; i++) {
        TRY(make_generation_path(vault, next, files[i].name, path));
        TRY(write_file(path, files[i].content));
    }
    TRY(sync_folder(folder));
    TRY(sync_folder(vault->path));
    *generation = next;
    return OK;
}

/* --- Sweeping ----------------------------------------------------------------------------------- */

struct sweep {
    unsigned current;
    unsigned previous; /* the newest below current, kept to go back to */
};

static enum status see_previous(struct vault *vault, const char *name, void *context)
{
    struct sweep *sweep = context;
    const unsigned generation = parse_generation(name);

    (void)vault;
    if (generation > sweep->previous && generation < sweep->current)
        sweep->previous = generation;
    return OK;
}

static enum status remove_inside(struct vault *vault, const char *name, void *context)
{
    char path[PATH_MAX];

    TRY(make_generation_path(vault, *(const unsigned *)context, name, path));
    return remove_file(path);
}

static enum status remove_generation(struct vault *vault, unsigned generation)
{
    char folder[PATH_MAX];

    TRY(make_generation_path(vault, generation, "", folder));
    TRY(for_each(vault, folder, remove_inside, &generation));
    if (rmdir(folder) != 0)
        return fail(FAULT, "%s: cannot remove: %s", folder, strerror(errno));
    return OK;
}

static bool is_temporary(const char *name)
{
    const size_t length = strlen(name);

    return length > 4 && strcmp(name + length - 4, ".tmp") == 0;
}

static enum status sweep_one(struct vault *vault, const char *name, void *context)
{
    const struct sweep *sweep = context;
    const unsigned generation = parse_generation(name);
    char path[PATH_MAX];

    if (is_temporary(name)) {
        TRY(make_path(vault, name, path));
        return remove_file(path);
    }
    if (!generation || generation == sweep->current || generation == sweep->previous)
        return OK;
    return remove_generation(vault, generation);
}

static enum status sweep(struct vault *vault)
{
    struct sweep found = { 0 };

    TRY(vault_current(vault, &found.current));
    TRY(for_each(vault, vault->path, see_previous, &found));
    return for_each(vault, vault->path, sweep_one, &found);
}

/* --- Opening ------------------------------------------------------------------------------------ */

static enum status take_lock(struct vault *vault)
{
    char path[PATH_MAX];

    TRY(make_path(vault, "lock", path));
    vault->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (vault->lock < 0)
        return fail(FAULT, "%s: %s", path, strerror(errno));
    if (flock(vault->lock, LOCK_EX | LOCK_NB) == 0)
        return OK;
    if (errno == EWOULDBLOCK)
        return fail(FAULT, "%s: another muster-agent is at work on this profile; try again when it is done",
                    vault->path);
    return fail(FAULT, "%s: cannot lock: %s", path, strerror(errno));
}

/* NULL, with the reason recorded, where there is no memory or the path is too long. */
static struct vault *vault_new(const char *store, const char *name)
{
    AUTO(vault_freep) struct vault *vault = calloc(1, sizeof *vault);

    if (!vault) {
        (void)fail(FAULT, "no memory");
        return NULL;
    }
    vault->lock = -1;
    if (snprintf(vault->path, sizeof vault->path, "%s/%s", store, name) >= (int)sizeof vault->path) {
        (void)fail(FAULT, "%s/%s: path too long", store, name);
        return NULL;
    }
    return take(vault);
}

enum status vault_open(const char *store, const char *name, struct vault **out)
{
    AUTO(vault_freep) struct vault *vault = vault_new(store, name);

    if (!vault)
        return FAULT;
    TRY(file_make_directory(store, 0755));
    TRY(file_make_directory(vault->path, 0700));
    TRY(sync_folder(store));
    TRY(take_lock(vault));
    TRY(sweep(vault));
    *out = take(vault);
    return OK;
}

enum status vault_open_to_read(const char *store, const char *name, struct vault **out)
{
    AUTO(vault_freep) struct vault *vault = vault_new(store, name);

    if (!vault)
        return FAULT;
    if (access(vault->path, R_OK | X_OK) != 0)
        return fail(FAULT, "%s: %s", vault->path, strerror(errno));
    *out = take(vault);
    return OK;
}
