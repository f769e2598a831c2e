/* SPDX-License-Identifier: Apache-2.0
 *
 * The device's store of one profile: STORE/NAME/
 *
 *      lock                 held while an agent is at work
 *      attempt              key and transaction of an enrolment that is under way
 *      gen-N/...            key, certificate, chain and anchor that belong together
 *      current -> gen-N     the generation in use
 *
 * All that the agent writes is written here, with write(2) and plain paths, so that a fault shim can
 * cut the power at each call.  A generation is written and synced whole before `current` is switched to
 * it by one rename; whatever a power cut leaves behind is swept away at the next start.
 */
#pragma once

#include "lib/base/span.h"

struct vault;

/* Open, or make, the store of a profile; sweep what an interrupted run left.
 *
 *   store   lent   the folder of all profiles; made if missing, its parent must be there
 *   name    lent   the profile's name, already checked to be a folder's name
 *
 * FAULT  cannot be made or read, or another agent is at work on it */
MUST_USE enum status vault_open(const char *store, const char *name, struct vault **out);

/* Open a store to look at it: nothing is made, swept or locked.  FAULT: there is none. */
MUST_USE enum status vault_open_to_read(const char *store, const char *name, struct vault **out);
void vault_free(struct vault *vault); /* lets go of the lock */
AUTO_FREE(vault_free, struct vault)

const char *vault_get_path(const struct vault *vault); /* "STORE/NAME"; lent */

/* A record beside the generations, replaced at once and durably; wipe `content` yourself. */
MUST_USE enum status vault_write_record(struct vault *vault, const char *name, struct span content);

/* Appends to `out`; `found` is false when there is none. */
MUST_USE enum status vault_read_record(const struct vault *vault, const char *name, bool *found, struct buf *out);

/* Durably; fine when there is none. */
MUST_USE enum status vault_remove_record(struct vault *vault, const char *name);

struct vault_file {
    const char *name;
    struct span content;
};

/* Write a new generation, durably; it is not current yet. */
MUST_USE enum status vault_stage(struct vault *vault, const struct vault_file *files, size_t count,
                                 unsigned *generation);

/* Read a file of a generation; appended. */
MUST_USE enum status vault_read(const struct vault *vault, unsigned generation, const char *name, struct buf *out);

/* Make a staged generation the current one, by one rename, durably. */
MUST_USE enum status vault_switch(struct vault *vault, unsigned generation);

/* The current generation; 0 when there is none.  FAULT: `current` is not a link of ours. */
MUST_USE enum status vault_current(const struct vault *vault, unsigned *generation);
