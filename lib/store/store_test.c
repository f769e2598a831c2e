/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/store/fixture.h"

#include "lib/base/test.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW_S INT64_C(1800000000)

/* --- Small helpers --------------------------------------------------------------- */

static void open_again(struct place *place)
{
    store_free(place->store);
    place->store = NULL;
    assert_int_equal(store_open(place->path, &place->store), OK);
}

/* Another program's look at, or hand on, the same file, while the ledger is closed. */
static void tamper(struct place *place, const char *sql)
{
    sqlite3 *db = NULL;

    store_free(place->store);
    place->store = NULL;
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int64_t add_device(struct store *store, const char *name)
{
    struct store_device device = { .added_s = NOW_S };

    snprintf(device.name, sizeof device.name, "%s", name);
    snprintf(device.username, sizeof device.username, "user-%s", name);
    snprintf(device.template, sizeof device.template, "device");
    snprintf(device.path, sizeof device.path, "factory");
    assert_int_equal(store_device_add(store, &device), OK);
    assert_true(device.id > 0);
    return device.id;
}

static int64_t an_authority(struct store *store)
{
    int64_t id = 0;

    assert_int_equal(store_authority_put(store, "issuing", SPAN_LITERAL("certificate"), &id), OK);
    return id;
}

/* An intent whose serial, key and transaction all come from one number. */
static int64_t add_intent(struct store *store, int64_t device, int number)
{
    uint8_t serial[CERT_SERIAL_MAX_BYTES] = { 0x4d }, hash[SHA256_BYTES] = { 0 };
    int64_t id = 0;

    memcpy(serial + 1, &number, sizeof number);
    memcpy(hash, &number, sizeof number);
    const struct store_enrolment row = {
        .device = device,
        .authority = an_authority(store),
        .serial = span_of(serial, sizeof serial),
        .key_hash = span_of(hash, sizeof hash),
        .transaction_hash = span_of(hash, sizeof hash),
        .subject = SPAN_LITERAL("subject"),
        .spki = SPAN_LITERAL("spki"),
        .asked_s = NOW_S,
        .not_before_s = NOW_S - 300,
        .not_after_s = NOW_S + 86400,
        .template = SPAN_LITERAL("device"),
        .path = SPAN_LITERAL("factory"),
        .transaction = SPAN_LITERAL("transaction"),
        .address = SPAN_LITERAL("192.0.2.1"),
    };
    assert_int_equal(store_enrolment_add(store, &row, &id), OK);
    return id;
}

static void add_event(struct store *store, const char *text)
{
    const struct store_event event = { .when_s = NOW_S, .kind = SPAN_LITERAL("test"), .text = span_of_text(text) };

    assert_int_equal(store_event_append(store, &event), OK);
}

/* --- Devices ------------------------------------------------------------------------ */

static void a_device_comes_back_as_it_was_added(void **state)
{
    struct place *place = *state;
    struct store_device device;

    assert_int_equal(store_begin(place->store), OK);
    const int64_t id = add_device(place->store, "gw-1");
    assert_int_equal(store_commit(place->store), OK);
    open_again(place);
    assert_int_equal(store_device_find_username(place->store, SPAN_LITERAL("user-gw-1"), &device), OK);
    assert_true(device.id == id);
    assert_string_equal(device.name, "gw-1");
    assert_string_equal(device.template, "device");
    assert_string_equal(device.path, "factory");
    assert_int_equal(device.state, DEVICE_ACTIVE);
    assert_int_equal(device.credential.kind, 0);
    assert_int_equal(store_device_find_username(place->store, SPAN_LITERAL("nobody"), &device), OK);
    assert_true(device.id == 0);
}

static void a_name_or_username_that_is_taken_is_refused(void **state)
{
    struct place *place = *state;
    struct store_device same = { .name = "gw-1", .username = "other", .template = "t", .path = "p" };
    struct store_device user = { .name = "gw-2", .username = "user-gw-1", .template = "t", .path = "p" };

    assert_int_equal(store_begin(place->store), OK);
    add_device(place->store, "gw-1");
    assert_int_equal(store_device_add(place->store, &same), REFUSED);
    assert_int_equal(store_device_add(place->store, &user), REFUSED);
    assert_int_equal(store_commit(place->store), OK);
}

static void a_removed_device_can_be_added_again_and_keeps_its_row(void **state)
{
    struct place *place = *state;
    const struct store_credential credential = { .kind = CREDENTIAL_GENERATED, .expires_s = NOW_S + 1 };
    struct store_device device;

    assert_int_equal(store_begin(place->store), OK);
    const int64_t id = add_device(place->store, "gw-1");
    assert_int_equal(store_credential_put(place->store, id, &credential), OK);
    assert_int_equal(store_device_remove(place->store, id), OK);
    assert_int_equal(store_device_find(place->store, id, &device), OK);
    assert_int_equal(device.state, DEVICE_REMOVED);
    assert_int_equal(device.credential.kind, 0);
    assert_true(add_device(place->store, "gw-1") == id);
    assert_int_equal(store_commit(place->store), OK);
}

struct names {
    char text[512];
    unsigned count;
};

static enum status note_name(void *context, const struct store_device *device)
{
    struct names *names = context;

    snprintf(names->text + strlen(names->text), sizeof names->text - strlen(names->text), "%s ", device->name);
    names->count++;
    return OK;
}

static void devices_are_listed_page_by_page_in_order(void **state)
{
    struct place *place = *state;
    struct names names = { 0 };

    assert_int_equal(store_begin(place->store), OK);
    add_device(place->store, "c");
    add_device(place->store, "a");
    add_device(place->store, "b");
    assert_int_equal(store_device_page(place->store, "", "", 2, note_name, &names), OK);
    assert_string_equal(names.text, "a b ");
    assert_int_equal(store_device_page(place->store, "b", "", 2, note_name, &names), OK);
    assert_string_equal(names.text, "a b c ");
    assert_int_equal(store_device_page(place->store, "", "another", 2, note_name, &names), OK);
    assert_int_equal(names.count, 3);
    assert_int_equal(store_commit(place->store), OK);
}

/* --- Passwords -------------------------------------------------------------------------- */

static void a_password_follows_the_state_of_the_enrolment_it_let_in(void **state)
{
    struct place *place = *state;
    struct store *store = place->store;
    const struct store_credential credential = { .kind = CREDENTIAL_GENERATED, .verifier = { 1, 2, 3 } };
    struct store_device device;

    assert_int_equal(store_begin(store), OK);
    const int64_t id = add_device(store, "gw-1");
    assert_int_equal(store_credential_put(store, id, &credential), OK);
    assert_int_equal(store_credential_count_wrong(store, id), OK);
    const int64_t first = add_intent(store, id, 1);
    assert_int_equal(store_credential_reserve(store, id, first), OK);
    assert_int_equal(store_device_find(store, id, &device), OK);
    assert_int_equal(device.credential.enrolment_state, ENROLMENT_OPEN);
    assert_true(device.credential.wrong_tries == 1);
    assert_int_equal(device.credential.verifier[2], 3);
    assert_int_equal(store_enrolment_fail(store, first), OK);
    assert_int_equal(store_device_find(store, id, &device), OK);
    assert_int_equal(device.credential.enrolment_state, ENROLMENT_FAILED);
    const int64_t second = add_intent(store, id, 2);
    assert_int_equal(store_credential_reserve(store, id, second), OK);
    assert_int_equal(store_enrolment_complete(store, second, 1, NOW_S + 9, SPAN_LITERAL("der")), OK);
    assert_int_equal(store_device_find(store, id, &device), OK);
    assert_int_equal(device.credential.enrolment_state, ENROLMENT_ISSUED);
    assert_int_equal(store_credential_put(store, id, &credential), OK);
    assert_int_equal(store_device_find(store, id, &device), OK);
    assert_int_equal(device.credential.enrolment_state, ENROLMENT_NONE);
    assert_true(device.credential.wrong_tries == 0);
    assert_int_equal(store_commit(store), OK);
}

/* --- Enrolments and certificates ------------------------------------------------------------ */

static void a_serial_number_is_given_once(void **state)
{
    struct place *place = *state;
    uint8_t serial[CERT_SERIAL_MAX_BYTES] = { 0x4d, 7 };
    struct store_enrolment row = { .serial = span_of(serial, sizeof serial) };
    int64_t id = 0;

    assert_int_equal(store_begin(place->store), OK);
    row.authority = an_authority(place->store);
    assert_int_equal(store_enrolment_add(place->store, &row, &id), OK);
    assert_int_equal(store_enrolment_add(place->store, &row, &id), REFUSED);
    assert_int_equal(store_commit(place->store), OK);
}

struct seen {
    unsigned count;
    enum enrolment_state state;
    int64_t not_after_s, expires_s, decided_s;
    char by[32], reason[64];
};

static enum status see(void *context, const struct store_enrolment *row)
{
    struct seen *seen = context;

    seen->count++;
    seen->state = row->state;
    seen->not_after_s = row->not_after_s;
    seen->expires_s = row->expires_s;
    seen->decided_s = row->decided_s;
    assert_int_equal(span_to_text(row->decided_by, seen->by, sizeof seen->by), OK);
    return span_to_text(row->reason, seen->reason, sizeof seen->reason);
}

static int64_t add_waiting(struct store *store, int64_t device, uint8_t number)
{
    const uint8_t serial[CERT_SERIAL_MAX_BYTES] = { 0x4e, number };
    const struct store_enrolment row = { .state = ENROLMENT_PENDING, .device = device,
                                         .authority = an_authority(store),
                                         .serial = span_of(serial, sizeof serial), .asked_s = NOW_S };
    struct store_approval approval = { .transaction_hash = SPAN_LITERAL("transaction"),
                                       .signer_hash = SPAN_LITERAL("signer"), .expires_s = NOW_S + 100 };

    assert_int_equal(store_enrolment_add(store, &row, &approval.enrolment), OK);
    assert_int_equal(store_approval_add(store, &approval), OK);
    return approval.enrolment;
}

static void what_waits_is_found_by_transaction_and_signer_until_it_is_decided(void **state)
{
    struct place *place = *state;
    struct store_totals totals;
    struct seen seen = { 0 };
    int64_t found = 0, replaced = 0;

    assert_int_equal(store_begin(place->store), OK);
    const int64_t device = add_device(place->store, "gw-1");
    const int64_t first = add_waiting(place->store, device, 1);
    assert_int_equal(store_approval_replace(place->store, device, NOW_S, SPAN_LITERAL("later"), &replaced), OK);
    assert_int_equal(replaced, 1);
    const int64_t id = add_waiting(place->store, device, 2);
    assert_int_equal(store_commit(place->store), OK);
    open_again(place);
    assert_int_equal(store_begin(place->store), OK);
    assert_int_equal(store_approval_find(place->store, SPAN_LITERAL("transaction"), SPAN_LITERAL("other"), &found), OK);
    assert_int_equal(found, 0);
    assert_int_equal(store_approval_find(place->store, SPAN_LITERAL("transaction"), SPAN_LITERAL("signer"), &found), OK);
    assert_int_equal(found, id);
    assert_int_equal(store_get_totals(place->store, NOW_S, &totals), OK);
    assert_true(totals.pending == 1 && totals.open_intents == 0);
    assert_int_equal(store_get_totals(place->store, NOW_S + 100, &totals), OK);
    assert_int_equal(totals.pending, 0);
    assert_int_equal(store_enrolment_page(place->store, 0, true, 10, see, &seen), OK);
    assert_true(seen.count == 1 && seen.state == ENROLMENT_PENDING && seen.expires_s == NOW_S + 100 && !seen.decided_s);
    const struct store_decision decision = { .enrolment = id, .when_s = NOW_S + 5, .by = SPAN_LITERAL("uid 7"),
                                             .not_before_s = NOW_S, .not_after_s = NOW_S + 9 };
    assert_int_equal(store_approval_approve(place->store, &decision), OK);
    assert_int_equal(store_enrolment_find(place->store, id, see, &seen), OK);
    assert_true(seen.state == ENROLMENT_OPEN && seen.not_after_s == NOW_S + 9 && seen.decided_s == NOW_S + 5);
    assert_string_equal(seen.by, "uid 7");
    assert_int_equal(store_enrolment_find(place->store, first, see, &seen), OK);
    assert_int_equal(seen.state, ENROLMENT_REJECTED);
    assert_string_equal(seen.reason, "later");
    seen.count = 0;
    assert_int_equal(store_enrolment_page(place->store, 0, false, 10, see, &seen), OK);
    assert_int_equal(seen.count, 2);
    assert_int_equal(store_commit(place->store), OK);
}

static void an_enrolment_of_a_device_that_does_not_exist_breaks_the_store(void **state)
{
    struct place *place = *state;
    uint8_t serial[CERT_SERIAL_MAX_BYTES] = { 0x4d };
    struct store_enrolment row = { .device = 4711, .serial = span_of(serial, sizeof serial) };
    int64_t id = 0;

    assert_int_equal(store_begin(place->store), OK);
    row.authority = an_authority(place->store);
    assert_int_equal(store_enrolment_add(place->store, &row, &id), FAULT);
    assert_int_equal(store_commit(place->store), FAULT);
}

static void a_repeat_is_found_by_key_and_transaction_unless_it_failed(void **state)
{
    struct place *place = *state;
    struct store *store = place->store;
    uint8_t hash[SHA256_BYTES] = { 5 }, other[SHA256_BYTES] = { 6 };
    struct store_repeat repeat;
    bool known = false;
    int64_t owner = 0;

    assert_int_equal(store_begin(store), OK);
    const int64_t device = add_device(store, "gw-1");
    const int64_t id = add_intent(store, device, 5);
    const struct span key = span_of(hash, sizeof hash);
    assert_int_equal(store_enrolment_find_repeat(store, key, key, &repeat), OK);
    assert_true(repeat.id == id && repeat.device == device && repeat.state == ENROLMENT_OPEN);
    assert_int_equal(store_enrolment_find_repeat(store, key, span_of(other, sizeof other), &repeat), OK);
    assert_true(repeat.id == 0);
    assert_int_equal(store_key_find_owner(store, key, &known, &owner), OK);
    assert_true(known && owner == device);
    assert_int_equal(store_enrolment_fail(store, id), OK);
    assert_int_equal(store_enrolment_find_repeat(store, key, key, &repeat), OK);
    assert_true(repeat.id == 0);
    assert_int_equal(store_key_find_owner(store, key, &known, &owner), OK);
    assert_false(known);
    assert_int_equal(store_commit(store), OK);
}

static enum status check_open(void *context, const struct store_enrolment *row)
{
    unsigned *count = context;

    ++*count;
    assert_true(span_equal(row->device_name, SPAN_LITERAL("gw-1")));
    assert_true(span_equal(row->username, SPAN_LITERAL("user-gw-1")));
    assert_true(span_equal(row->authority_name, SPAN_LITERAL("issuing")));
    assert_true(span_equal(row->subject, SPAN_LITERAL("subject")));
    assert_true(span_equal(row->spki, SPAN_LITERAL("spki")));
    assert_int_equal(row->san.len, 0);
    assert_true(row->not_before_s == NOW_S - 300 && row->not_after_s == NOW_S + 86400);
    assert_int_equal(row->serial.len, CERT_SERIAL_MAX_BYTES);
    return OK;
}

static void an_open_intent_can_be_told_again_after_a_restart(void **state)
{
    struct place *place = *state;
    unsigned count = 0;

    assert_int_equal(store_begin(place->store), OK);
    const int64_t device = add_device(place->store, "gw-1");
    add_intent(place->store, device, 1);
    const int64_t done = add_intent(place->store, device, 2);
    assert_int_equal(store_enrolment_complete(place->store, done, 1, NOW_S, SPAN_LITERAL("der")), OK);
    assert_int_equal(store_commit(place->store), OK);
    open_again(place);
    assert_int_equal(store_enrolment_each_open(place->store, check_open, &count), OK);
    assert_int_equal(count, 1);
}

static enum status note_certificate(void *context, const struct store_certificate *certificate)
{
    struct names *names = context;

    snprintf(names->text, sizeof names->text, "%.*s", (int)certificate->der.len, (const char *)certificate->der.ptr);
    names->count++;
    assert_true(span_equal(certificate->authority_name, SPAN_LITERAL("issuing")));
    return OK;
}

static void certificates_are_found_listed_revoked_and_counted(void **state)
{
    struct place *place = *state;
    struct store *store = place->store;
    uint8_t serial[CERT_SERIAL_MAX_BYTES] = { 0x4d, 2 };
    struct names names = { 0 };
    struct store_totals totals;

    assert_int_equal(store_begin(store), OK);
    const int64_t device = add_device(store, "gw-1");
    for (int i = 1; i <= 3; i++) {
        const int64_t id = add_intent(store, device, i);
        assert_int_equal(store_enrolment_complete(store, id, i, NOW_S + i, i == 2 ? SPAN_LITERAL("two") : SPAN_LITERAL("x")), OK);
    }
    add_intent(store, device, 4);
    assert_int_equal(store_certificate_find_serial(store, span_of(serial, sizeof serial), note_certificate, &names), OK);
    assert_string_equal(names.text, "two");
    assert_int_equal(names.count, 1);
    assert_int_equal(store_certificate_page(store, 1, 0, 10, note_certificate, &names), OK);
    assert_int_equal(names.count, 3);
    assert_int_equal(store_certificate_page(store, 0, device, 2, note_certificate, &names), OK);
    assert_int_equal(names.count, 5);
    assert_int_equal(store_certificate_page(store, 0, device + 1, 2, note_certificate, &names), OK);
    assert_int_equal(names.count, 5);
    assert_int_equal(store_certificate_revoke(store, 3, NOW_S, 1), OK);
    assert_int_equal(store_certificate_revoke(store, 3, NOW_S, 1), REFUSED);
    assert_int_equal(store_get_totals(store, NOW_S + 2, &totals), OK);
    assert_true(totals.certificates == 3 && totals.revoked == 1 && totals.expired == 1);
    assert_true(totals.devices == 1 && totals.open_intents == 1 && totals.journal_sequence == 3);
    assert_int_equal(store_commit(store), OK);
}

/* --- Events ------------------------------------------------------------------------------------ */

static void the_chain_of_events_holds_over_restarts(void **state)
{
    struct place *place = *state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(store_begin(place->store), OK);
        add_event(place->store, "one");
        add_event(place->store, "");
        assert_int_equal(store_commit(place->store), OK);
        open_again(place);
    }
    assert_true(store_event_newest(place->store) == 6);
    assert_int_equal(store_event_verify(place->store), OK);
}

static void an_event_that_was_rolled_back_leaves_no_gap(void **state)
{
    struct place *place = *state;

    assert_int_equal(store_begin(place->store), OK);
    add_event(place->store, "kept");
    assert_int_equal(store_commit(place->store), OK);
    assert_int_equal(store_begin(place->store), OK);
    add_event(place->store, "lost");
    store_rollback(place->store);
    assert_int_equal(store_begin(place->store), OK);
    add_event(place->store, "next");
    assert_int_equal(store_commit(place->store), OK);
    assert_true(store_event_newest(place->store) == 2);
    assert_int_equal(store_event_verify(place->store), OK);
}

static void every_change_to_an_event_is_found(void **state)
{
    static const char *const changes[] = {
        "UPDATE event SET text = 'b' WHERE id = 2",
        "UPDATE event SET when_s = when_s + 1 WHERE id = 2",
        "UPDATE event SET kind = 'tes', device = 't' WHERE id = 2",
        "UPDATE event SET hash = zeroblob(32) WHERE id = 2",
        "DELETE FROM event WHERE id = 2",
        "UPDATE event SET id = 9 WHERE id = 2",
    };
    struct place *place = *state;

    assert_int_equal(store_begin(place->store), OK);
    for (int i = 0; i < 4; i++)
        add_event(place->store, "a");
    assert_int_equal(store_commit(place->store), OK);
    tamper(place, "CREATE TABLE kept AS SELECT * FROM event");
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        tamper(place, changes[i]);
        assert_int_equal(store_open(place->path, &place->store), OK);
        assert_int_equal(store_event_verify(place->store), BAD_PROOF);
        tamper(place, "DELETE FROM event; INSERT INTO event SELECT * FROM kept");
        assert_int_equal(store_open(place->path, &place->store), OK);
        assert_int_equal(store_event_verify(place->store), OK);
    }
}

/* --- The ledger as a whole ------------------------------------------------------------------------- */

static void a_ledger_is_one_processs_at_a_time(void **state)
{
    struct place *place = *state;
    struct store *second = NULL;

    assert_int_equal(store_open(place->path, &second), FAULT);
    assert_null(second);
}

static void a_ledger_of_version_1_is_brought_up_to_date_and_keeps_what_it_has(void **state)
{
    struct place *place = *state;
    struct store_totals totals;
    int64_t id = 1;

    assert_int_equal(store_begin(place->store), OK);
    add_intent(place->store, add_device(place->store, "gw-1"), 1);
    assert_int_equal(store_commit(place->store), OK);
    tamper(place, "ALTER TABLE credential DROP COLUMN lasting; DROP INDEX enrolment_pending; DROP TABLE approval;"
                  "PRAGMA user_version = 1");
    open_again(place);
    assert_int_equal(store_get_totals(place->store, NOW_S, &totals), OK);
    assert_true(totals.devices == 1 && totals.open_intents == 1 && totals.pending == 0);
    assert_int_equal(store_approval_find(place->store, SPAN_LITERAL("t"), SPAN_LITERAL("k"), &id), OK);
    assert_int_equal(id, 0);
    open_again(place); /* and once is enough */
}

static void a_password_of_version_2_is_no_lasting_one(void **state)
{
    struct place *place = *state;
    const struct store_credential credential = { .kind = CREDENTIAL_GENERATED, .made_s = NOW_S, .expires_s = NOW_S + 9 };
    struct store_device device;

    assert_int_equal(store_begin(place->store), OK);
    const int64_t id = add_device(place->store, "gw-1");
    assert_int_equal(store_credential_put(place->store, id, &credential), OK);
    assert_int_equal(store_commit(place->store), OK);
    tamper(place, "DROP INDEX approval_sealed; ALTER TABLE approval DROP COLUMN sealed;"
                  "ALTER TABLE approval DROP COLUMN by_password;"
                  "ALTER TABLE credential DROP COLUMN lasting; PRAGMA user_version = 2");
    open_again(place);
    assert_int_equal(store_device_find(place->store, id, &device), OK);
    assert_true(device.credential.kind == CREDENTIAL_GENERATED && device.credential.expires_s == NOW_S + 9);
    assert_false(device.credential.lasting);
}

static void a_ledger_of_another_version_is_not_touched(void **state)
{
    struct place *place = *state;

    tamper(place, "PRAGMA user_version = 99");
    assert_int_equal(store_open(place->path, &place->store), FAULT);
    assert_non_null(strstr(fail_text(), "99"));
}

static void only_its_owner_may_read_the_ledger(void **state)
{
    const struct place *place = *state;
    char wal[310];
    struct stat about;

    snprintf(wal, sizeof wal, "%s-wal", place->path);
    assert_int_equal(stat(place->path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(stat(wal, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void small_facts_are_kept(void **state)
{
    struct place *place = *state;
    AUTO(buf_clear) struct buf value = { 0 };

    assert_int_equal(store_meta_get(place->store, "x", &value), OK);
    assert_int_equal(value.len, 0);
    assert_int_equal(store_meta_put(place->store, "x", SPAN_LITERAL("one")), OK);
    assert_int_equal(store_meta_put(place->store, "x", SPAN_LITERAL("two")), OK);
    open_again(place);
    assert_int_equal(store_meta_get(place->store, "x", &value), OK);
    assert_true(span_equal(buf_span(&value), SPAN_LITERAL("two")));
}

/* --- Crashes ------------------------------------------------------------------------------------------ */

/* One transaction: intent, certificate and event of one device; says so on the pipe when it is durable. */
static void one_transaction(struct store *store, int64_t device, int number, int pipe_fd)
{
    assert_int_equal(store_begin(store), OK);
    const int64_t id = add_intent(store, device, number);
    assert_int_equal(store_enrolment_complete(store, id, number, NOW_S, SPAN_LITERAL("der")), OK);
    add_event(store, "enrolled");
    assert_int_equal(store_commit(store), OK);
    assert_int_equal(write(pipe_fd, &number, sizeof number), sizeof number);
}

static void write_until_killed(const char *path, int first, int pipe_fd)
{
    struct store *store = NULL;
    struct store_device device;

    if (store_open(path, &store) != OK || store_device_find_name(store, SPAN_LITERAL("gw-1"), &device) != OK)
        _exit(1);
    for (int number = first;; number++)
        one_transaction(store, device.id, number, pipe_fd);
}

static int kill_after_us(pid_t child, useconds_t us)
{
    int result = 0;

    usleep(us);
    kill(child, SIGKILL);
    waitpid(child, &result, 0);
    return result;
}

static void what_was_committed_survives_kill_9_and_the_rest_leaves_no_trace(void **state)
{
    struct place *place = *state;
    struct store_totals totals = { 0 };
    int newest = 0;

    assert_int_equal(store_begin(place->store), OK);
    add_device(place->store, "gw-1");
    assert_int_equal(store_commit(place->store), OK);
    for (unsigned round = 0; round < 20; round++) {
        int pair[2], number;
        store_free(place->store);
        place->store = NULL;
        newest = (int)totals.certificates; /* what an earlier child committed and could not tell, counts */
        assert_int_equal(pipe(pair), 0);
        const pid_t child = fork();
        if (child == 0)
            write_until_killed(place->path, (int)totals.certificates + 1, pair[1]);
        close(pair[1]);
        assert_true(WIFSIGNALED(kill_after_us(child, 5000 + round * 1500)));
        while (read(pair[0], &number, sizeof number) == sizeof number)
            newest = number;
        close(pair[0]);
        assert_int_equal(store_open(place->path, &place->store), OK);
        assert_int_equal(store_get_totals(place->store, NOW_S, &totals), OK);
        assert_true(totals.certificates == newest || totals.certificates == newest + 1);
        assert_true(totals.events == totals.certificates && totals.open_intents == 0);
        assert_int_equal(store_event_verify(place->store), OK);
    }
    assert_true(newest > 0); /* how many, depends on how busy the machine is */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_device_comes_back_as_it_was_added),
        TEST(a_name_or_username_that_is_taken_is_refused),
        TEST(a_removed_device_can_be_added_again_and_keeps_its_row),
        TEST(devices_are_listed_page_by_page_in_order),
        TEST(a_password_follows_the_state_of_the_enrolment_it_let_in),
        TEST(a_serial_number_is_given_once),
        TEST(an_enrolment_of_a_device_that_does_not_exist_breaks_the_store),
        TEST(a_repeat_is_found_by_key_and_transaction_unless_it_failed),
        TEST(an_open_intent_can_be_told_again_after_a_restart),
        TEST(certificates_are_found_listed_revoked_and_counted),
        TEST(the_chain_of_events_holds_over_restarts),
        TEST(an_event_that_was_rolled_back_leaves_no_gap),
        TEST(every_change_to_an_event_is_found),
        TEST(a_ledger_is_one_processs_at_a_time),
        TEST(a_ledger_of_version_1_is_brought_up_to_date_and_keeps_what_it_has),
        TEST(what_waits_is_found_by_transaction_and_signer_until_it_is_decided),
        TEST(a_password_of_version_2_is_no_lasting_one),
        TEST(a_ledger_of_another_version_is_not_touched),
        TEST(only_its_owner_may_read_the_ledger),
        TEST(small_facts_are_kept),
        TEST(what_was_committed_survives_kill_9_and_the_rest_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
