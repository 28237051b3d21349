/* Without a thread of ours: the program calls lf_poll. The server is another process, so that this one has one thread; it stands
 * at a socket of the machine, which needs no name to be looked up. */
#include "core_harness.h"
#include "fake_server.h"

#include "../../langfuse/prompt.h"
#include "../../langfuse/score.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>

/* What the server does, and has seen; shared by both processes. */
typedef struct script {
    _Atomic int status;       /* 0: 200 */
    _Atomic int fails_first;  /* so many requests get a 503 */
    _Atomic bool hangs;
    _Atomic int posts, gets, version;
} script;

static script *played;
static char socket_url[160];

static fake_reply answer(fake_server *server, const fake_request *request)
{
    (void)server;
    bool is_get = strncmp(request->head, "GET ", 4) == 0;
    int count = atomic_fetch_add(is_get ? &played->gets : &played->posts, 1) + 1;
    if (played->hangs)
        return (fake_reply){.manner = FAKE_HANG};
    if (!is_get && count <= played->fails_first)
        return (fake_reply){.status = 503, .body = "busy"};
    const char *prompt = fake_text(
        "{\"name\":\"p\",\"version\":%d,\"prompt\":\"text\",\"type\":\"text\",\"config\":{},\"labels\":[],\"tags\":[]}",
        (int)played->version);
    return (fake_reply){.status = played->status, .body = is_get ? prompt : "{}"};
}

/* A server in a process of its own, which ends with this one. */
static void serve(void)
{
    char path[100];
    int ready[2];
    char byte;
    snprintf(path, sizeof path, "%.90s/socket", harness_folder);
    snprintf(socket_url, sizeof socket_url, "unix:%s", path);
    played = mmap(NULL, sizeof *played, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(played != MAP_FAILED && pipe(ready) == 0);
    played->version = 1;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (fake_server_start_at(path, answer, NULL) == NULL || write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    close(ready[1]);
}

static int threads_before;

static void start_polling(void)
{
    serve();
    threads_before = harness_threads();
    lf_options options = to_server(socket_url);
    options.worker = LF_OFF;
    options.flush_interval_ms = 20;
    CHECK_INT(lf_init(&options), LF_OK);
}

static void check_no_thread(void)
{
    if (HARNESS_TSAN) /* it has threads of its own, begun with the first one of the program */
        return;
    CHECK_SOON(harness_threads() == threads_before); /* a thread that was joined may take a moment to go */
    CHECK_INT(threads_before, 1);
}

static NOINLINE void leaf(void)
{
    OBSERVE();
}

/* As a program does it: sleep until something is ready, call. Returns how often it was called. */
static int loop_until_delivered(uint64_t count)
{
    int calls = 0;
    lf_poll_wants wants;
    CHECK(lf_poll(0, &wants) >= 0);
    for (uint64_t until = now_ms() + HARNESS_WAIT_MS; stats_now().delivered < count; calls++) {
        CHECK(now_ms() < until);
        CHECK(wants.count <= sizeof wants.fds / sizeof *wants.fds);
        int longest = wants.timeout_ms < 0 ? HARNESS_WAIT_MS : wants.timeout_ms;
        CHECK(poll(wants.fds, wants.count, longest) >= 0);
        CHECK(lf_poll(0, &wants) >= 0);
    }
    return calls;
}

TEST(the_program_does_the_work_and_there_is_no_thread)
{
    start_polling();
    int settled = 0;
    for (int i = 0; i < 10; i++)
        leaf();
    while (settled < 10) {
        int now = lf_poll(HARNESS_WAIT_MS, NULL);
        CHECK(now >= 0);
        settled += now;
    }
    CHECK_INT(settled, 10);
    CHECK_INT(stats_now().delivered, 10);
    CHECK_INT(stats_now().queued, 0);
    check_no_thread();
}

TEST(it_sleeps_until_something_is_ready)
{
    start_polling();
    lf_poll_wants wants;
    CHECK_INT(lf_poll(0, &wants), 0);
    CHECK_INT(lf_poll(0, &wants), 0); /* the start itself was something */
    CHECK(wants.count >= 1);
    CHECK_INT(wants.timeout_ms, -1);
    CHECK_INT(poll(wants.fds, wants.count, 0), 0);
    leaf();
    CHECK_INT(poll(wants.fds, wants.count, 0), 1); /* a descriptor tells */
    int calls = loop_until_delivered(1);
    CHECK(calls < 100); /* about five: no spinning */
    for (int i = 0; i < 5; i++) {
        leaf();
        CHECK(loop_until_delivered((uint64_t)i + 2) < 100);
    }
    check_no_thread();
}

TEST(the_descriptors_fit_into_epoll)
{
    start_polling();
    leaf();
    lf_poll_wants wants;
    int loop = epoll_create1(EPOLL_CLOEXEC);
    CHECK(lf_poll(0, &wants) >= 0);
    for (uint64_t until = now_ms() + HARNESS_WAIT_MS; stats_now().delivered < 1;) {
        struct epoll_event ready[16];
        CHECK(now_ms() < until);
        for (unsigned i = 0; i < wants.count; i++) {
            uint32_t events = (wants.fds[i].events & POLLIN ? (uint32_t)EPOLLIN : 0) |
                              (wants.fds[i].events & POLLOUT ? (uint32_t)EPOLLOUT : 0);
            CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, wants.fds[i].fd, &(struct epoll_event){events, {.fd = wants.fds[i].fd}}) == 0);
        }
        CHECK(epoll_wait(loop, ready, 16, wants.timeout_ms < 0 ? HARNESS_WAIT_MS : wants.timeout_ms) >= 0);
        for (unsigned i = 0; i < wants.count; i++)
            CHECK(epoll_ctl(loop, EPOLL_CTL_DEL, wants.fds[i].fd, NULL) == 0);
        CHECK(lf_poll(0, &wants) >= 0);
    }
    close(loop);
}

TEST(a_server_that_fails_is_asked_again_in_time)
{
    start_polling();
    played->fails_first = 2;
    leaf();
    loop_until_delivered(1);
    CHECK_INT(played->posts, 3);
    CHECK_INT(stats_now().retries, 2);
    check_no_thread();
}

TEST(nothing_blocks_on_a_server_that_hangs)
{
    enum { MARGIN_MS = 2000 }; /* of the machine; under valgrind it is slow */
    start_polling();
    played->hangs = true;
    leaf();
    uint64_t begin = now_ms();
    for (int i = 0; i < 20; i++)
        CHECK_INT(lf_poll(0, NULL), 0);
    CHECK(now_ms() - begin < MARGIN_MS);
    CHECK_SOON(lf_poll(10, NULL) == 0 && played->posts == 1);
    begin = now_ms();
    CHECK_INT(lf_poll(100, NULL), 0);
    CHECK(now_ms() - begin < 100 + MARGIN_MS);
    begin = now_ms();
    CHECK_INT(lf_flush(100), LF_ERR_TIMEOUT);
    CHECK(now_ms() - begin < 100 + MARGIN_MS);
    begin = now_ms();
    CHECK_INT(lf_shutdown(100), LF_ERR_TIMEOUT);
    CHECK(now_ms() - begin < 100 + 50 + MARGIN_MS);
    CHECK_INT(stats_now().dropped[LF_DROP_SHUTDOWN], 1);
}

TEST(who_waits_for_deliveries_does_the_work)
{
    start_polling();
    for (int i = 0; i < 3; i++) {
        leaf();
        CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
        CHECK_INT(stats_now().delivered, i + 1);
    }
    leaf();
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(stats_now().delivered, 4);
    CHECK_INT(lf_poll(0, NULL), LF_ERR_DISABLED);
    lf_options options = to_server(socket_url);
    options.worker = LF_OFF;
    CHECK_INT(lf_init(&options), LF_OK);
    leaf();
    loop_until_delivered(5);
    check_no_thread();
}

static void leave_one(void)
{
    lf_options options = to_server(socket_url);
    options.worker = LF_OFF;
    options.exit_timeout_ms = HARNESS_WAIT_MS;
    CHECK_INT(lf_init(&options), LF_OK);
    leaf();
}

TEST(exit_sends_what_is_left)
{
    serve();
    CHECK_INT(end_of(leave_one), 0);
    CHECK_INT(played->posts, 1);
}

TEST(a_forked_child_polls_for_itself)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(a_forked_child_polls_for_itself);
    start_polling();
    leaf();
    loop_until_delivered(1);
    leaf(); /* the parent's */
    pid_t child = fork();
    if (child == 0) {
        leaf();
        loop_until_delivered(1);
        CHECK_INT(stats_now().accepted, 1);
        exit(0);
    }
    CHECK_INT(end_of_child(child), 0);
    loop_until_delivered(2);
    CHECK_INT(played->posts, 3);
}

static _Atomic bool over;

static void *polls(void *unused)
{
    while (!over)
        CHECK_INT(lf_poll(100, NULL), 0);
    return unused;
}

TEST(another_thread_that_polls_comes_back_at_once)
{
    start_polling();
    played->hangs = true;
    leaf();
    CHECK_SOON(lf_poll(10, NULL) == 0 && played->posts == 1);
    pthread_t thread;
    lf_poll_wants wants = {0};
    CHECK(pthread_create(&thread, NULL, polls, NULL) == 0);
    CHECK_SOON(lf_poll(0, &wants) == 0 && wants.count == 0 && wants.timeout_ms == 10);
    over = true;
    CHECK(pthread_join(thread, NULL) == 0);
}

static void *asks_for_wants(void *unused)
{
    lf_poll_wants wants;
    while (!over)
        CHECK(lf_poll(0, &wants) >= 0);
    return unused;
}

TEST(threads_that_poll_do_not_get_into_each_others_way)
{
    start_polling();
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, asks_for_wants, NULL) == 0);
    for (int i = 0; i < 300; i++) {
        leaf();
        sched_yield();
    }
    CHECK_SOON(stats_now().delivered == 300);
    over = true;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

TEST(a_file_of_the_program_is_not_taken_for_ours)
{
    start_polling();
    lf_poll_wants wants;
    CHECK(lf_poll(0, &wants) >= 0);
    CHECK_INT(wants.count, 1);
    char path[300];
    snprintf(path, sizeof path, "%s/own", harness_folder);
    int own = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600), event = wants.fds[0].fd;
    CHECK(own >= 0 && dup2(own, event) == event); /* as after closing all, and opening */
    leaf();
    CHECK(lf_poll(0, &wants) >= 0);
    CHECK_INT(lseek(own, 0, SEEK_END), 0);
    CHECK_INT(wants.timeout_ms <= 20 && wants.timeout_ms >= 0, 1);
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    CHECK(fcntl(event, F_GETFD) >= 0);
}

static void *observes(void *unused)
{
    for (int i = 0; i < 500; i++)
        leaf();
    return unused;
}

TEST(threads_observe_while_one_polls)
{
    start_polling();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, observes, NULL) == 0);
    loop_until_delivered(4 * 500);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    check_no_thread();
}

TEST(scores_and_further_clients_go_the_same_way)
{
    start_polling();
    lf_options options = to_server(socket_url);
    lf_client *client = lf_client_new(&options);
    lf_observation *o = lf_start_observation(.name = "o", .client = client);
    CHECK_INT(lf_create_score(.name = "s", .value = 1, .observation = o), LF_OK);
    lf_observation_end(o);
    leaf();
    loop_until_delivered(3);
    lf_client_free(client);
    check_no_thread();
}

/* The answer to the question of where scores go settles no record, and is acted upon at once all the same. */
TEST(scores_go_once_the_server_has_told_its_version)
{
    serve();
    lf_options options = to_server(socket_url);
    options.worker = LF_OFF;
    options.flush_at = 1;
    options.flush_interval_ms = 3600000;
    CHECK_INT(lf_init(&options), LF_OK);
    CHECK_INT(lf_create_score(.name = "judged", .value = 1, .session_id = "s"), LF_OK);
    loop_until_delivered(1);
}

TEST(prompts_are_fetched_by_who_asks)
{
    start_polling();
    lf_error error;
    CHECK(lf_get_prompt("p", .timeout_ms = 0, .error = &error) == NULL);
    CHECK_INT(error.status, LF_ERR_TIMEOUT);
    CHECK_INT(played->gets, 0);
    lf_prompt *p = lf_get_prompt("p", .cache_ttl_ms = 1, .error = &error);
    CHECK(p != NULL && p->source == LF_PROMPT_FRESH);
    lf_prompt_free(p);
    sleep_ms(2); /* it is stale now */
    played->version = 2;
    p = lf_get_prompt("p", .timeout_ms = 0);
    CHECK(p != NULL && p->source == LF_PROMPT_STALE && p->version == 1);
    lf_prompt_free(p);
    CHECK_INT(played->gets, 1);
    p = lf_get_prompt("p", .cache_ttl_ms = 1, .error = &error);
    CHECK(p != NULL && p->source == LF_PROMPT_FRESH && p->version == 2);
    lf_prompt_free(p);
    sleep_ms(2);
    played->status = 500;
    p = lf_get_prompt("p", .max_retries = 0, .error = &error);
    CHECK(p != NULL && p->source == LF_PROMPT_STALE && p->version == 2);
    CHECK_INT(error.status, LF_ERR_SERVER);
    lf_prompt_free(p);
    int gets = played->gets;
    p = lf_get_prompt("p", .max_retries = 0, .error = &error); /* not again a moment after it failed */
    CHECK(p != NULL && p->source == LF_PROMPT_STALE);
    lf_prompt_free(p);
    CHECK_INT(played->gets, gets);
    played->status = 0;
    const char *const names[] = {"a", "b", "c"};
    CHECK_INT(lf_prefetch_prompts(names, 3, HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(played->gets, gets + 3);
    CHECK_INT(lf_prefetch_prompts(names, 3, 0), LF_OK);
    const char *const more[] = {"d"}, *const others[] = {"e"}, *const none[] = {"f"};
    CHECK_INT(lf_prefetch_prompts(more, 1, 0), LF_ERR_TIMEOUT);
    played->status = 500;
    CHECK_INT(lf_prefetch_prompts(others, 1, HARNESS_WAIT_MS), LF_ERR_SERVER);
    played->status = 404;
    CHECK_INT(lf_prefetch_prompts(none, 1, HARNESS_WAIT_MS), LF_ERR_REFUSED);
    check_no_thread();
}

TEST(with_a_thread_or_without_keys_there_is_nothing_to_poll)
{
    lf_poll_wants wants;
    CHECK_INT(lf_poll(0, &wants), LF_ERR_DISABLED);
    CHECK_INT(wants.timeout_ms, -1);
    CHECK_INT(wants.count, 0);
    start();
    CHECK_INT(lf_poll(0, NULL), LF_ERR_ARGUMENT);
}

TEST(a_file_is_written_by_who_polls)
{
    lf_options options = to_file(harness_path);
    options.worker = LF_OFF;
    CHECK_INT(lf_init(&options), LF_OK);
    leaf();
    loop_until_delivered(1);
    read_spans(harness_path);
    CHECK_INT(span_count, 1);
}

/* ---- A socket of the machine ------------------------------------------------------------------------------------------- */

TEST(a_socket_of_the_machine_is_a_server)
{
    serve();
    lf_options options = to_server(socket_url); /* with a thread */
    CHECK_INT(lf_init(&options), LF_OK);
    leaf();
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    lf_prompt *p = lf_get_prompt("p");
    CHECK(p != NULL);
    lf_prompt_free(p);
    CHECK_INT(stats_now().delivered, 1);
}

TEST(a_socket_that_is_not_there_is_told_by_its_path)
{
    char url[300];
    snprintf(url, sizeof url, "unix:%.200s/none", harness_folder);
    lf_options options = to_server(url);
    options.exit_timeout_ms = LF_NONE;
    CHECK_INT(lf_init(&options), LF_OK);
    lf_error error;
    CHECK_INT(lf_auth_check(HARNESS_WAIT_MS, &error), LF_ERR_NETWORK);
    CHECK(strstr(error.message, "none") != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_program_does_the_work_and_there_is_no_thread),
        cmocka_unit_test(it_sleeps_until_something_is_ready),
        cmocka_unit_test(the_descriptors_fit_into_epoll),
        cmocka_unit_test(a_server_that_fails_is_asked_again_in_time),
        cmocka_unit_test(nothing_blocks_on_a_server_that_hangs),
        cmocka_unit_test(who_waits_for_deliveries_does_the_work),
        cmocka_unit_test(exit_sends_what_is_left),
        cmocka_unit_test(a_forked_child_polls_for_itself),
        cmocka_unit_test(another_thread_that_polls_comes_back_at_once),
        cmocka_unit_test(threads_observe_while_one_polls),
        cmocka_unit_test(threads_that_poll_do_not_get_into_each_others_way),
        cmocka_unit_test(a_file_of_the_program_is_not_taken_for_ours),
        cmocka_unit_test(scores_and_further_clients_go_the_same_way),
        cmocka_unit_test(scores_go_once_the_server_has_told_its_version),
        cmocka_unit_test(prompts_are_fetched_by_who_asks),
        cmocka_unit_test(with_a_thread_or_without_keys_there_is_nothing_to_poll),
        cmocka_unit_test(a_file_is_written_by_who_polls),
        cmocka_unit_test(a_socket_of_the_machine_is_a_server),
        cmocka_unit_test(a_socket_that_is_not_there_is_told_by_its_path),
    };
    return cmocka_run_group_tests_name("poll", tests, NULL, NULL);
}
