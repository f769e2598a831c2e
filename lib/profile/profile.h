/* SPDX-License-Identifier: Apache-2.0
 *
 * The provisioning profile: what a device is given.  profile.def is the list of its parameters;
 * this module reads and writes it as a file, one "Name = value" a line (lists in braces), and can
 * tell each parameter's type, range, default and secrecy.  It opens no sockets and decides nothing.
 */
#pragma once

#include "lib/base/span.h"

#define PROFILE_LIST_MAX 16
#define PROFILE_TEXT_BYTES 513

enum profile_type { PROFILE_STRING, PROFILE_UNSIGNED, PROFILE_BOOLEAN, PROFILE_LIST };

/* One row of profile.def. */
struct profile_parameter {
    const char *name;          /* "ServerURL" */
    enum profile_type type;
    int64_t least;             /* characters, value or items */
    int64_t most;
    const char *default_text;
    bool secret;
    bool required;
    const char *what;
    size_t offset;             /* within struct profile */
};

struct profile_list {
    char items[PROFILE_LIST_MAX][PROFILE_TEXT_BYTES];
    size_t count;
};

struct profile {
#define PROFILE_FIELD_STRING(field) char field[PROFILE_TEXT_BYTES];
#define PROFILE_FIELD_UNSIGNED(field) unsigned field;
#define PROFILE_FIELD_BOOLEAN(field) bool field;
#define PROFILE_FIELD_LIST(field) struct profile_list field;
#define PARAMETER(field, name, type, least, most, initial, secrecy, need, what) PROFILE_FIELD_##type(field)
#include "lib/profile/profile.def"
#undef PARAMETER
#undef PROFILE_FIELD_STRING
#undef PROFILE_FIELD_UNSIGNED
#undef PROFILE_FIELD_BOOLEAN
#undef PROFILE_FIELD_LIST
};

/* The table, and how many rows it has. */
const struct profile_parameter *profile_parameters(size_t *count);

/* One row by its name, exactly as written there; NULL when there is none. */
const struct profile_parameter *profile_find_parameter(const char *name);

/* Everything at its default. */
void profile_init(struct profile *profile);
void profile_clear(struct profile *profile); /* wipes */

/* Give one parameter its value, from text; a list gets one more item.
 * BAD_INPUT  out of range, or not of the form it must have; the text names the parameter and what
 *            was expected, but never a secret's value */
MUST_USE enum status profile_set(struct profile *profile, const struct profile_parameter *parameter,
                                 const char *text);

/* Is every required parameter there?  BAD_INPUT with the name of the first that is not. */
MUST_USE enum status profile_check(const struct profile *profile);

/* Read a profile; `from` names the source in error texts.
 * BAD_INPUT  "FILE:3: ..." unknown or doubled parameter, value out of range, a required one missing,
 *            a URL that is not http(s), a fingerprint that is not SHA-256 in hexadecimal */
MUST_USE enum status profile_parse(struct span text, const char *from, struct profile *out);

/* The same from a file.  REFUSED where a profile that holds a password is readable by others. */
MUST_USE enum status profile_load(const char *path, struct profile *out);

/* Write it as profile_parse() reads it, each parameter with its comment; appended. */
MUST_USE enum status profile_write(const struct profile *profile, struct buf *out);

/* doc/profile.md's table, from profile.def; appended. */
MUST_USE enum status profile_write_table(struct buf *out);
