/* SPDX-License-Identifier: Apache-2.0
 *
 * Output: rows in aligned columns or one object as lines, for people; the same as JSON, for programs.
 */
#pragma once

#include "lib/base/status.h"

#include <jansson.h>
#include <stdio.h>

enum column_form {
    COLUMN_TEXT, /* text, number or truth as it is; a list with commas between */
    COLUMN_TIME, /* seconds since 1970, shown as UTC; 0 shows as "-" */
};

struct column {
    const char *key;     /* member of the row's object */
    const char *heading; /* NULL ends the list */
    enum column_form form;
};

#define TABLE_COLUMNS_MAX 12
#define TABLE_BLOCK_ROWS 200

/* Rows are kept until a block is full, so that its columns fit; then widths only grow. */
struct table {
    const struct column *columns; /* lent */
    FILE *out;                    /* lent */
    bool json;
    bool headed;
    size_t widths[TABLE_COLUMNS_MAX];
    json_t *rows;
};

void table_init(struct table *table, const struct column *columns, FILE *out, bool json);
void table_clear(struct table *table);

/* Add a row (lent, kept by reference); with JSON it is printed at once, one object a line. */
MUST_USE enum status table_add(struct table *table, json_t *row);

/* Print what was kept. */
MUST_USE enum status table_flush(struct table *table);

/* One object, a line for each column. */
void table_print_object(const struct column *columns, const json_t *object, FILE *out);

/* One object as JSON on a line of its own. */
MUST_USE enum status table_print_json(const json_t *object, FILE *out);
