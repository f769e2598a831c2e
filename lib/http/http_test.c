/* SPDX-License-Identifier: Apache-2.0
 *
 * Server and client on loopback; the server's loop is turned by hand between writing and reading.
 */
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/test.h"
#include "lib/http/http.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define QUIET_MS 30
#define PATIENCE_MS 5000
#define BIG_BYTES ((size_t)4 << 20)

static const char *data_directory;

struct house {
    struct event_base *base;
    struct http_server *server;
    struct http_exchange *waiting; /* of /later */
    uint16_t port;
    unsigned served;
    char agent[256];
};

static const struct http_limits small_limits = {
    .body_bytes = 65536, .header_bytes = 8192, .header_timeout_s = 1, .body_timeout_s = 1, .connections = 4
};

static void answer(struct http_exchange *exchange, struct span body)
{
    http_exchange_reply(exchange, &(struct http_response){
                                      .status = 200, .content_type = "application/x-test", .body = body });
}

static void handle(void *context, struct http_exchange *exchange)
{
    struct house *house = context;
    const struct http_request *request = http_exchange_get_request(exchange);

    house->served++;
    snprintf(house->agent, sizeof house->agent, "%s", request->user_agent);
    if (span_equal(request->path, SPAN_LITERAL("/later"))) {
        house->waiting = exchange;
    } else if (span_equal(request->path, SPAN_LITERAL("/big"))) {
        uint8_t *big = calloc(1, BIG_BYTES);
        answer(exchange, span_of(big, BIG_BYTES));
        free(big);
    } else if (span_equal(request->path, SPAN_LITERAL("/busy"))) {
        http_exchange_reply(exchange,
                            &(struct http_response){ .status = 503, .retry_after_s = 7, .close = true });
    } else {
        answer(exchange, request->body.len ? request->body : SPAN_LITERAL("empty"));
    }
}

static int open_house(void **state)
{
    struct house *house = calloc(1, sizeof *house);
    struct sockaddr_in at;
    socklen_t length = sizeof at;
    int listener = -1;

    house->base = event_base_new();
    assert_int_equal(http_listen("127.0.0.1:0", &listener), OK);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &length), 0);
    house->port = ntohs(at.sin_port);
    assert_int_equal(http_server_new(house->base, &listener, 1, &small_limits, handle, house, &house->server),
                     OK);
    *state = house;
    return 0;
}

static int close_house(void **state)
{
    struct house *house = *state;

    http_server_free(house->server);
    event_base_free(house->base);
    free(house);
    return 0;
}

static void turn(struct house *house)
{
    event_base_loop(house->base, EVLOOP_NONBLOCK);
}

static int dial(const struct house *house)
{
    const struct sockaddr_in to = { .sin_family = AF_INET,
                                    .sin_port = htons(house->port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void say(struct house *house, int fd, struct span bytes)
{
    while (bytes.len) {
        const ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        turn(house);
        if (n > 0)
            bytes = span_of(bytes.ptr + n, bytes.len - (size_t)n);
    }
}

/* Read until the server closes (true) or says nothing more for `quiet_ms` (false). */
static bool hear(struct house *house, int fd, struct buf *heard, int64_t quiet_ms)
{
    int64_t since_ms = clock_monotonic_ms();

    while (clock_monotonic_ms() - since_ms < quiet_ms) {
        turn(house);
        uint8_t *to = buf_reserve(heard, 65536);
        const ssize_t n = recv(fd, to, 65536, MSG_DONTWAIT);
        if (n == 0)
            return true;
        if (n < 0) {
            usleep(200);
            continue;
        }
        heard->len += (size_t)n;
        since_ms = clock_monotonic_ms();
    }
    return false;
}

static unsigned count_of(struct buf *heard, const char *needle)
{
    const char *text = buf_text(heard);
    unsigned count = 0;

    while (text && (text = strstr(text, needle))) {
        text += strlen(needle);
        count++;
    }
    return count;
}

static int status_of(struct buf *heard)
{
    int status = 0;

    return sscanf(buf_text(heard), "HTTP/1.1 %d ", &status) == 1 ? status : 0;
}

/* --- The files in good/ and bad/ ---------------------------------------- */

static void load(const char *directory, const char *name, struct buf *out)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s/%s", data_directory, directory, name);
    out->len = 0;
    assert_int_equal(file_read(path, 1 << 20, out), OK);
}

static void complain(const char *name, struct buf *heard)
{
    print_error("%s: answered \"%s\"\n", name, buf_text(heard));
    assert_true(false);
}

static void try_good(struct house *house, const char *name, struct span request)
{
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);

    say(house, fd, request);
    hear(house, fd, &heard, QUIET_MS);
    if (status_of(&heard) != 200 || count_of(&heard, "Server: Muster") != 1)
        complain(name, &heard);
}

static void try_bad(struct house *house, const char *name, struct span request)
{
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);
    const unsigned served = house->served;

    say(house, fd, request);
    const bool closed = hear(house, fd, &heard, QUIET_MS);
    if (!closed || status_of(&heard) != atol(name) || count_of(&heard, "Server: Muster") != 1 ||
        house->served != served)
        complain(name, &heard);
}

static void each_file(struct house *house, const char *directory,
                      void (*try)(struct house *house, const char *name, struct span request))
{
    AUTO(buf_clear) struct buf request = { 0 };
    char path[512];
    unsigned count = 0;

    snprintf(path, sizeof path, "%s/%s", data_directory, directory);
    DIR *files = opendir(path);
    assert_non_null(files);
    for (struct dirent *file; (file = readdir(files));) {
        if (!strstr(file->d_name, ".http"))
            continue;
        load(directory, file->d_name, &request);
        try(house, file->d_name, buf_span(&request));
        count++;
    }
    closedir(files);
    assert_true(count > 10);
}

static void every_good_request_is_served(void **state)
{
    each_file(*state, "good", try_good);
}

static void every_bad_request_is_refused_as_its_name_says_and_the_connection_closed(void **state)
{
    each_file(*state, "bad", try_bad);
}

static void try_good_by_bytes(struct house *house, const char *name, struct span request)
{
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);

    for (size_t i = 0; i < request.len; i++)
        say(house, fd, span_of(request.ptr + i, 1));
    hear(house, fd, &heard, QUIET_MS);
    if (status_of(&heard) != 200)
        complain(name, &heard);
}

static void a_request_that_comes_byte_by_byte_is_served_all_the_same(void **state)
{
    each_file(*state, "good", try_good_by_bytes);
}

/* --- Connections -------------------------------------------------------- */

static void pipelined_requests_are_answered_in_their_order_on_one_connection(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);

    say(house, fd,
        SPAN_LITERAL("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\noneGET /b HTTP/1.1\r\n\r\n"
                     "POST /c HTTP/1.1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nthreeGET /d "
                     "HTTP/1.1\r\n\r\n"));
    assert_true(hear(house, fd, &heard, QUIET_MS));
    assert_int_equal(count_of(&heard, "HTTP/1.1 200 OK"), 3);
    assert_int_equal(count_of(&heard, "Connection: close"), 1);
    const char *one = strstr(buf_text(&heard), "\r\n\r\none");
    assert_non_null(one);
    assert_non_null(strstr(one, "\r\n\r\nthree"));
    assert_int_equal(house->served, 3);
}

static void an_answer_says_muster_its_exact_content_type_and_a_date(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);

    say(house, fd, SPAN_LITERAL("GET /a HTTP/1.1\r\nUser-Agent: test\x80/1\r\n\r\n"));
    assert_false(hear(house, fd, &heard, QUIET_MS));
    assert_int_equal(count_of(&heard, "\r\nServer: Muster\r\n"), 1);
    assert_int_equal(count_of(&heard, "\r\nContent-Type: application/x-test\r\n"), 1);
    assert_int_equal(count_of(&heard, "\r\nContent-Length: 5\r\n"), 1);
    assert_int_equal(count_of(&heard, " GMT\r\n"), 1);
    assert_string_equal(house->agent, "test?/1");
}

static void a_head_request_gets_the_length_without_the_body(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);

    say(house, fd, SPAN_LITERAL("HEAD /a HTTP/1.1\r\n\r\n"));
    assert_false(hear(house, fd, &heard, QUIET_MS));
    assert_int_equal(count_of(&heard, "\r\nContent-Length: 5\r\n"), 1);
    assert_int_equal(count_of(&heard, "empty"), 0);
}

static void an_old_client_is_answered_and_closed_unless_it_asks_to_be_kept(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);

    say(house, fd, SPAN_LITERAL("GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
    assert_false(hear(house, fd, &heard, QUIET_MS));
    assert_int_equal(count_of(&heard, "\r\nConnection: keep-alive\r\n"), 1);
    say(house, fd, SPAN_LITERAL("GET /a HTTP/1.0\r\n\r\n"));
    assert_true(hear(house, fd, &heard, QUIET_MS));
    assert_int_equal(count_of(&heard, "\r\nConnection: close\r\n"), 1);
}

static void a_client_that_awaits_100_continue_is_told_to_go_on(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);

    say(house, fd, SPAN_LITERAL("POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
    assert_false(hear(house, fd, &heard, QUIET_MS));
    assert_string_equal(buf_text(&heard), "HTTP/1.1 100 Continue\r\n\r\n");
    say(house, fd, SPAN_LITERAL("body"));
    assert_false(hear(house, fd, &heard, QUIET_MS));
    assert_int_equal(count_of(&heard, "\r\n\r\nbody"), 1);
}

static void retry_after_is_sent_where_the_answer_says_so(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);

    say(house, fd, SPAN_LITERAL("GET /busy HTTP/1.1\r\n\r\n"));
    assert_true(hear(house, fd, &heard, QUIET_MS));
    assert_int_equal(status_of(&heard), 503);
    assert_int_equal(count_of(&heard, "\r\nRetry-After: 7\r\n"), 1);
}

static void a_request_may_be_answered_later_and_the_next_one_waits_for_it(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);

    say(house, fd, SPAN_LITERAL("GET /later HTTP/1.1\r\n\r\n"));
    hear(house, fd, &heard, QUIET_MS);
    say(house, fd, SPAN_LITERAL("GET /next HTTP/1.1\r\n\r\n"));
    hear(house, fd, &heard, QUIET_MS);
    assert_int_equal(heard.len, 0);
    assert_int_equal(house->served, 1);
    answer(house->waiting, SPAN_LITERAL("at last"));
    hear(house, fd, &heard, QUIET_MS);
    assert_int_equal(count_of(&heard, "HTTP/1.1 200 OK"), 2);
    assert_int_equal(count_of(&heard, "at last"), 1);
}

static void a_client_that_shut_its_side_still_gets_the_answer(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);

    say(house, fd, SPAN_LITERAL("GET /later HTTP/1.1\r\n\r\n"));
    shutdown(fd, SHUT_WR);
    hear(house, fd, &heard, QUIET_MS);
    answer(house->waiting, SPAN_LITERAL("at last"));
    assert_true(hear(house, fd, &heard, QUIET_MS));
    assert_int_equal(count_of(&heard, "at last"), 1);
}

static void answering_a_client_that_has_gone_does_nothing(void **state)
{
    struct house *house = *state;
    const struct linger reset = { .l_onoff = 1 };
    AUTO(buf_clear) struct buf heard = { 0 };
    int fd = dial(house);

    say(house, fd, SPAN_LITERAL("GET /later HTTP/1.1\r\n\r\n"));
    hear(house, fd, &heard, QUIET_MS);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    for (int i = 0; i < 10; i++)
        turn(house);
    answer(house->waiting, SPAN_LITERAL("too late"));
    for (int i = 0; i < 10; i++)
        turn(house);
}

static void an_answer_longer_than_the_socket_takes_arrives_whole(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);

    say(house, fd, SPAN_LITERAL("GET /big HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\n"));
    assert_false(hear(house, fd, &heard, 4 * QUIET_MS));
    assert_true(heard.len > BIG_BYTES);
    assert_int_equal(memcmp(heard.ptr + heard.len - 5, "empty", 5), 0);
}

static void a_body_beyond_the_limit_is_refused_and_the_answer_survives_its_rest(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf request = { 0 };
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);
    static uint8_t rest[200000];

    assert_int_equal(buf_append_text(&request, "POST /a HTTP/1.1\r\nContent-Length: 200000\r\n\r\n"), OK);
    assert_int_equal(buf_append(&request, span_of(rest, sizeof rest)), OK);
    say(house, fd, buf_span(&request));
    assert_true(hear(house, fd, &heard, QUIET_MS));
    assert_int_equal(status_of(&heard), 413);
}

/* --- Slow and many ------------------------------------------------------ */

static void a_head_that_takes_too_long_ends_in_408_even_if_bytes_trickle(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);
    const int64_t begun_ms = clock_monotonic_ms();
    bool closed = false;

    say(house, fd, SPAN_LITERAL("GET /a HTTP/1.1\r\nX: "));
    while (!closed && clock_monotonic_ms() - begun_ms < PATIENCE_MS) {
        (void)!send(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        closed = hear(house, fd, &heard, 50);
    }
    assert_true(closed);
    assert_int_equal(status_of(&heard), 408);
    assert_in_range(clock_monotonic_ms() - begun_ms, 900, 2500);
}

static void a_body_that_takes_too_long_ends_in_408(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);

    say(house, fd, SPAN_LITERAL("POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf"));
    assert_true(hear(house, fd, &heard, PATIENCE_MS));
    assert_int_equal(status_of(&heard), 408);
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    AUTO(fd_closep) int fd = dial(house);

    assert_true(hear(house, fd, &heard, PATIENCE_MS));
    assert_int_equal(heard.len, 0);
}

static void a_slow_client_holds_nobody_else_and_gives_way_when_places_run_out(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    int slow[8];

    for (size_t i = 0; i < COUNT_OF(slow); i++) {
        slow[i] = dial(house);
        say(house, slow[i], SPAN_LITERAL("GET /slow HTTP/1.1\r\n"));
    }
    AUTO(fd_closep) int fd = dial(house);
    say(house, fd, SPAN_LITERAL("GET /a HTTP/1.1\r\n\r\n"));
    hear(house, fd, &heard, QUIET_MS);
    assert_int_equal(status_of(&heard), 200);
    for (size_t i = 0; i < COUNT_OF(slow); i++)
        close(slow[i]);
}

static void a_connection_beyond_the_limit_gets_503_while_all_places_are_at_work(void **state)
{
    struct house *house = *state;
    AUTO(buf_clear) struct buf heard = { 0 };
    int busy[4];
    struct http_exchange *waiting[4];

    for (size_t i = 0; i < COUNT_OF(busy); i++) {
        busy[i] = dial(house);
        say(house, busy[i], SPAN_LITERAL("GET /later HTTP/1.1\r\n\r\n"));
        hear(house, busy[i], &heard, QUIET_MS);
        waiting[i] = house->waiting;
    }
    AUTO(fd_closep) int fd = dial(house);
    assert_true(hear(house, fd, &heard, QUIET_MS));
    assert_int_equal(status_of(&heard), 503);
    for (size_t i = 0; i < COUNT_OF(busy); i++) {
        answer(waiting[i], SPAN_LITERAL("done"));
        close(busy[i]);
    }
}

/* --- Queries and addresses ---------------------------------------------- */

static void a_query_parameter_is_found_and_percent_decoded_and_plus_stays(void **state)
{
    static const struct {
        const char *query;
        enum status status;
        bool found;
        const char *value;
    } rows[] = {
        { "operation=GetCACaps&message=x", OK, true, "x" },
        { "message=a%2Bb+c%3D==&x=1", OK, true, "a+b+c===" },
        { "message=", OK, true, "" },
        { "message", OK, true, "" },
        { "messages=1&xmessage=2", OK, false, "" },
        { "", OK, false, "" },
        { "message=1&message=1", BAD_INPUT, false, "" },
        { "message=%2", BAD_INPUT, false, "" },
        { "message=%zz", BAD_INPUT, false, "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(buf_clear) struct buf value = { 0 };
        bool found = false;
        assert_int_equal(http_query_get(span_of_text(rows[i].query), "message", &found, &value),
                         rows[i].status);
        if (rows[i].status != OK)
            continue;
        assert_int_equal(found, rows[i].found);
        assert_string_equal(buf_text(&value), rows[i].value);
    }
}

static void what_is_encoded_for_a_query_comes_back_the_same(void **state)
{
    AUTO(buf_clear) struct buf query = { 0 };
    AUTO(buf_clear) struct buf value = { 0 };
    uint8_t all[256];
    bool found = false;

    (void)state;
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    assert_int_equal(buf_append_text(&query, "message="), OK);
    assert_int_equal(http_query_encode(span_of(all, sizeof all), &query), OK);
    assert_true(span_is_printable(buf_span(&query)));
    assert_int_equal(http_query_get(buf_span(&query), "message", &found, &value), OK);
    assert_true(found);
    assert_true(span_equal(buf_span(&value), span_of(all, sizeof all)));
}

static void an_address_to_listen_on_that_is_none_is_explained(void **state)
{
    static const char *const wrong[] = {
        "", ":80", "127.0.0.1", "127.0.0.1:", "::1:80x", "host.invalid:80", "[::1:80", "127.0.0.1:99999999"
    };
    int fd = -1;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(http_listen(wrong[i], &fd), BAD_INPUT);
    assert_int_equal(fd, -1);
}

static void a_port_that_somebody_listens_on_is_found_taken_though_it_could_be_shared(void **state)
{
    struct house *house = *state;
    char address[32];
    int fd = -1;

    snprintf(address, sizeof address, "127.0.0.1:%u", house->port);
    assert_int_equal(http_listen_check(address), FAULT);
    assert_int_equal(http_listen(address, &fd), OK);
    close(fd);
    assert_int_equal(http_listen_check("127.0.0.1:0"), OK);
}

/* --- Client against server ---------------------------------------------- */

/* The client blocks, so the server runs in a child; cmocka's leak checks stay out of it. */
static pid_t serve_in_child(struct house *house)
{
    const pid_t pid = fork();

    if (pid != 0)
        return pid;
    event_reinit(house->base);
    event_base_loop(house->base, EVLOOP_NO_EXIT_ON_EMPTY);
    _exit(0);
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void the_client_gets_and_posts_over_one_connection(void **state)
{
    struct house *house = *state;
    AUTO(http_client_freep) struct http_client *client = NULL;
    AUTO(http_answer_clear) struct http_answer out = { 0 };
    char url[64];

    const pid_t pid = serve_in_child(house);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/a", house->port);
    assert_int_equal(http_client_new(5, 1 << 20, &client), OK);
    assert_int_equal(http_client_request(client, url, NULL, span_of(NULL, 0), &out), OK);
    assert_int_equal(out.status, 200);
    assert_string_equal(out.content_type, "application/x-test");
    assert_true(span_equal(buf_span(&out.body), SPAN_LITERAL("empty")));
    assert_int_equal(
        http_client_request(client, url, "application/x-pki-message", SPAN_LITERAL("hello"), &out), OK);
    assert_true(span_equal(buf_span(&out.body), SPAN_LITERAL("hello")));
    assert_int_equal(http_client_request(client, url, NULL, span_of(NULL, 0), &out), OK);
    assert_true(span_equal(buf_span(&out.body), SPAN_LITERAL("empty")));
    end_child(pid);
}

static void the_client_hears_when_to_come_again(void **state)
{
    struct house *house = *state;
    AUTO(http_client_freep) struct http_client *client = NULL;
    AUTO(http_answer_clear) struct http_answer out = { 0 };
    char url[64];

    const pid_t pid = serve_in_child(house);
    assert_int_equal(http_client_new(5, 65536, &client), OK);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/busy", house->port);
    assert_int_equal(http_client_request(client, url, NULL, span_of(NULL, 0), &out), OK);
    assert_int_equal(out.status, 503);
    assert_int_equal(out.retry_after_s, 7);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/a", house->port);
    assert_int_equal(http_client_request(client, url, NULL, span_of(NULL, 0), &out), OK);
    assert_int_equal(out.retry_after_s, 0);
    end_child(pid);
}

static void the_client_refuses_an_answer_beyond_its_limit(void **state)
{
    struct house *house = *state;
    AUTO(http_client_freep) struct http_client *client = NULL;
    AUTO(http_answer_clear) struct http_answer out = { 0 };
    char url[64];

    const pid_t pid = serve_in_child(house);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/big", house->port);
    assert_int_equal(http_client_new(5, 65536, &client), OK);
    assert_int_equal(http_client_request(client, url, NULL, span_of(NULL, 0), &out), BAD_INPUT);
    assert_non_null(strstr(fail_text(), "longer than 65536 bytes"));
    assert_int_equal(out.body.len, 0);
    end_child(pid);
}

static void the_client_says_where_it_could_not_connect_and_what_to_do(void **state)
{
    struct house *house = *state;
    AUTO(http_client_freep) struct http_client *client = NULL;
    AUTO(http_answer_clear) struct http_answer out = { 0 };
    char url[64];

    (void)house;
    snprintf(url, sizeof url, "http://127.0.0.1:1/scep?secret=1");
    assert_int_equal(http_client_new(5, 65536, &client), OK);
    assert_int_equal(http_client_request(client, url, NULL, span_of(NULL, 0), &out), FAULT);
    assert_non_null(strstr(fail_text(), "127.0.0.1:1"));
    assert_non_null(strstr(fail_text(), "is the server running"));
    assert_null(strstr(fail_text(), "secret"));
}

static void the_client_takes_only_http_urls(void **state)
{
    static const char *const wrong[] = {
        "file:///etc/passwd", "ftp://127.0.0.1/a", "gopher://127.0.0.1/", "", "http://", "no url at all"
    };
    AUTO(http_client_freep) struct http_client *client = NULL;
    AUTO(http_answer_clear) struct http_answer out = { 0 };

    (void)state;
    assert_int_equal(http_client_new(5, 65536, &client), OK);
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(http_client_request(client, wrong[i], NULL, span_of(NULL, 0), &out), BAD_INPUT);
}

#define IN_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        IN_HOUSE(every_good_request_is_served),
        IN_HOUSE(every_bad_request_is_refused_as_its_name_says_and_the_connection_closed),
        IN_HOUSE(a_request_that_comes_byte_by_byte_is_served_all_the_same),
        IN_HOUSE(pipelined_requests_are_answered_in_their_order_on_one_connection),
        IN_HOUSE(an_answer_says_muster_its_exact_content_type_and_a_date),
        IN_HOUSE(a_head_request_gets_the_length_without_the_body),
        IN_HOUSE(an_old_client_is_answered_and_closed_unless_it_asks_to_be_kept),
        IN_HOUSE(a_client_that_awaits_100_continue_is_told_to_go_on),
        IN_HOUSE(retry_after_is_sent_where_the_answer_says_so),
        IN_HOUSE(a_request_may_be_answered_later_and_the_next_one_waits_for_it),
        IN_HOUSE(a_client_that_shut_its_side_still_gets_the_answer),
        IN_HOUSE(answering_a_client_that_has_gone_does_nothing),
        IN_HOUSE(an_answer_longer_than_the_socket_takes_arrives_whole),
        IN_HOUSE(a_body_beyond_the_limit_is_refused_and_the_answer_survives_its_rest),
        IN_HOUSE(a_head_that_takes_too_long_ends_in_408_even_if_bytes_trickle),
        IN_HOUSE(a_body_that_takes_too_long_ends_in_408),
        IN_HOUSE(an_idle_connection_is_closed_without_a_word),
        IN_HOUSE(a_slow_client_holds_nobody_else_and_gives_way_when_places_run_out),
        IN_HOUSE(a_connection_beyond_the_limit_gets_503_while_all_places_are_at_work),
        cmocka_unit_test(a_query_parameter_is_found_and_percent_decoded_and_plus_stays),
        cmocka_unit_test(what_is_encoded_for_a_query_comes_back_the_same),
        cmocka_unit_test(an_address_to_listen_on_that_is_none_is_explained),
        IN_HOUSE(a_port_that_somebody_listens_on_is_found_taken_though_it_could_be_shared),
        IN_HOUSE(the_client_gets_and_posts_over_one_connection),
        IN_HOUSE(the_client_hears_when_to_come_again),
        IN_HOUSE(the_client_refuses_an_answer_beyond_its_limit),
        IN_HOUSE(the_client_says_where_it_could_not_connect_and_what_to_do),
        cmocka_unit_test(the_client_takes_only_http_urls),
    };

    data_directory = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
