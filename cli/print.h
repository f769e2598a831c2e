/* SPDX-License-Identifier: Apache-2.0
 *
 * What several groups of commands print or read alike.
 */
#pragma once

#include "cli/arguments.h"
#include "cli/table.h"

/* Wipe an object's `password` and take it out. */
void password_remove(json_t *object);

/* For AUTO: the same, then let go of the object. */
void secret_decrefp(json_t **object);

/* How a device and a certificate are shown in full. */
extern const struct column device_columns[];
extern const struct column certificate_columns[];

/* An object made of one member; json_object_set_new() more. */
json_t *request_of(const char *member, const char *value);

/* Add a member, unless the option it comes from was not given. */
void request_add_option(json_t *request, const char *member, const struct arguments *arguments,
                        const char *option);

/* --lifetime as lifetime_s. */
MUST_USE enum status request_add_lifetime(json_t *request, const struct arguments *arguments);

/* Run a listing command and print its rows. */
MUST_USE enum status print_listing(struct session *session, const char *command, json_t *request,
                                   const struct column *columns);

/* The answer to password.issue, for people. */
void print_password(const json_t *password);

/* A serial number as the server wants it: lower-case hexadecimal without colons. */
MUST_USE enum status serial_from_argument(const char *text, char *serial, size_t size);
