/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/suggest.h"

#include <string.h>

#define WORD_MAX_BYTES 32

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, row by row. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[WORD_MAX_BYTES + 1];
    const size_t length = strlen(b);

    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            const size_t replace = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = least(replace, least(row[j], row[j + 1]) + 1);
        }
    }
    return row[length];
}

void suggestion_offer(struct suggestion *suggestion, const char *word)
{
    if (strlen(suggestion->wanted) > WORD_MAX_BYTES || strlen(word) > WORD_MAX_BYTES)
        return;
    const size_t distance = edit_distance(suggestion->wanted, word);
    const size_t allowed = strlen(word) < 5 ? 1 : 2 + strlen(word) / 4;
    /* A beginning counts as near: "cert" for "certificate". */
    const size_t length = strlen(suggestion->wanted);
    const size_t seen = length >= 2 && strncmp(suggestion->wanted, word, length) == 0 ? 1 : distance;
    if (seen > allowed || (suggestion->best && seen >= suggestion->distance))
        return;
    suggestion->best = word;
    suggestion->distance = seen;
}
