/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/registrar.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/jail/jail.h"
#include "lib/jail/priority.h"
#include "server/registrar/loop.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define LEDGER CONFIG_REGISTRAR_DIRECTORY "/ledger.db"
#define CREDENTIAL_KEY CONFIG_REGISTRAR_DIRECTORY "/credential.key"

/* What the role opens before it is jailed. */
struct house {
    struct config *config;
    struct store *store;
    struct registrar registrar;
    struct control control;
    struct loop *loop;
    char home[PATH_MAX];
};

static void house_clear(struct house *house)
{
    loop_free(house->loop);
    control_clear(&house->control);
    registrar_clear(&house->registrar);
    store_free(house->store);
    config_free(house->config);
}

static enum status open_ledger(struct house *house)
{
    char ledger[PATH_MAX], key[PATH_MAX];

    TRY(config_absolute(house->config, CONFIG_REGISTRAR_DIRECTORY, house->home));
    TRY(config_absolute(house->config, LEDGER, ledger));
    TRY(config_absolute(house->config, CREDENTIAL_KEY, key));
    TRY(file_make_directory(house->home, 0700));
    TRY(store_open(ledger, &house->store));
    TRY(rules_load(house->config, house->store, key, &house->registrar.rules));
    house->registrar.store = house->store;
    return registrar_init(&house->registrar, clock_now_s());
}

/* Nobody else sees them: the descriptor is not kept. */
static enum status open_rates(struct house *house)
{
    AUTO(fd_closep) int fd = -1;

    TRY(rates_create(&fd));
    return rates_open(fd, &house->registrar.rules.user_rates);
}

static enum status open_socket(struct house *house)
{
    char path[PATH_MAX];

    house->control.registrar = &house->registrar;
    TRY(config_absolute(house->config, CONFIG_CONTROL_SOCKET, path));
    return control_open(&house->control, path);
}

/* Started as root, what is there belongs to the user that the role becomes. */
static enum status give_away(const struct house *house, unsigned uid)
{
    static const char *const files[] = { "", "/ledger.db", "/ledger.db-wal", "/credential.key" };
    char path[PATH_MAX + 32];

    for (size_t i = 0; uid && geteuid() == 0 && i < COUNT_OF(files); i++) {
        snprintf(path, sizeof path, "%s%s", house->home, files[i]);
        if (lchown(path, uid, uid) != 0 && errno != ENOENT)
            return fail(FAULT, "%s: cannot give it to uid %u: %s", path, uid, strerror(errno));
    }
    return OK;
}

static enum status enter_jail(const struct house *house)
{
    const unsigned base = house->config->uid_base;
    const char *const writable[] = { house->home };
    const struct jail jail = { .kind = JAIL_REGISTRAR,
                               .uid = base ? base + IPC_REGISTRAR : 0,
                               .writable = writable,
                               .writable_count = COUNT_OF(writable) };

    TRY(give_away(house, jail.uid));
    TRY(jail_enter(&jail));
    log_write(LOG_INFO, "jailed: %s", jail_describe());
    return OK;
}

static enum status run(const struct role *role, struct house *house)
{
    TRY(config_load(role->directory, &house->config));
    TRY(open_ledger(house));
    TRY(open_rates(house));
    TRY(open_socket(house));
    priority_set(PRIORITY_FIRST);
    TRY(enter_jail(house));
    TRY(loop_new(&house->registrar, &house->control, ROLE_SUPERVISOR_FD, &house->loop));
    return loop_run(house->loop);
}

int registrar_main(const struct role *role)
{
    AUTO(house_clear) struct house house = { .control.listener = -1 };

    if (run(role, &house) == OK)
        return 0;
    log_write(LOG_ERROR, "%s", fail_text());
    return 1;
}
