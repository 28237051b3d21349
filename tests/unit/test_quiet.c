/* What a host notices of our descriptors and lines: nothing in its own 0 to 2, nothing in programs that it starts.
 */
#include "cases.h"

#include "fake_server.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { DESCRIPTORS = 256 };

static bool is_open(int file)
{
    return fcntl(file, F_GETFD) >= 0;
}

static bool is_internet(int file)
{
    int domain = 0;
    socklen_t size = sizeof domain;
    return getsockopt(file, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && (domain == AF_INET || domain == AF_INET6);
}

static int internet_sockets(void)
{
    int count = 0;
    for (int file = 0; file < DESCRIPTORS; file++)
        count += is_internet(file);
    return count;
}

/* ---- A server in a process of its own, so that its descriptors are not among ours ---- */

static struct {
    _Atomic int requests;
    char url[64];
} *far;

static fake_reply count_request(fake_server *server, const fake_request *request)
{
    (void)server;
    (void)request;
    far->requests++;
    return (fake_reply){.body = "{}"};
}

static void serve(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fake_server *server = fake_server_start(count_request, NULL);
    CHECK(server != NULL);
    memcpy(far->url, server->url, sizeof far->url);
    far->requests = 0;
    for (;;)
        pause();
}

static pid_t start_far_server(void)
{
    far = mmap(NULL, sizeof *far, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(far != MAP_FAILED);
    far->requests = -1;
    pid_t server = harness_fork(serve);
    CHECK_SOON(far->requests == 0);
    return server;
}

static void stop_far_server(pid_t server)
{
    kill(server, SIGKILL);
    CHECK(waitpid(server, NULL, 0) == server);
}

static void observe_and_flush(int times)
{
    for (int i = 0; i < times; i++) {
        {
            OBSERVE();
        }
        CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
    }
}

/* ---- Tests ---- */

TEST(closed_standard_descriptors_stay_closed_and_everything_arrives)
{
    pid_t server = start_far_server();
    lf_options options = to_server(far->url);
    int kept[3];
    for (int i = 0; i < 3; i++) {
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
        CHECK(kept[i] >= 0);
    }
    for (int i = 0; i < 3; i++)
        close(i);
    CHECK_INT(lf_init(&options), LF_OK);
    observe_and_flush(3);
    bool free = !is_open(0) && !is_open(1) && !is_open(2);
    for (int i = 0; i < 3; i++)
        dup2(kept[i], i);
    CHECK(free);
    CHECK_INT(far->requests, 3);
    CHECK_INT(stats_now().delivered, 3);
    CHECK(internet_sockets() > 0);
    stop_far_server(server);
}

TEST(a_program_that_is_started_has_none_of_our_connections)
{
    if (under_valgrind()) {
        harness_skip("a_program_that_is_started_has_none_of_our_connections", "the checker has descriptors of its own");
        return;
    }
    pid_t server = start_far_server();
    lf_options options = to_server(far->url);
    CHECK_INT(lf_init(&options), LF_OK);
    observe_and_flush(2);
    CHECK_INT(internet_sockets(), 1); /* kept for the next request */
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "test_quiet", "--internet-sockets", (char *)NULL);
        _exit(HARNESS_FAILED);
    }
    CHECK_INT(end_of_child(child), 0);
    stop_far_server(server);
}

static off_t size_of(int file)
{
    struct stat info;
    CHECK(fstat(file, &info) == 0);
    return info.st_size;
}

static void complain(void)
{
    setenv("LANGFUSE_FLUSH_AT", "many", 1);
    lf_options options = to_file(harness_path);
    options.log = NULL;
    CHECK_INT(lf_init(&options), LF_OK);
    lf_shutdown(0);
}

TEST(a_file_that_takes_the_number_of_a_closed_stderr_is_not_written_to)
{
    char path[300];
    snprintf(path, sizeof path, "%s/database", harness_folder);
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
    close(STDERR_FILENO);
    complain();
    int file = open(path, O_RDWR | O_CREAT, 0600);
    errno = ECHILD;
    complain();
    int after = errno;
    off_t size = size_of(STDERR_FILENO);
    dup2(kept, STDERR_FILENO);
    CHECK_INT(file, STDERR_FILENO);
    CHECK_INT(size, 0);
    CHECK_INT(after, ECHILD);
}

TEST(a_stderr_that_is_redirected_is_followed)
{
    char path[300];
    snprintf(path, sizeof path, "%s/log", harness_folder);
    int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
    setenv("LANGFUSE_LOG", "quiet", 1);
    complain();
    unsetenv("LANGFUSE_LOG");
    int file = open(path, O_RDWR | O_CREAT, 0600);
    dup2(file, STDERR_FILENO);
    complain();
    dup2(kept, STDERR_FILENO);
    CHECK(size_of(file) > 0);
}

/* A line to a pipe that nobody reads, to a file that may not grow, and to a log file that may not. */
static void complain_into_a_pipe(void)
{
    int ends[2];
    CHECK_INT(pipe(ends), 0);
    close(ends[0]);
    dup2(ends[1], STDERR_FILENO);
    complain();
}

static void complain_into_a_full_file(void)
{
    char path[300];
    snprintf(path, sizeof path, "%s/full", harness_folder);
    CHECK_INT(dup2(open(path, O_WRONLY | O_CREAT, 0600), STDERR_FILENO), STDERR_FILENO);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0}), 0);
    complain();
    setenv("LANGFUSE_LOG", path, 1);
    complain();
}

TEST(a_line_that_cannot_be_written_raises_no_signal)
{
    CHECK_INT(end_of(complain_into_a_pipe), 0);
    CHECK_INT(end_of(complain_into_a_full_file), 0);
}

static fake_reply refuse(fake_server *server, const fake_request *request)
{
    (void)server;
    (void)request;
    return (fake_reply){.status = 400, .body = "{}"};
}

/* Its status: how many lines it said. */
static int child_that_is_refused(void)
{
    pid_t child = fork();
    if (child == 0) {
        {
            OBSERVE();
        }
        CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_ERR_LOST);
        _exit((int)lines_with(""));
    }
    return end_of_child(child);
}

TEST(forked_children_say_a_thing_once_together)
{
    SKIP_WHERE_FORK_IS_NOT_SUPPORTED(forked_children_say_a_thing_once_together);
    fake_server *server = fake_server_start(refuse, NULL);
    CHECK(server != NULL);
    lf_options options = to_server(server->url);
    options.log = keep_line;
    CHECK_INT(lf_init(&options), LF_OK);
    CHECK_INT(lines_with(""), 0);
    CHECK_INT(child_that_is_refused(), 1);
    CHECK_INT(child_that_is_refused(), 0);
    fake_server_free(server);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--internet-sockets") == 0)
        _exit(internet_sockets());
    if (argc > 1) /* one test, or those that match a pattern */
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_standard_descriptors_stay_closed_and_everything_arrives),
        cmocka_unit_test(a_file_that_takes_the_number_of_a_closed_stderr_is_not_written_to),
        cmocka_unit_test(a_stderr_that_is_redirected_is_followed),
        cmocka_unit_test(a_line_that_cannot_be_written_raises_no_signal),
        cmocka_unit_test(a_program_that_is_started_has_none_of_our_connections),
        cmocka_unit_test(forked_children_say_a_thing_once_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
