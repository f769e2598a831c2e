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

/* --- word.c: values that are words ---------------------------------------- */

/* What a word means as the value of a key, "path|reply"; false where it is none of its words. */
bool config_find_word(const char *key, const char *word, int *value);

/* The same of a value that libconfuse has read, and which therefore is one of them. */
int config_word(const char *key, const char *word);

/* --- Each kind of section: what may stand in it, and reading it ------------- */

extern cfg_opt_t config_template_options[];
extern cfg_opt_t config_path_options[];
extern cfg_opt_t config_tls_options[];
MUST_USE enum status config_read_templates(struct config *config, cfg_t *cfg);
MUST_USE enum status config_read_paths(struct config *config, cfg_t *cfg); /* after all that a path may name */
MUST_USE enum status config_read_tls(struct config *config, cfg_t *cfg);   /* after the paths */

/* Have values looked at while the file is read, when their line is known. */
void config_check_words(cfg_t *cfg);
void config_check_templates(cfg_t *cfg);
