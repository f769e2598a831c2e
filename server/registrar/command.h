/* SPDX-License-Identifier: Apache-2.0
 *
 * The operator's commands (doc/ipc.md): JSON in, JSON out.  One file per group of them; this header
 * is what they share.  Who may give commands is decided in control.c.
 */
#pragma once

#include "server/registrar/core.h"

#include <jansson.h>

/* A listing on its way to an operator: it goes on when he has read what was sent, so that no listing
 * needs more memory than a page. */
struct listing {
    /* Send the next page; sets `ended` after the last. */
    enum status (*page)(const struct registrar *registrar, struct listing *listing, int64_t now_s);
    bool ended;
    bool follow;                      /* events: there is no last */
    int64_t left;                     /* rows that may still be sent */
    int64_t after;                    /* rows: the last one seen */
    char after_name[STORE_NAME_BYTES]; /* devices: the same */
    char template[STORE_WORD_BYTES];  /* devices: only of this */
    int64_t device;                   /* certificates: only of this */
    char state[16];                   /* certificates: only of this */
    bool pending;                     /* enrolments: only those that wait */
    enum status (*send_row)(void *context, json_t *row); /* row is taken */
    void *context;
};

#define LISTING_PAGE_ROWS 64

/* One command being carried out. */
struct call {
    struct registrar *registrar;
    const json_t *arguments; /* lent; only known names, checked */
    int64_t now_s;
    unsigned uid;            /* who gives it */
    json_t *answer;          /* given, with OK, by a command that is not a listing */
    struct listing listing;  /* its `page` is set by a command that is */
};

/* A row of the command table. */
struct command {
    const char *name;
    enum status (*run)(struct call *call);
    const char *arguments[6]; /* what it takes, beside `command` */
};

/* Find and run what `request` asks for.
 * BAD_INPUT REFUSED  the text says what and what to do next     FAULT  the ledger broke */
MUST_USE enum status command_run(struct call *call, const json_t *request);

/* --- The commands --------------------------------------------------------------- */

/* What each takes, gives and refuses stands in doc/ipc.md; statuses as of command_run(). */

MUST_USE enum status command_device_add(struct call *call);
MUST_USE enum status command_device_list(struct call *call);
MUST_USE enum status command_device_show(struct call *call);
MUST_USE enum status command_device_remove(struct call *call);
MUST_USE enum status command_password_issue(struct call *call);
MUST_USE enum status command_password_unlock(struct call *call);
MUST_USE enum status command_certificate_list(struct call *call);
MUST_USE enum status command_certificate_show(struct call *call);
MUST_USE enum status command_certificate_revoke(struct call *call);
MUST_USE enum status command_enrolment_list(struct call *call);
MUST_USE enum status command_enrolment_show(struct call *call);
MUST_USE enum status command_enrolment_approve(struct call *call);
MUST_USE enum status command_enrolment_reject(struct call *call);
MUST_USE enum status command_event_list(struct call *call);
MUST_USE enum status command_status(struct call *call);

/* --- Arguments ------------------------------------------------------------------- */

/* A text; NULL in *out when it is absent and not needed. */
MUST_USE enum status argument_text(const struct call *call, const char *name, bool needed, const char **out);

/* True or false; false when it is absent. */
MUST_USE enum status argument_truth(const struct call *call, const char *name, bool *out);

/* A whole number from `least` up; `otherwise` when it is absent. */
MUST_USE enum status argument_number(const struct call *call, const char *name, int64_t least, int64_t otherwise,
                                     int64_t *out);

/* The device of that name.  BAD_INPUT when there is none. */
MUST_USE enum status argument_device(const struct call *call, const char *name, struct store_device *out);

/* A serial number in hexadecimal, as octets without leading zeros. */
MUST_USE enum status argument_serial(const struct call *call, const char *name, struct buf *out);

/* --- Objects (view.c) --------------------------------------------------------------- */

/* Each gives a new object, or NULL without memory. */
json_t *view_device(const struct rules *rules, const struct store_device *device, int64_t now_s);
json_t *view_certificate(const struct store_certificate *certificate, int64_t now_s, bool with_pem);
json_t *view_enrolment(const struct store_enrolment *row, int64_t now_s);
json_t *view_event(const struct store_event *event);

/* What a profile for this device says, all but the password.
 * FAULT  the configuration lost the device's path or template, or no memory */
MUST_USE enum status view_profile(const struct rules *rules, const struct store_device *device, json_t **out);

/* "valid", "expired" or "revoked". */
const char *view_certificate_state(const struct store_certificate *certificate, int64_t now_s);

/* Bytes as text: UTF-8, or with '?' in place of what is not ASCII. */
json_t *view_text(struct span bytes);
json_t *view_hex(struct span bytes);
