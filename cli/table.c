/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include "lib/base/clock.h"
#include "lib/base/span.h"

#define GAP 2

void table_init(struct table *table, const struct column *columns, FILE *out, bool json)
{
    *table = (struct table){ .columns = columns, .out = out, .json = json };
}

void table_clear(struct table *table)
{
    json_decref(table->rows);
    table->rows = NULL;
}

static enum status append_plain(const json_t *value, struct buf *out)
{
    if (json_is_string(value))
        return buf_append_text(out, json_string_value(value));
    if (json_is_integer(value))
        return buf_append_format(out, "%lld", (long long)json_integer_value(value));
    if (json_is_boolean(value))
        return buf_append_text(out, json_is_true(value) ? "yes" : "no");
    return OK;
}

static enum status append_list(const json_t *list, struct buf *out)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item) {
        if (i)
            TRY(buf_append_text(out, ", "));
        TRY(append_plain(item, out));
    }
    return OK;
}

static enum status append_value(const json_t *value, enum column_form form, struct buf *out)
{
    char when[CLOCK_TEXT_BYTES];

    if (form == COLUMN_TIME) {
        if (!json_integer_value(value))
            return OK;
        clock_format_utc(json_integer_value(value), when);
        return buf_append_text(out, when);
    }
    return json_is_array(value) ? append_list(value, out) : append_plain(value, out);
}

/* A cell's text.  Control characters would let a device's name draw on the operator's screen. */
static const char *format_cell(const json_t *row, const struct column *column, struct buf *out)
{
    out->len = 0;
    if (append_value(json_object_get(row, column->key), column->form, out) != OK || !out->len)
        return "-";
    for (size_t i = 0; i < out->len; i++)
        if (out->ptr[i] < 0x20 || out->ptr[i] == 0x7f)
            out->ptr[i] = '?';
    const char *text = buf_text(out);
    return text ? text : "-";
}

/* Characters, not bytes: UTF-8's continuation bytes take no room on the screen. */
static size_t shown_width(const char *text)
{
    size_t width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(const struct table *table, size_t column, const char *text)
{
    const bool last = !table->columns[column + 1].heading;

    fputs(text, table->out);
    if (last)
        fputc('\n', table->out);
    else
        fprintf(table->out, "%*s", (int)(table->widths[column] - shown_width(text) + GAP), "");
}

static void measure(struct table *table, size_t column, const char *text)
{
    const size_t width = shown_width(text);

    if (width > table->widths[column])
        table->widths[column] = width;
}

static void print_headings(struct table *table)
{
    for (size_t c = 0; table->columns[c].heading; c++)
        print_cell(table, c, table->columns[c].heading);
    table->headed = true;
}

enum status table_flush(struct table *table)
{
    AUTO(buf_clear) struct buf cell = { 0 };
    size_t i;
    json_t *row;

    if (table->json)
        return OK;
    for (size_t c = 0; table->columns[c].heading; c++) {
        measure(table, c, table->columns[c].heading);
        json_array_foreach(table->rows, i, row)
            measure(table, c, format_cell(row, &table->columns[c], &cell));
    }
    if (!table->headed)
        print_headings(table);
    json_array_foreach(table->rows, i, row)
        for (size_t c = 0; table->columns[c].heading; c++)
            print_cell(table, c, format_cell(row, &table->columns[c], &cell));
    json_array_clear(table->rows);
    return fflush(table->out) == 0 ? OK : fail(FAULT, "cannot write the output");
}

enum status table_add(struct table *table, json_t *row)
{
    if (table->json)
        return table_print_json(row, table->out);
    if (!table->rows)
        table->rows = json_array();
    if (json_array_append(table->rows, row) != 0)
        return fail(FAULT, "no memory");
    return json_array_size(table->rows) < TABLE_BLOCK_ROWS ? OK : table_flush(table);
}

void table_print_object(const struct column *columns, const json_t *object, FILE *out)
{
    AUTO(buf_clear) struct buf cell = { 0 };
    size_t width = 0;

    for (const struct column *c = columns; c->heading; c++)
        width = shown_width(c->heading) > width ? shown_width(c->heading) : width;
    for (const struct column *c = columns; c->heading; c++)
        fprintf(out, "%s:%*s%s\n", c->heading, (int)(width - shown_width(c->heading) + GAP), "",
                format_cell(object, c, &cell));
}

enum status table_print_json(const json_t *object, FILE *out)
{
    if (json_dumpf(object, out, JSON_COMPACT) != 0 || fputc('\n', out) == EOF || fflush(out) != 0)
        return fail(FAULT, "cannot write the output");
    return OK;
}
