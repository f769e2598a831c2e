/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer/journal.h"

#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BIG_SEGMENT ((size_t)1 << 20)
#define SMALL_SEGMENT ((size_t)2000) /* full with the fourth record of ours */

static char place[PATH_MAX];

static int make_place(void **state)
{
    (void)state;
    snprintf(place, sizeof place, "%s/muster-journal-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    return mkdtemp(place) ? 0 : -1;
}

static int remove_place(void **state)
{
    DIR *listing = opendir(place);

    (void)state;
    assert_non_null(listing);
    for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing))
        (void)unlinkat(dirfd(listing), entry->d_name, 0);
    closedir(listing);
    return rmdir(place);
}

/* --- Records whose every field tells their number ----------------------- */

struct sample {
    uint8_t serial[CERT_SERIAL_MAX_BYTES];
    char device[32];
    uint8_t certificate[600];
    struct journal_record record;
};

static void make_sample(struct sample *s, uint64_t number)
{
    memset(s, 0, sizeof *s);
    s->serial[0] = 0x4d;
    memcpy(s->serial + 1, &number, sizeof number);
    snprintf(s->device, sizeof s->device, "device-%llu", (unsigned long long)number);
    memset(s->certificate, 'a' + (int)(number % 26), sizeof s->certificate);
    s->record = (struct journal_record){
        .sequence = number,
        .serial = span_of(s->serial, sizeof s->serial),
        .authority = SPAN_LITERAL("issuing"),
        .template = SPAN_LITERAL("device"),
        .device = span_of_text(s->device),
        .certificate = span_of(s->certificate, 500 + number % 100),
    };
}

static bool is_sample(const struct journal_record *record, uint64_t number)
{
    struct sample want;

    make_sample(&want, number);
    return record->sequence == number && span_equal(record->serial, want.record.serial) &&
           span_equal(record->authority, want.record.authority) &&
           span_equal(record->template, want.record.template) &&
           span_equal(record->device, want.record.device) &&
           span_equal(record->certificate, want.record.certificate);
}

static void append(struct journal *journal, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++) {
        struct sample s;
        uint64_t sequence = 0;
        make_sample(&s, i);
        assert_int_equal(journal_append(journal, &s.record, &sequence), OK);
        assert_int_equal(sequence, i);
    }
}

/* A closed journal of records 1 .. count, each in a batch of its own. */
static void make_journal(size_t segment_bytes, uint64_t count)
{
    AUTO(journal_freep) struct journal *journal = NULL;

    assert_int_equal(journal_open(place, segment_bytes, &journal), OK);
    for (uint64_t i = journal_newest(journal) + 1; i <= count; i++) {
        append(journal, i, i);
        assert_int_equal(journal_commit(journal), OK);
    }
}

static void assert_reads(struct journal *journal, uint64_t after, uint64_t last)
{
    AUTO(journal_reader_freep) struct journal_reader *reader = NULL;
    struct journal_record record;

    assert_int_equal(journal_reader_open(journal, after, &reader), OK);
    for (uint64_t i = after + 1; i <= last; i++) {
        assert_int_equal(journal_reader_next(reader, &record), OK);
        assert_true(is_sample(&record, i));
    }
    assert_int_equal(journal_reader_next(reader, &record), PENDING);
}

static void assert_opens_with(uint64_t newest)
{
    AUTO(journal_freep) struct journal *journal = NULL;

    assert_int_equal(journal_open(place, BIG_SEGMENT, &journal), OK);
    assert_int_equal(journal_newest(journal), newest);
    assert_reads(journal, 0, newest);
}

static void assert_does_not_open(const char *why)
{
    struct journal *journal = NULL;

    assert_int_equal(journal_open(place, BIG_SEGMENT, &journal), FAULT);
    assert_null(journal);
    assert_non_null(strstr(fail_text(), why));
}

/* --- Segments as files -------------------------------------------------- */

static void segment_path(uint32_t number, char path[PATH_MAX + 16])
{
    char name[SEGMENT_NAME_BYTES];

    segment_name(number, name);
    snprintf(path, PATH_MAX + 16, "%s/%s", place, name);
}

static void read_segment(uint32_t number, struct buf *out)
{
    char path[PATH_MAX + 16];

    segment_path(number, path);
    out->len = 0;
    assert_int_equal(file_read(path, BIG_SEGMENT, out), OK);
}

/* Not synced, for speed. */
static void write_segment(uint32_t number, struct span content)
{
    char path[PATH_MAX + 16];

    segment_path(number, path);
    AUTO(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, content), OK);
}

/* --- Tests -------------------------------------------------------------- */

static void a_new_journal_is_empty(void **state)
{
    AUTO(journal_freep) struct journal *journal = NULL;

    (void)state;
    assert_int_equal(journal_open(place, BIG_SEGMENT, &journal), OK);
    assert_int_equal(journal_newest(journal), 0);
    assert_reads(journal, 0, 0);
}

static void what_was_committed_is_there_after_opening_again(void **state)
{
    (void)state;
    make_journal(BIG_SEGMENT, 10);
    assert_opens_with(10);
    make_journal(BIG_SEGMENT, 15);
    assert_opens_with(15);
}

static void what_was_not_committed_is_not_read(void **state)
{
    AUTO(journal_freep) struct journal *journal = NULL;

    (void)state;
    assert_int_equal(journal_open(place, BIG_SEGMENT, &journal), OK);
    append(journal, 1, 3);
    assert_int_equal(journal_pending_count(journal), 3);
    assert_reads(journal, 0, 0);
    assert_int_equal(journal_commit(journal), OK);
    assert_int_equal(journal_pending_count(journal), 0);
    append(journal, 4, 5);
    assert_reads(journal, 0, 3);
}

static void a_second_signer_is_kept_out(void **state)
{
    AUTO(journal_freep) struct journal *journal = NULL;

    (void)state;
    assert_int_equal(journal_open(place, BIG_SEGMENT, &journal), OK);
    assert_does_not_open("another signer");
}

static void a_torn_tail_is_cut_at_every_byte_of_the_last_record(void **state)
{
    AUTO(buf_clear) struct buf three = { 0 };
    AUTO(buf_clear) struct buf four = { 0 };

    (void)state;
    make_journal(BIG_SEGMENT, 3);
    read_segment(1, &three);
    make_journal(BIG_SEGMENT, 4);
    read_segment(1, &four);
    for (size_t length = three.len + 1; length < four.len; length++) {
        write_segment(1, span_of(four.ptr, length));
        assert_opens_with(3);
        AUTO(buf_clear) struct buf now = { 0 };
        read_segment(1, &now);
        assert_int_equal(now.len, three.len);
    }
    make_journal(BIG_SEGMENT, 5);
    assert_opens_with(5);
}

static void a_tail_whose_blocks_never_reached_the_disk_is_cut(void **state)
{
    AUTO(buf_clear) struct buf three = { 0 };
    AUTO(buf_clear) struct buf four = { 0 };

    (void)state;
    make_journal(BIG_SEGMENT, 3);
    read_segment(1, &three);
    make_journal(BIG_SEGMENT, 4);
    read_segment(1, &four);
    for (size_t from = three.len; from + SHA256_BYTES <= four.len; from++) {
        AUTO(buf_clear) struct buf holed = { 0 };
        assert_int_equal(buf_set(&holed, buf_span(&four)), OK);
        memset(holed.ptr + from, 0, holed.len - from);
        write_segment(1, buf_span(&holed));
        assert_opens_with(3);
    }
}

static void every_flipped_byte_is_found(void **state)
{
    AUTO(buf_clear) struct buf good = { 0 };

    (void)state;
    make_journal(BIG_SEGMENT, 3);
    read_segment(1, &good);
    for (size_t i = 0; i < good.len; i++) {
        good.ptr[i] ^= (uint8_t)(1u << i % 8);
        write_segment(1, buf_span(&good));
        assert_does_not_open("00000001.log");
        good.ptr[i] ^= (uint8_t)(1u << i % 8);
    }
    write_segment(1, buf_span(&good));
    assert_opens_with(3);
}

static void a_removed_record_in_the_middle_is_found(void **state)
{
    AUTO(buf_clear) struct buf one = { 0 };
    AUTO(buf_clear) struct buf two = { 0 };
    AUTO(buf_clear) struct buf three = { 0 };

    (void)state;
    make_journal(BIG_SEGMENT, 1);
    read_segment(1, &one);
    make_journal(BIG_SEGMENT, 2);
    read_segment(1, &two);
    make_journal(BIG_SEGMENT, 3);
    read_segment(1, &three);
    assert_int_equal(buf_append(&one, span_of(three.ptr + two.len, three.len - two.len)), OK);
    write_segment(1, buf_span(&one));
    assert_does_not_open("record 2");
}

static void a_full_segment_is_followed_by_the_next(void **state)
{
    char path[PATH_MAX + 16];
    struct stat file;

    (void)state;
    make_journal(SMALL_SEGMENT, 20);
    segment_path(5, path);
    assert_int_equal(stat(path, &file), 0);
    assert_opens_with(20);
    make_journal(SMALL_SEGMENT, 30);
    assert_opens_with(30);
}

static void reading_starts_after_any_record(void **state)
{
    AUTO(journal_freep) struct journal *journal = NULL;

    (void)state;
    make_journal(SMALL_SEGMENT, 20);
    assert_int_equal(journal_open(place, SMALL_SEGMENT, &journal), OK);
    for (uint64_t after = 0; after <= 20; after++)
        assert_reads(journal, after, 20);
    assert_reads(journal, 1000, 0);
}

static void a_reader_keeps_up_with_a_growing_journal(void **state)
{
    AUTO(journal_freep) struct journal *journal = NULL;
    AUTO(journal_reader_freep) struct journal_reader *reader = NULL;
    struct journal_record record;

    (void)state;
    assert_int_equal(journal_open(place, SMALL_SEGMENT, &journal), OK);
    assert_int_equal(journal_reader_open(journal, 0, &reader), OK);
    for (uint64_t i = 1; i <= 40; i += 2) {
        append(journal, i, i + 1);
        assert_int_equal(journal_commit(journal), OK);
        for (uint64_t n = i; n <= i + 1; n++) {
            assert_int_equal(journal_reader_next(reader, &record), OK);
            assert_true(is_sample(&record, n));
        }
        assert_int_equal(journal_reader_next(reader, &record), PENDING);
    }
}

static void a_reader_that_fell_behind_sees_the_rest_of_a_closed_segment(void **state)
{
    AUTO(journal_freep) struct journal *journal = NULL;
    AUTO(journal_reader_freep) struct journal_reader *reader = NULL;
    struct journal_record record;

    (void)state;
    assert_int_equal(journal_open(place, SMALL_SEGMENT, &journal), OK);
    append(journal, 1, 1);
    assert_int_equal(journal_commit(journal), OK);
    assert_int_equal(journal_reader_open(journal, 0, &reader), OK);
    assert_int_equal(journal_reader_next(reader, &record), OK);
    for (uint64_t i = 2; i <= 20; i++) {
        append(journal, i, i);
        assert_int_equal(journal_commit(journal), OK);
    }
    for (uint64_t i = 2; i <= 20; i++) {
        assert_int_equal(journal_reader_next(reader, &record), OK);
        assert_true(is_sample(&record, i));
    }
    assert_int_equal(journal_reader_next(reader, &record), PENDING);
}

static void a_missing_segment_is_found(void **state)
{
    char path[PATH_MAX + 16];

    (void)state;
    make_journal(SMALL_SEGMENT, 20);
    segment_path(2, path);
    assert_int_equal(unlink(path), 0);
    assert_does_not_open("segments are missing");
}

static void a_segment_cut_short_is_found_at_its_joint(void **state)
{
    AUTO(buf_clear) struct buf one = { 0 };

    (void)state;
    make_journal(SMALL_SEGMENT, 1);
    read_segment(1, &one);
    make_journal(SMALL_SEGMENT, 4);
    write_segment(1, buf_span(&one));
    assert_does_not_open("does not go on where it ends");
}

static void an_old_segment_that_was_changed_is_found_when_it_is_read(void **state)
{
    AUTO(journal_freep) struct journal *journal = NULL;
    AUTO(journal_reader_freep) struct journal_reader *reader = NULL;
    AUTO(buf_clear) struct buf old = { 0 };
    struct journal_record record;

    (void)state;
    make_journal(SMALL_SEGMENT, 20);
    read_segment(1, &old);
    old.ptr[old.len - 100] ^= 1;
    write_segment(1, buf_span(&old));
    assert_int_equal(journal_open(place, SMALL_SEGMENT, &journal), OK);
    assert_int_equal(journal_reader_open(journal, 0, &reader), OK);
    enum status status = OK;
    while (status == OK)
        status = journal_reader_next(reader, &record);
    assert_int_equal(status, FAULT);
    assert_non_null(strstr(fail_text(), "00000001.log"));
}

static void a_segment_that_a_crash_left_without_a_header_is_made_anew(void **state)
{
    AUTO(buf_clear) struct buf header = { 0 };
    static const uint8_t zeros[SEGMENT_HEADER_BYTES];

    (void)state;
    make_journal(SMALL_SEGMENT, 6); /* two segments, and the second is not full */
    read_segment(2, &header);
    for (size_t length = 0; length < SEGMENT_HEADER_BYTES; length++) {
        write_segment(3, span_of(header.ptr, length));
        assert_opens_with(6);
    }
    write_segment(3, span_of(zeros, sizeof zeros));
    assert_opens_with(6);
}

static void a_serial_number_is_found_in_the_batch_and_on_disk(void **state)
{
    AUTO(journal_freep) struct journal *journal = NULL;
    AUTO(buf_clear) struct buf hold = { 0 };
    struct journal_record record;
    struct sample s;
    bool found = false;

    (void)state;
    make_journal(SMALL_SEGMENT, 5);
    assert_int_equal(journal_open(place, SMALL_SEGMENT, &journal), OK);
    append(journal, 6, 7);
    for (uint64_t i = 1; i <= 7; i++) {
        make_sample(&s, i);
        assert_int_equal(journal_find(journal, s.record.serial, &hold, &record, &found), OK);
        assert_true(found);
        assert_true(is_sample(&record, i));
    }
    make_sample(&s, 8);
    assert_int_equal(journal_find(journal, s.record.serial, &hold, &record, &found), OK);
    assert_false(found);
}

static void a_record_with_an_endless_field_is_refused(void **state)
{
    static uint8_t endless[CERT_MAX_BYTES + 1];
    AUTO(journal_freep) struct journal *journal = NULL;
    struct sample s;
    uint64_t sequence = 0;

    (void)state;
    make_sample(&s, 1);
    s.record.certificate = span_of(endless, sizeof endless);
    assert_int_equal(journal_open(place, BIG_SEGMENT, &journal), OK);
    assert_int_equal(journal_append(journal, &s.record, &sequence), BAD_INPUT);
    make_sample(&s, 1);
    s.record.serial.len = 0;
    assert_int_equal(journal_append(journal, &s.record, &sequence), BAD_INPUT);
    append(journal, 1, 2);
    assert_int_equal(journal_commit(journal), OK);
    assert_reads(journal, 0, 2);
}

static void a_hundred_thousand_records_open_quickly(void **state)
{
    AUTO(journal_freep) struct journal *journal = NULL;

    (void)state;
    assert_int_equal(journal_open(place, JOURNAL_SEGMENT_BYTES, &journal), OK);
    for (uint64_t i = 1; i <= 100000; i += 1000) {
        append(journal, i, i + 999);
        assert_int_equal(journal_commit(journal), OK);
    }
    journal_free(take(journal));
    const int64_t start_ms = clock_monotonic_ms();
    assert_int_equal(journal_open(place, JOURNAL_SEGMENT_BYTES, &journal), OK);
    const int64_t took_ms = clock_monotonic_ms() - start_ms;
    assert_int_equal(journal_newest(journal), 100000);
    print_message("100,000 records: open in %lld ms\n", (long long)took_ms);
    assert_true(took_ms < 2000); /* generous: a sanitizer's build on a busy machine */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        TEST(a_new_journal_is_empty),
        TEST(what_was_committed_is_there_after_opening_again),
        TEST(what_was_not_committed_is_not_read),
        TEST(a_second_signer_is_kept_out),
        TEST(a_torn_tail_is_cut_at_every_byte_of_the_last_record),
        TEST(a_tail_whose_blocks_never_reached_the_disk_is_cut),
        TEST(every_flipped_byte_is_found),
        TEST(a_removed_record_in_the_middle_is_found),
        TEST(a_full_segment_is_followed_by_the_next),
        TEST(reading_starts_after_any_record),
        TEST(a_reader_keeps_up_with_a_growing_journal),
        TEST(a_reader_that_fell_behind_sees_the_rest_of_a_closed_segment),
        TEST(a_missing_segment_is_found),
        TEST(a_segment_cut_short_is_found_at_its_joint),
        TEST(an_old_segment_that_was_changed_is_found_when_it_is_read),
        TEST(a_segment_that_a_crash_left_without_a_header_is_made_anew),
        TEST(a_serial_number_is_found_in_the_batch_and_on_disk),
        TEST(a_record_with_an_endless_field_is_refused),
        TEST(a_hundred_thousand_records_open_quickly),
    };

    log_init("journal_test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
