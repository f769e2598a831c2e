/* SPDX-License-Identifier: Apache-2.0
 *
 * One file of the journal: its header, its records, and the hash that chains them.
 *
 * Every header and every record ends in a SHA-256 over the 32 bytes in front of it (the hash of
 * what came before) and itself, so a record is proved with what stands next to it in the file.
 * Numbers are big-endian.
 *
 *      header   8 "MUSTERJ1"  4 segment  8 first sequence  32 last hash of the segment before  32 hash
 *      record   4 length of body  4 the same, inverted  body  32 hash
 *      body     8 sequence  1 kind  then serial, authority, template, device, certificate,
 *               each with a 2-byte length before it
 *
 * The length stands there twice so that a changed length is not mistaken for a record that a
 * crash cut off.
 */
#pragma once

#include "lib/pki/pki.h"

#define SEGMENT_HEADER_BYTES ((size_t)84)
#define SEGMENT_NAME_BYTES 16
#define SEGMENT_RECORD_MAX_BYTES ((size_t)20480)

struct journal_record {
    uint64_t sequence;       /* 1 for the first, then one by one */
    struct span serial;      /* of the certificate, 1 .. 20 octets */
    struct span authority;   /* at most 64 bytes */
    struct span template;    /* at most 64 bytes */
    struct span device;      /* at most 256 bytes */
    struct span certificate; /* DER, at most CERT_MAX_BYTES */
};

struct segment_header {
    uint32_t number; /* of the segment, from 1 */
    uint64_t first_sequence;
    uint8_t previous[SHA256_BYTES]; /* hash at the end of the segment before; zeros in the first */
    uint8_t hash[SHA256_BYTES];
};

/* "00000007.log" */
void segment_name(uint32_t number, char name[SEGMENT_NAME_BYTES]);

/* Make a segment and put it on disk, header and directory entry.
 *   header   given  its hash is filled in
 *   fd       given  open for reading and appending */
MUST_USE enum status segment_create(int directory, struct segment_header *header, int *fd);

/* Read and prove a header.
 * BAD_INPUT  incomplete: a crash came while it was written     BAD_PROOF  it is not what was written
 * FAULT      cannot be read */
MUST_USE enum status segment_read_header(int directory, uint32_t number, struct segment_header *out);

/* Add a record to `out`, whose last 32 bytes are the hash of what comes before it.
 * BAD_INPUT  a field longer than it may be */
MUST_USE enum status segment_append_record(struct buf *out, const struct journal_record *record);

/* Read one record.
 *
 *   bytes   lent   from the hash before the record on
 *   out     spans lent from `bytes`
 *   used    bytes that the record took, its own hash included
 *
 * PENDING  `bytes` ends before the record does     BAD_PROOF  not what was written there */
MUST_USE enum status segment_parse_record(struct span bytes, struct journal_record *out, size_t *used);

/* A walk over the records of one segment, proving each. */
struct segment_cursor {
    int fd;                         /* its own, -1 when closed */
    char name[SEGMENT_NAME_BYTES];
    size_t at;                      /* where in the file the next record starts */
    size_t end;                     /* where the walk ends */
    uint64_t sequence;              /* of the next record */
    uint8_t hash[SHA256_BYTES];     /* of what stands before it */
    uint8_t *window;                /* bytes of the file from window_at on */
    size_t window_at;
    size_t window_len;
};

/* Start a walk behind the header, up to the present end of the file.  Errors as segment_read_header(). */
MUST_USE enum status segment_cursor_open(struct segment_cursor *cursor, int directory, uint32_t number);
void segment_cursor_close(struct segment_cursor *cursor); /* fine twice, and on zeros with fd -1 */

/* Move the end of the walk to the present end of the file; `grown` says whether there is more now. */
MUST_USE enum status segment_cursor_extend(struct segment_cursor *cursor, bool *grown);

/* The next record; its spans are lent until the next call.
 * PENDING    no more
 * BAD_INPUT  the last record is incomplete: a crash cut it off
 * BAD_PROOF  the chain is broken here     FAULT  cannot be read */
MUST_USE enum status segment_cursor_next(struct segment_cursor *cursor, struct journal_record *out);
