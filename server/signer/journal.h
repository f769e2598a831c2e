/* SPDX-License-Identifier: Apache-2.0
 *
 * The signer's journal: every certificate that was ever signed, in the order of signing.
 *
 * Knows: a directory of append-only segments, NNNNNNNN.log, each a chain of records (segment.h),
 * each segment chained to the one before by its header.  One process has it open at a time.
 * Does not know: what a certificate says.
 *
 * At start the chain of all headers and every record of the newest segments is proved, and their
 * serial numbers are indexed, so that a question that is asked again gets the answer it got.  Older
 * records are proved when they are read.  A record that a crash cut off was never answered and is
 * removed; any other damage is for a person to look at, and the journal does not open.
 */
#pragma once

#include "server/signer/segment.h"

/* The newest segments whose serial numbers are indexed. */
#define JOURNAL_INDEXED_SEGMENTS 2
#define JOURNAL_SEGMENT_BYTES ((size_t)32 << 20)

struct journal;
void journal_free(struct journal *journal);
AUTO_FREE(journal_free, struct journal)

/* Open the journal of a directory, which is made where it is missing.
 *
 *   segment_bytes   a segment that has grown so far is followed by a new one
 *   out             given; journal_free() it; untouched unless OK
 *
 * FAULT  another process has it open, a segment is missing, the chain is broken, the disk fails */
MUST_USE enum status journal_open(const char *directory, size_t segment_bytes, struct journal **out);

/* Number of the newest record that is on disk; 0 when there is none. */
uint64_t journal_newest(const struct journal *journal);

/* Records that were appended and are not yet on disk. */
size_t journal_pending_count(const struct journal *journal);

/* Add a record to the batch; nothing is on disk before journal_commit().
 *   record     its sequence is not looked at
 *   sequence   the number it got
 * BAD_INPUT  a field longer than it may be     FAULT  no memory */
MUST_USE enum status journal_append(struct journal *journal, const struct journal_record *record,
                                    uint64_t *sequence);

/* Write the batch and put it on disk with one fdatasync; fine on an empty batch.
 * FAULT is final: nobody knows what is on disk, so the process must end and read it again. */
MUST_USE enum status journal_commit(struct journal *journal);

/* The record of a serial number, of the batch too.
 *
 *   hold    given  keeps the bytes that the record's spans are lent from
 *   found   given  false where the indexed segments do not have it
 *
 * FAULT  it cannot be read back as it was written */
MUST_USE enum status journal_find(struct journal *journal, struct span serial, struct buf *hold,
                                  struct journal_record *record, bool *found);

/* A walk over the records on disk. */
struct journal_reader;
void journal_reader_free(struct journal_reader *reader);
AUTO_FREE(journal_reader_free, struct journal_reader)

/* Start behind the record numbered `after`; 0 for all.  The journal must outlive the reader. */
MUST_USE enum status journal_reader_open(const struct journal *journal, uint64_t after,
                                         struct journal_reader **out);

/* The next record; its spans are lent until the next call.
 * PENDING  that was the newest     FAULT  the chain is broken there, or the disk fails */
MUST_USE enum status journal_reader_next(struct journal_reader *reader, struct journal_record *out);
