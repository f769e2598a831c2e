/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer/segment.h"

#include "lib/base/file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define HEADER_MAGIC "MUSTERJ1"
#define HEADER_MAGIC_BYTES ((size_t)8)
#define RECORD_LENGTH_BYTES ((size_t)8)
#define RECORD_KIND_CERTIFICATE 1
#define SECTOR_BYTES ((size_t)512)
#define WINDOW_BYTES ((size_t)262144)

/* The fields of a body in their order, with the longest that each may be. */
static const struct field {
    size_t offset; /* within struct journal_record */
    size_t most;
} fields[] = {
    { offsetof(struct journal_record, serial), CERT_SERIAL_MAX_BYTES },
    { offsetof(struct journal_record, authority), 64 },
    { offsetof(struct journal_record, template), 64 },
    { offsetof(struct journal_record, device), 256 },
    { offsetof(struct journal_record, certificate), CERT_MAX_BYTES },
};

void segment_name(uint32_t number, char name[SEGMENT_NAME_BYTES])
{
    snprintf(name, SEGMENT_NAME_BYTES, "%08u.log", number);
}

/* --- Numbers ----------------------------------------------------------- */

static enum status put_number(struct buf *out, uint64_t value, size_t size)
{
    const uint64_t big = htobe64(value);

    return buf_append(out, span_of((const uint8_t *)&big + 8 - size, size));
}

/* Take a number off the front; false where the bytes do not reach. */
static bool take_number(struct span *from, size_t size, uint64_t *out)
{
    uint64_t big = 0;

    if (from->len < size)
        return false;
    memcpy((uint8_t *)&big + 8 - size, from->ptr, size);
    *from = span_of(from->ptr + size, from->len - size);
    *out = be64toh(big);
    return true;
}

/* --- Header ------------------------------------------------------------ */

static enum status pack_header(struct segment_header *header, struct buf *out)
{
    TRY(buf_append(out, span_of(HEADER_MAGIC, HEADER_MAGIC_BYTES)));
    TRY(put_number(out, header->number, 4));
    TRY(put_number(out, header->first_sequence, 8));
    TRY(buf_append(out, span_of(header->previous, SHA256_BYTES)));
    sha256(buf_span(out), header->hash);
    return buf_append(out, span_of(header->hash, SHA256_BYTES));
}

static enum status write_header(int directory, const char *name, struct segment_header *header, int fd)
{
    AUTO(buf_clear) struct buf bytes = { 0 };

    TRY(pack_header(header, &bytes));
    TRY(file_write_all(fd, buf_span(&bytes)));
    if (fsync(fd) != 0 || fsync(directory) != 0)
        return fail(FAULT, "%s: cannot sync: %s", name, strerror(errno));
    return OK;
}

enum status segment_create(int directory, struct segment_header *header, int *fd)
{
    char name[SEGMENT_NAME_BYTES];

    segment_name(header->number, name);
    /* Not preallocated: with fallocate(KEEP_SIZE) a synced append costs the same (195 us against 179 us on
     * ext4), because each one moves the end of the file anyway. */
    AUTO(fd_closep) int made = openat(directory, name, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0)
        return fail(FAULT, "%s: cannot make it: %s", name, strerror(errno));
    TRY(write_header(directory, name, header, made));
    *fd = made;
    made = -1;
    return OK;
}

/* Blocks of a file that never reached the disk read as zeros: a whole sector of them, or what is left
 * of one at the end of the file.  No record holds so many, and no hash is all zeros. */
static bool has_empty_sector(struct span bytes)
{
    size_t zeros = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        zeros = bytes.ptr[i] ? 0 : zeros + 1;
        if (zeros == SECTOR_BYTES)
            return true;
    }
    return zeros >= (bytes.len < SHA256_BYTES ? bytes.len : SHA256_BYTES);
}

static enum status parse_header(struct span bytes, const char *name, struct segment_header *out)
{
    uint8_t hash[SHA256_BYTES];
    uint64_t number = 0, first = 0;
    const struct span magic = span_of(HEADER_MAGIC, HEADER_MAGIC_BYTES);
    const struct span hashed = span_of(bytes.ptr, SEGMENT_HEADER_BYTES - SHA256_BYTES);

    if (bytes.len < SEGMENT_HEADER_BYTES || has_empty_sector(bytes))
        return fail(BAD_INPUT, "%s: its header is incomplete", name);
    if (!span_equal(span_of(bytes.ptr, HEADER_MAGIC_BYTES), magic))
        return fail(BAD_PROOF, "%s: is not a segment of a journal", name);
    sha256(hashed, hash);
    if (memcmp(hash, bytes.ptr + hashed.len, SHA256_BYTES) != 0)
        return fail(BAD_PROOF, "%s: its header has been changed", name);
    struct span rest = span_of(bytes.ptr + HEADER_MAGIC_BYTES, hashed.len - HEADER_MAGIC_BYTES);
    (void)(take_number(&rest, 4, &number) && take_number(&rest, 8, &first)); /* they fit: see the lengths */
    *out = (struct segment_header){ .number = (uint32_t)number, .first_sequence = first };
    memcpy(out->previous, rest.ptr, SHA256_BYTES);
    memcpy(out->hash, hash, SHA256_BYTES);
    return OK;
}

static enum status read_header(int fd, const char *name, uint32_t number, struct segment_header *out)
{
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    struct segment_header header;
    const ssize_t n = pread(fd, bytes, sizeof bytes, 0);

    if (n < 0)
        return fail(FAULT, "%s: %s", name, strerror(errno));
    TRY(parse_header(span_of(bytes, (size_t)n), name, &header));
    if (header.number != number)
        return fail(BAD_PROOF, "%s: its header says that it is segment %u", name, header.number);
    *out = header;
    return OK;
}

enum status segment_read_header(int directory, uint32_t number, struct segment_header *out)
{
    char name[SEGMENT_NAME_BYTES];

    segment_name(number, name);
    AUTO(fd_closep) int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(FAULT, "%s: %s", name, strerror(errno));
    return read_header(fd, name, number, out);
}

/* --- Records ----------------------------------------------------------- */

static struct span *field_of(const struct journal_record *record, size_t i)
{
    return (struct span *)((uintptr_t)record + fields[i].offset);
}

static size_t body_bytes(const struct journal_record *record)
{
    size_t sum = 8 + 1;

    for (size_t i = 0; i < COUNT_OF(fields); i++)
        sum += 2 + field_of(record, i)->len;
    return sum;
}

static enum status check_fields(const struct journal_record *record)
{
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (field_of(record, i)->len > fields[i].most)
            return fail(BAD_INPUT, "journal: field %zu of a record has %zu bytes, at most %zu", i + 1,
                        field_of(record, i)->len, fields[i].most);
    return OK;
}

enum status segment_append_record(struct buf *out, const struct journal_record *record)
{
    uint8_t hash[SHA256_BYTES];
    const size_t start = out->len - SHA256_BYTES;
    const size_t length = body_bytes(record);

    TRY(check_fields(record));
    if (!buf_reserve(out, RECORD_LENGTH_BYTES + length + SHA256_BYTES))
        return fail(FAULT, "journal: no room for one more record in this batch");
    TRY(put_number(out, length, 4));
    TRY(put_number(out, ~(uint32_t)length, 4));
    TRY(put_number(out, record->sequence, 8));
    TRY(put_number(out, RECORD_KIND_CERTIFICATE, 1));
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        TRY(put_number(out, field_of(record, i)->len, 2));
        TRY(buf_append(out, *field_of(record, i)));
    }
    sha256(span_of(out->ptr + start, out->len - start), hash);
    return buf_append(out, span_of(hash, sizeof hash));
}

static bool parse_body(struct span body, struct journal_record *out)
{
    uint64_t number = 0;

    if (!take_number(&body, 8, &out->sequence) || !take_number(&body, 1, &number) ||
        number != RECORD_KIND_CERTIFICATE)
        return false;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        if (!take_number(&body, 2, &number) || number > fields[i].most || number > body.len)
            return false;
        *field_of(out, i) = span_of(body.ptr, (size_t)number);
        body = span_of(body.ptr + number, body.len - (size_t)number);
    }
    return body.len == 0;
}

enum status segment_parse_record(struct span bytes, struct journal_record *out, size_t *used)
{
    uint8_t hash[SHA256_BYTES];
    uint64_t length = 0, inverted = 0;
    struct journal_record record = { 0 };
    struct span rest = span_of(bytes.ptr + SHA256_BYTES, bytes.len - SHA256_BYTES);

    if (!take_number(&rest, 4, &length) || !take_number(&rest, 4, &inverted))
        return PENDING;
    if (inverted != (uint32_t)~length || length > SEGMENT_RECORD_MAX_BYTES)
        return fail(BAD_PROOF, "its length is not what was written");
    if (rest.len < length + SHA256_BYTES)
        return PENDING;
    const size_t hashed = SHA256_BYTES + RECORD_LENGTH_BYTES + (size_t)length;
    sha256(span_of(bytes.ptr, hashed), hash);
    if (memcmp(hash, rest.ptr + length, SHA256_BYTES) != 0)
        return fail(BAD_PROOF, "its hash does not fit it and what stands before it");
    if (!parse_body(span_of(rest.ptr, (size_t)length), &record))
        return fail(BAD_PROOF, "its fields do not fit its length");
    *out = record;
    *used = RECORD_LENGTH_BYTES + (size_t)length + SHA256_BYTES;
    return OK;
}

/* --- Walking ----------------------------------------------------------- */

static enum status start_cursor(struct segment_cursor *cursor, uint32_t number)
{
    struct segment_header header;
    struct stat file;

    TRY(read_header(cursor->fd, cursor->name, number, &header));
    if (fstat(cursor->fd, &file) != 0)
        return fail(FAULT, "%s: %s", cursor->name, strerror(errno));
    cursor->window = malloc(WINDOW_BYTES);
    if (!cursor->window)
        return fail(FAULT, "%s: no memory to read it", cursor->name);
    cursor->at = SEGMENT_HEADER_BYTES;
    cursor->end = (size_t)file.st_size;
    cursor->sequence = header.first_sequence;
    memcpy(cursor->hash, header.hash, SHA256_BYTES);
    return OK;
}

enum status segment_cursor_open(struct segment_cursor *cursor, int directory, uint32_t number)
{
    *cursor = (struct segment_cursor){ .fd = -1 };
    segment_name(number, cursor->name);
    cursor->fd = openat(directory, cursor->name, O_RDONLY | O_CLOEXEC);
    if (cursor->fd < 0)
        return fail(FAULT, "%s: %s", cursor->name, strerror(errno));
    const enum status status = start_cursor(cursor, number);
    if (status != OK)
        segment_cursor_close(cursor);
    return status;
}

void segment_cursor_close(struct segment_cursor *cursor)
{
    fd_closep(&cursor->fd);
    cursor->fd = -1;
    free(cursor->window);
    cursor->window = NULL;
}

enum status segment_cursor_extend(struct segment_cursor *cursor, bool *grown)
{
    struct stat file;

    if (fstat(cursor->fd, &file) != 0)
        return fail(FAULT, "%s: %s", cursor->name, strerror(errno));
    *grown = (size_t)file.st_size > cursor->end;
    cursor->end = (size_t)file.st_size;
    return OK;
}

/* What of the file lies in the window, from the hash before the next record on. */
static struct span seen(const struct segment_cursor *cursor)
{
    const size_t from = cursor->at - SHA256_BYTES;

    if (cursor->window_at > from || cursor->window_at + cursor->window_len < cursor->at)
        return span_of(cursor->hash, 0);
    return span_of(cursor->window + (from - cursor->window_at), cursor->window_at + cursor->window_len - from);
}

/* Put the window where the next record begins. */
static enum status move_window(struct segment_cursor *cursor)
{
    const size_t from = cursor->at - SHA256_BYTES;
    const size_t want = cursor->end - from < WINDOW_BYTES ? cursor->end - from : WINDOW_BYTES;
    size_t got = 0;

    while (got < want) {
        const ssize_t n = pread(cursor->fd, cursor->window + got, want - got, (off_t)(from + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(FAULT, "%s: cannot be read at byte %zu: %s", cursor->name, from + got,
                        n < 0 ? strerror(errno) : "it became shorter");
        got += (size_t)n;
    }
    cursor->window_at = from;
    cursor->window_len = got;
    return OK;
}

static enum status tell_incomplete(const struct segment_cursor *cursor)
{
    return fail(BAD_INPUT, "%s: record %llu at byte %zu is incomplete", cursor->name,
                (unsigned long long)cursor->sequence, cursor->at);
}

static enum status tell_broken(const struct segment_cursor *cursor)
{
    return fail_in(BAD_PROOF, "%s: record %llu at byte %zu", cursor->name,
                   (unsigned long long)cursor->sequence, cursor->at);
}

/* A record that cannot be read, though the window holds all there is of it: cut off, or changed? */
static enum status judge(const struct segment_cursor *cursor, enum status status)
{
    if (status == PENDING)
        return tell_incomplete(cursor);
    const struct span bytes = seen(cursor);
    if (has_empty_sector(span_of(bytes.ptr + SHA256_BYTES, bytes.len - SHA256_BYTES)))
        return tell_incomplete(cursor);
    return tell_broken(cursor);
}

static enum status parse_next(struct segment_cursor *cursor, struct journal_record *record, size_t *used)
{
    const struct span bytes = seen(cursor);
    const enum status status = bytes.len > SHA256_BYTES ? segment_parse_record(bytes, record, used) : PENDING;

    if (status == OK)
        return OK;
    TRY(move_window(cursor));
    const enum status again = segment_parse_record(seen(cursor), record, used);
    return again == OK ? OK : judge(cursor, again);
}

enum status segment_cursor_next(struct segment_cursor *cursor, struct journal_record *out)
{
    struct journal_record record;
    size_t used = 0;

    if (cursor->at >= cursor->end)
        return PENDING;
    TRY(parse_next(cursor, &record, &used));
    if (record.sequence != cursor->sequence) {
        (void)fail(BAD_PROOF, "it carries the number %llu", (unsigned long long)record.sequence);
        return tell_broken(cursor);
    }
    cursor->at += used;
    cursor->sequence++;
    /* The certificate is the last field; the record's own hash follows it. */
    memcpy(cursor->hash, record.certificate.ptr + record.certificate.len, SHA256_BYTES);
    *out = record;
    return OK;
}
