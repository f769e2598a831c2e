/* SPDX-License-Identifier: Apache-2.0
 *
 * From libconfuse's values to ours: what the files of this module share.  Private to lib/config.
 */
#pragma once

#include "lib/config/config.h"

#include <confuse.h>

/* BAD_INPUT with file, line, key, what stands there and what should. */
enum status config_bad(cfg_t *section, const char *key, const char *got, const char *wanted);

MUST_USE enum status config_read_text(cfg_t *section, const char *key, char *out, size_t size);

/* The path of a file, made absolute; it must not be empty. */
MUST_USE enum status config_read_path(const struct config *config, cfg_t *section, const char *key,
                                      char out[PATH_MAX]);

MUST_USE enum status config_check_section_name(cfg_t *section);
MUST_USE enum status config_check_room(cfg_t *cfg, const char *what, size_t most);

/* tls.c */
extern cfg_opt_t config_tls_options[];
MUST_USE enum status config_read_tls(struct config *config, cfg_t *cfg);
enum client_certificates config_client_certificates(const char *word);
