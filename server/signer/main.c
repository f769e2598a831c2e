/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer/signer.h"

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/jail/jail.h"
#include "lib/jail/priority.h"
#include "server/signer/serve.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* A directory and the files in it become the property of the user that the role will run as. */
static enum status give_away(const char *path, unsigned uid)
{
    DIR *listing = uid && geteuid() == 0 ? opendir(path) : NULL;

    if (!listing)
        return OK; /* nothing to give, or nobody who could */
    int failed = fchown(dirfd(listing), uid, uid);
    for (const struct dirent *entry = readdir(listing); entry && !failed; entry = readdir(listing))
        if (entry->d_name[0] != '.')
            failed = fchownat(dirfd(listing), entry->d_name, uid, uid, AT_SYMLINK_NOFOLLOW);
    const int error = errno;
    closedir(listing);
    return failed ? fail(FAULT, "%s: cannot give it to uid %u: %s", path, uid, strerror(error)) : OK;
}

/* Where the signer keeps what it writes, and the journal in it. */
static enum status find_places(const struct config *config, char home[PATH_MAX], char journal[PATH_MAX])
{
    TRY(config_absolute(config, CONFIG_SIGNER_DIRECTORY, home));
    TRY(config_absolute(config, CONFIG_SIGNER_DIRECTORY "/journal", journal));
    return file_make_directory(home, 0700);
}

static enum status enter_jail(const char *home, const char *journal, unsigned uid)
{
    const struct jail jail = { .kind = JAIL_SIGNER, .uid = uid, .writable = &home, .writable_count = 1 };

    TRY(give_away(home, uid));
    TRY(give_away(journal, uid));
    TRY(jail_enter(&jail));
    log_write(LOG_INFO, "jailed: %s", jail_describe());
    return OK;
}

static enum status run(const struct role *role)
{
    char home[PATH_MAX], place[PATH_MAX];
    AUTO(config_freep) struct config *config = NULL;
    AUTO(issuer_freep) struct issuer *issuer = NULL;
    AUTO(journal_freep) struct journal *journal = NULL;

    TRY(config_load(role->directory, &config));
    TRY(issuer_new(config, &issuer));
    TRY(find_places(config, home, place));
    TRY(journal_open(place, JOURNAL_SEGMENT_BYTES, &journal));
    issuer_set_journal(issuer, journal);
    priority_set(PRIORITY_FIRST);
    TRY(enter_jail(home, place, config->uid_base ? config->uid_base + IPC_SIGNER : 0));
    return signer_serve(issuer, journal, ROLE_SUPERVISOR_FD);
}

int signer_main(const struct role *role)
{
    if (run(role) == OK)
        return 0;
    log_write(LOG_ERROR, "%s", fail_text());
    return 1;
}
