/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registrar/core.h"

#include <stdarg.h>
#include <stdio.h>

#define NOTE_TEXT_BYTES 1200

static struct span printable(const char *text, char *copy, size_t size)
{
    snprintf(copy, size, "%s", text ? text : "");
    for (char *c = copy; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
    return span_of_text(copy);
}

struct note note_of_intent(const struct intent *intent, const char *kind)
{
    return (struct note){ .kind = kind,
                          .device = intent->device,
                          .serial = span_of(intent->serial, sizeof intent->serial),
                          .path = intent->path,
                          .transaction = intent->transaction,
                          .address = intent->address };
}

enum status note_event(struct store *store, int64_t now_s, const struct note *note, const char *format, ...)
{
    char text[NOTE_TEXT_BYTES], clean[NOTE_TEXT_BYTES];
    char path[STORE_WORD_BYTES], transaction[TRANSACTION_TEXT_BYTES], address[ADDRESS_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const struct store_event event = {
        .when_s = now_s,
        .kind = span_of_text(note->kind),
        .device = span_of_text(note->device ? note->device : ""),
        .serial = note->serial,
        .path = printable(note->path, path, sizeof path),
        .transaction = printable(note->transaction, transaction, sizeof transaction),
        .address = printable(note->address, address, sizeof address),
        .text = printable(text, clean, sizeof clean),
    };
    return store_event_append(store, &event);
}
