/* SPDX-License-Identifier: Apache-2.0
 *
 * "Did you mean ...?": the nearest of some words, where one is near enough.
 */
#pragma once

#include <stddef.h>

struct suggestion {
    const char *wanted;
    const char *best; /* NULL: none is near; lent from suggestion_offer() */
    size_t distance;  /* edits from wanted to best */
};

/* Consider one word that would have been right. */
void suggestion_offer(struct suggestion *suggestion, const char *word);
