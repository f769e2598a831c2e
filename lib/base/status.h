/* SPDX-License-Identifier: Apache-2.0
 *
 * How a call ends.  Every function that can fail returns `enum status`; the
 * kind says what the caller does next, the text says what went wrong and is
 * written once, where it is known.  One thread per process, so one text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum status {
    OK = 0,
    PENDING,   /* not yet: come back later */
    BAD_INPUT, /* malformed: the sender must mend it */
    BAD_PROOF, /* signature, MAC, pin or nonce does not prove what it should */
    REFUSED,   /* well-formed and proved, but policy says no */
    FAULT,     /* our disk, memory or network; trying again may help */
};

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((__format__(__printf__, text, first)))

/* Return early with whatever the call returned, unless it was OK. */
#define TRY(call)                         \
    do {                                  \
        const enum status try_ = (call);  \
        if (try_ != OK)                   \
            return try_;                  \
    } while (0)

/* Run FN(&variable) when the variable leaves its scope. */
#define AUTO(fn) __attribute__((cleanup(fn)))

/* Make `FNp` for AUTO out of `FN(type *)`: AUTO(cert_freep) struct cert *c = NULL; */
#define AUTO_FREE(fn, type)              \
    static inline void fn##p(type **p) { \
        if (*p)                          \
            fn(*p);                      \
    }

/* Move a pointer out of an AUTO variable: *out = take(c); */
#define take(p)                          \
    ({                                   \
        __typeof__(p) taken_ = (p);      \
        (p) = NULL;                      \
        taken_;                          \
    })

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Record why a call fails and return `kind`, so that a failure is one line:
 *     return fail(BAD_INPUT, "RFC 8894 s3.2.1.5: senderNonce is %zu bytes, want 16", n);
 * The text replaces the one before; 1023 bytes are kept. */
enum status fail(enum status kind, const char *format, ...) PRINTF_LIKE(2, 3);

/* Put words before the recorded text ("musterd.conf: ...") and return `kind`. */
enum status fail_in(enum status kind, const char *format, ...) PRINTF_LIKE(2, 3);

/* The text of the last failure; lent, valid until the next fail(). */
const char *fail_text(void);

/* The kind as one word, as it stands in logs and events: "refused". */
const char *status_name(enum status kind);

/* How a program of ours ends, the same for all of them: OK 0, BAD_INPUT 2, REFUSED 3, BAD_PROOF 4,
 * FAULT 5, PENDING 6; 1 is for a command line that cannot be understood. */
#define EXIT_USAGE 1
int status_exit_code(enum status kind);
