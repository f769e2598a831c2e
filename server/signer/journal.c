/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer/journal.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/text.h"
#include "server/signer/serial_index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#define LOCK_WAIT_MS 5000

/* A batch may go past segment_bytes, so this much above it still has an offset of 32 bits. */
#define SEGMENT_BYTES_MAX ((size_t)1 << 30)

struct journal {
    char path[PATH_MAX];
    int directory;
    int segment;            /* the newest, for appending */
    size_t segment_bytes;
    size_t size;            /* of the newest segment, without the batch */
    uint64_t newest;        /* record on disk */
    uint64_t appended;      /* record appended, on disk or in the batch */
    struct buf batch;       /* the hash before it, then its records */
    uint64_t *first;        /* first sequence of each segment; the segment's number is the place + 1 */
    uint32_t segments;
    struct serial_index index[JOURNAL_INDEXED_SEGMENTS]; /* of segment n at place n % JOURNAL_INDEXED_SEGMENTS */
};

void journal_free(struct journal *journal)
{
    if (!journal)
        return;
    fd_closep(&journal->segment);
    fd_closep(&journal->directory);
    for (size_t i = 0; i < JOURNAL_INDEXED_SEGMENTS; i++)
        serial_index_clear(&journal->index[i]);
    buf_clear(&journal->batch);
    free(journal->first);
    free(journal);
}

uint64_t journal_newest(const struct journal *journal)
{
    return journal->newest;
}

size_t journal_pending_count(const struct journal *journal)
{
    return (size_t)(journal->appended - journal->newest);
}

static struct serial_index *index_of(struct journal *journal, uint32_t segment)
{
    return &journal->index[segment % JOURNAL_INDEXED_SEGMENTS];
}

/* --- Segments ---------------------------------------------------------- */

static enum status remember_segment(struct journal *journal, uint64_t first_sequence)
{
    uint64_t *more = reallocarray(journal->first, journal->segments + 1, sizeof *more);

    if (!more)
        return fail(FAULT, "%s: no memory for %u segments", journal->path, journal->segments + 1);
    more[journal->segments++] = first_sequence;
    journal->first = more;
    return OK;
}

/* Begin a new segment behind the newest record. */
static enum status start_segment(struct journal *journal, const uint8_t previous[SHA256_BYTES])
{
    struct segment_header header = { .number = journal->segments + 1, .first_sequence = journal->newest + 1 };
    int made = -1;

    memcpy(header.previous, previous, SHA256_BYTES);
    TRY(segment_create(journal->directory, &header, &made));
    fd_closep(&journal->segment);
    journal->segment = made;
    journal->size = SEGMENT_HEADER_BYTES;
    serial_index_clear(index_of(journal, header.number));
    TRY(buf_set(&journal->batch, span_of(header.hash, SHA256_BYTES)));
    return remember_segment(journal, header.first_sequence);
}

/* The newest segment has no whole header: a crash came while it was made, and no record was in it. */
static enum status drop_unmade_segment(struct journal *journal, uint32_t number)
{
    char name[SEGMENT_NAME_BYTES];
    struct stat file;

    segment_name(number, name);
    if (fstatat(journal->directory, name, &file, 0) != 0 || (size_t)file.st_size > SEGMENT_HEADER_BYTES)
        return fail(FAULT, "%s: its header is lost, though there are records behind it", name);
    log_write(LOG_WARNING, "journal: %s was not finished before a crash; it is made anew", name);
    if (unlinkat(journal->directory, name, 0) != 0 || fsync(journal->directory) != 0)
        return fail(FAULT, "%s: cannot be removed: %s", name, strerror(errno));
    return OK;
}

/* --- Opening ----------------------------------------------------------- */

/* A signer that is about to end may still hold the journal, so this waits a little. */
static enum status lock_directory(const struct journal *journal)
{
    const int64_t until_ms = clock_monotonic_ms() + LOCK_WAIT_MS;

    while (flock(journal->directory, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail(FAULT, "%s: cannot lock: %s", journal->path, strerror(errno));
        if (clock_monotonic_ms() > until_ms)
            return fail(FAULT, "%s: another signer is using it", journal->path);
        (void)poll(NULL, 0, 5);
    }
    return OK;
}

/* The number in a segment's file name; 0 for any other file. */
static uint32_t number_of_name(const char *name)
{
    char digits[9];
    int64_t number = 0;

    if (strlen(name) != 12 || memcmp(name + 8, ".log", 4) != 0 ||
        span_to_text(span_of(name, 8), digits, sizeof digits) != OK ||
        number_parse(digits, 1, 99999999, &number) != OK)
        return 0;
    return (uint32_t)number;
}

/* How many segments there are; they are numbered without gaps. */
static enum status count_segments(const struct journal *journal, uint32_t *out)
{
    uint32_t count = 0, highest = 0;
    DIR *listing = opendir(journal->path);

    if (!listing)
        return fail(FAULT, "%s: %s", journal->path, strerror(errno));
    for (const struct dirent *entry = readdir(listing); entry; entry = readdir(listing)) {
        const uint32_t number = number_of_name(entry->d_name);
        count += number != 0;
        highest = number > highest ? number : highest;
    }
    closedir(listing);
    if (highest != count)
        return fail(FAULT, "segments are missing: the newest is %08u.log, but there are only %u", highest, count);
    *out = count;
    return OK;
}

/* Prove all records of one segment and index them; the cursor ends behind the last good one. */
static enum status index_segment(struct journal *journal, struct segment_cursor *cursor, uint32_t number)
{
    struct serial_index *index = index_of(journal, number);
    struct journal_record record;
    enum status status;

    serial_index_clear(index);
    for (;;) {
        const size_t offset = cursor->at;
        status = segment_cursor_next(cursor, &record);
        if (status != OK)
            return status == PENDING ? OK : status;
        if (serial_index_add(index, record.serial, (uint32_t)offset) != OK)
            return FAULT;
    }
}

/* Does a segment go on exactly where the one before ends? */
static enum status check_joint(const struct segment_cursor *before, const struct segment_header *header)
{
    if (memcmp(before->hash, header->previous, SHA256_BYTES) != 0 || before->sequence != header->first_sequence)
        return fail(FAULT, "%s: the segment after it does not go on where it ends (record %llu)", before->name,
                    (unsigned long long)before->sequence - 1);
    return OK;
}

static enum status open_closed_segment(struct journal *journal, uint32_t number)
{
    struct segment_header next;
    AUTO(segment_cursor_close) struct segment_cursor cursor = { .fd = -1 };

    TRY(segment_read_header(journal->directory, number + 1, &next));
    TRY(segment_cursor_open(&cursor, journal->directory, number));
    TRY(index_segment(journal, &cursor, number));
    return check_joint(&cursor, &next);
}

/* Remove what a crash left behind the last whole record. */
static enum status cut_tail(struct journal *journal, const struct segment_cursor *cursor)
{
    log_write(LOG_WARNING, "journal: %s; it was never answered, and is cut off (%zu bytes)", fail_text(),
              cursor->end - cursor->at);
    if (ftruncate(journal->segment, (off_t)cursor->at) != 0)
        return fail(FAULT, "%s: cannot be cut: %s", cursor->name, strerror(errno));
    return OK;
}

static enum status open_newest_segment(struct journal *journal, uint32_t number)
{
    AUTO(segment_cursor_close) struct segment_cursor cursor = { .fd = -1 };

    TRY(segment_cursor_open(&cursor, journal->directory, number));
    journal->segment = openat(journal->directory, cursor.name, O_RDWR | O_APPEND | O_CLOEXEC);
    if (journal->segment < 0)
        return fail(FAULT, "%s: %s", cursor.name, strerror(errno));
    const enum status status = index_segment(journal, &cursor, number);
    if (status == BAD_INPUT)
        TRY(cut_tail(journal, &cursor));
    else if (status != OK)
        return status;
    /* What a killed signer wrote may not be on disk yet, and from now on it will be answered. */
    if (fsync(journal->segment) != 0 || fsync(journal->directory) != 0)
        return fail(FAULT, "%s: cannot sync: %s", cursor.name, strerror(errno));
    journal->size = cursor.at;
    journal->newest = cursor.sequence - 1;
    return buf_set(&journal->batch, span_of(cursor.hash, SHA256_BYTES));
}

/* Read the headers of all segments; only the newest may be without one. */
static enum status open_headers(struct journal *journal, uint32_t *count)
{
    struct segment_header header = { 0 };

    for (uint32_t number = 1; number <= *count; number++) {
        const enum status status = segment_read_header(journal->directory, number, &header);
        if (status == BAD_INPUT && number == *count) {
            *count -= 1;
            return drop_unmade_segment(journal, number);
        }
        if (status != OK)
            return status;
        if (number > 1 && header.first_sequence < journal->first[number - 2])
            return fail(FAULT, "segment %u starts with record %llu, which is before the segment in front of it",
                        number, (unsigned long long)header.first_sequence);
        TRY(remember_segment(journal, header.first_sequence));
    }
    return OK;
}

static enum status open_segments(struct journal *journal)
{
    static const uint8_t nothing[SHA256_BYTES];
    uint32_t count = 0;

    TRY(count_segments(journal, &count));
    TRY(open_headers(journal, &count));
    if (count == 0)
        return start_segment(journal, nothing);
    /* The segments before the newest, as many as are indexed. */
    uint32_t number = count > JOURNAL_INDEXED_SEGMENTS ? count - JOURNAL_INDEXED_SEGMENTS + 1 : 1;
    for (; number < count; number++)
        TRY(open_closed_segment(journal, number));
    return open_newest_segment(journal, count);
}

enum status journal_open(const char *directory, size_t segment_bytes, struct journal **out)
{
    AUTO(journal_freep) struct journal *journal = calloc(1, sizeof *journal);

    if (!journal)
        return fail(FAULT, "%s: no memory", directory);
    journal->directory = journal->segment = -1;
    journal->segment_bytes = segment_bytes < SEGMENT_BYTES_MAX ? segment_bytes : SEGMENT_BYTES_MAX;
    TRY(span_to_text(span_of_text(directory), journal->path, sizeof journal->path));
    TRY(file_make_directory(directory, 0700));
    journal->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->directory < 0)
        return fail(FAULT, "%s: %s", directory, strerror(errno));
    TRY(lock_directory(journal));
    if (open_segments(journal) != OK)
        return fail_in(FAULT, "journal %s", directory);
    journal->appended = journal->newest;
    *out = take(journal);
    return OK;
}

/* --- Appending --------------------------------------------------------- */

enum status journal_append(struct journal *journal, const struct journal_record *record, uint64_t *sequence)
{
    struct journal_record numbered = *record;
    const size_t before = journal->batch.len;
    const size_t offset = journal->size + before - SHA256_BYTES;

    numbered.sequence = journal->appended + 1;
    enum status status = segment_append_record(&journal->batch, &numbered);
    if (status == OK)
        status = serial_index_add(index_of(journal, journal->segments), record->serial, (uint32_t)offset);
    if (status != OK) {
        journal->batch.len = before;
        return status;
    }
    journal->appended++;
    *sequence = numbered.sequence;
    return OK;
}

enum status journal_commit(struct journal *journal)
{
    uint8_t last[SHA256_BYTES];
    const struct span records =
        span_of(journal->batch.ptr + SHA256_BYTES, journal->batch.len - SHA256_BYTES);

    if (!records.len)
        return OK;
    if (file_write_all(journal->segment, records) != OK)
        return fail_in(FAULT, "journal %s: segment %u", journal->path, journal->segments);
    if (fdatasync(journal->segment) != 0)
        return fail(FAULT, "journal %s: segment %u: cannot sync: %s", journal->path, journal->segments,
                    strerror(errno));
    journal->size += records.len;
    journal->newest = journal->appended;
    memcpy(last, records.ptr + records.len - SHA256_BYTES, SHA256_BYTES);
    if (journal->size >= journal->segment_bytes)
        return start_segment(journal, last);
    return buf_set(&journal->batch, span_of(last, SHA256_BYTES));
}

/* --- Finding ----------------------------------------------------------- */

/* Read what stands at a place of a segment, from the hash before it on. */
static enum status read_place(const struct journal *journal, uint32_t segment, size_t offset, struct buf *hold)
{
    char name[SEGMENT_NAME_BYTES];

    segment_name(segment, name);
    hold->len = 0;
    uint8_t *to = buf_reserve(hold, SEGMENT_RECORD_MAX_BYTES);
    if (!to)
        return fail(FAULT, "journal: no memory to read a record");
    AUTO(fd_closep) int fd = openat(journal->directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(FAULT, "journal: %s: %s", name, strerror(errno));
    const ssize_t n = pread(fd, to, SEGMENT_RECORD_MAX_BYTES, (off_t)(offset - SHA256_BYTES));
    if (n < (ssize_t)SHA256_BYTES)
        return fail(FAULT, "journal: %s: cannot be read at byte %zu", name, offset);
    hold->len = (size_t)n;
    return OK;
}

static enum status read_found(const struct journal *journal, uint32_t segment, size_t offset, struct buf *hold,
                              struct journal_record *record)
{
    size_t used = 0;

    if (segment == journal->segments && offset >= journal->size) {
        const size_t in_batch = offset - journal->size;
        TRY(buf_set(hold, span_of(journal->batch.ptr + in_batch, journal->batch.len - in_batch)));
    } else {
        TRY(read_place(journal, segment, offset, hold));
    }
    const enum status status = segment_parse_record(buf_span(hold), record, &used);
    if (status == OK)
        return OK;
    if (status == PENDING)
        (void)fail(FAULT, "it ends too early");
    return fail_in(FAULT, "journal: segment %u at byte %zu", segment, offset);
}

enum status journal_find(struct journal *journal, struct span serial, struct buf *hold,
                         struct journal_record *record, bool *found)
{
    for (uint32_t back = 0; back < JOURNAL_INDEXED_SEGMENTS && back < journal->segments; back++) {
        const uint32_t segment = journal->segments - back;
        const uint32_t offset = serial_index_find(index_of(journal, segment), serial);
        if (!offset)
            continue;
        TRY(read_found(journal, segment, offset, hold, record));
        *found = true;
        return OK;
    }
    *found = false;
    return OK;
}

/* --- Reading ----------------------------------------------------------- */

struct journal_reader {
    const struct journal *journal;
    uint64_t next;    /* record wanted next */
    uint32_t segment; /* open in the cursor; 0: none */
    struct segment_cursor cursor;
};

void journal_reader_free(struct journal_reader *reader)
{
    if (!reader)
        return;
    segment_cursor_close(&reader->cursor);
    free(reader);
}

enum status journal_reader_open(const struct journal *journal, uint64_t after, struct journal_reader **out)
{
    struct journal_reader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return fail(FAULT, "journal: no memory to read it");
    *reader = (struct journal_reader){ .journal = journal, .next = after + 1, .cursor.fd = -1 };
    *out = reader;
    return OK;
}

/* The segment that holds a record: the last one that does not start behind it. */
static uint32_t segment_with(const struct journal *journal, uint64_t sequence)
{
    uint32_t low = 1, high = journal->segments;

    while (low < high) {
        const uint32_t middle = (low + high + 1) / 2;
        if (journal->first[middle - 1] <= sequence)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Open the next segment; it must go on where the last one ended. */
static enum status open_next(struct journal_reader *reader)
{
    const struct journal *journal = reader->journal;
    const uint32_t number = reader->segment ? reader->segment + 1 : segment_with(journal, reader->next);
    struct segment_header header;

    if (reader->segment) {
        TRY(segment_read_header(journal->directory, number, &header));
        TRY(check_joint(&reader->cursor, &header));
    }
    segment_cursor_close(&reader->cursor);
    TRY(segment_cursor_open(&reader->cursor, journal->directory, number));
    reader->segment = number;
    return OK;
}

/* At the end of what the cursor knew: the segment may have grown before it was closed. */
static enum status go_on(struct journal_reader *reader)
{
    bool grown = false;

    if (reader->segment != reader->journal->segments)
        TRY(segment_cursor_extend(&reader->cursor, &grown));
    return grown ? OK : open_next(reader);
}

static enum status read_next(struct journal_reader *reader, struct journal_record *out)
{
    for (;;) {
        if (!reader->segment)
            TRY(open_next(reader));
        /* Never past what is on disk; the newest segment may have grown since. */
        if (reader->segment == reader->journal->segments)
            reader->cursor.end = reader->journal->size;
        enum status status = segment_cursor_next(&reader->cursor, out);
        if (status == PENDING)
            status = go_on(reader);
        else if (status == OK && out->sequence >= reader->next)
            return OK;
        if (status != OK)
            return status;
    }
}

enum status journal_reader_next(struct journal_reader *reader, struct journal_record *out)
{
    if (reader->next > reader->journal->newest)
        return PENDING;
    if (read_next(reader, out) != OK)
        return fail_in(FAULT, "journal %s", reader->journal->path);
    reader->next = out->sequence + 1;
    return OK;
}
