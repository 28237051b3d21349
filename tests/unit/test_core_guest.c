/* What a program sees of the library: a thread, and neither handlers nor output. */
#include "core_harness.h"

#include <dirent.h>
#include <pthread.h>

static NOINLINE void leaf(void)
{
    OBSERVE();
}

static NOINLINE void around_leaf(void)
{
    OBSERVE();
    leaf();
}

static bool read_status_line(const char *thread, const char *key, char *out, size_t size)
{
    char path[300], line[300];
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *file = fopen(path, "r");
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        size_t length = strlen(key);
        found = strncmp(line, key, length) == 0;
        if (found)
            snprintf(out, size, "%s", line + length + strspn(line + length, " \t"));
    }
    if (file != NULL)
        fclose(file);
    out[strcspn(out, "\n")] = '\0';
    return found;
}

static int count_our_threads(char *out_blocked, size_t size)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char name[64] = "";
        if (!read_status_line(entry->d_name, "Name:", name, sizeof name) || strcmp(name, "langfuse") != 0)
            continue;
        CHECK(read_status_line(entry->d_name, "SigBlk:", out_blocked, size));
        count++;
    }
    closedir(folder);
    return count;
}

TEST(our_thread_is_named_and_takes_no_signals)
{
    char blocked[64] = "";
    start();
    leaf();
    collect();
    CHECK_INT(count_our_threads(blocked, sizeof blocked), 1);
    uint64_t mask = strtoull(blocked, NULL, 16);
    for (int number = 1; number <= SIGRTMAX; number++) {
        bool can_be_blocked = number != SIGKILL && number != SIGSTOP && (number < 32 || number >= SIGRTMIN);
        /* Under a checker some signals are its own. */
        if (can_be_blocked && !under_valgrind() && (mask >> (number - 1) & 1) == 0)
            harness_fail(__FILE__, __LINE__, "signal %d is not blocked: %s", number, blocked);
    }
    CHECK_INT(lf_shutdown(HARNESS_WAIT_MS), LF_OK);
    CHECK_INT(count_our_threads(blocked, sizeof blocked), 0);
}

TEST(no_signal_handler_is_installed_and_nothing_is_printed)
{
    struct sigaction before[65], after;
    sigset_t mask_before, mask_after;
    char stdout_path[300];
    for (int number = 1; number <= 64; number++)
        if (sigaction(number, NULL, &before[number]) != 0)
            before[number].sa_handler = SIG_ERR;
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    snprintf(stdout_path, sizeof stdout_path, "%s.stdout", harness_path);
    int saved = dup(STDOUT_FILENO);
    CHECK(freopen(stdout_path, "w", stdout) != NULL);

    char url[64];
    int server = silent_server(url, sizeof url);
    lf_options options = to_server(url);
    CHECK_INT(lf_init(&options), LF_OK); /* with libcurl and all */
    around_leaf();
    CHECK_INT(lf_flush(100), LF_ERR_TIMEOUT);

    for (int number = 1; number <= 64; number++)
        if (before[number].sa_handler != SIG_ERR && sigaction(number, NULL, &after) == 0)
            CHECK(after.sa_handler == before[number].sa_handler);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    for (int number = 1; number <= 64; number++)
        CHECK_INT(sigismember(&mask_after, number), sigismember(&mask_before, number));
    CHECK_INT(lf_shutdown(0), LF_ERR_TIMEOUT);
    close(server);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    struct stat status;
    CHECK(stat(stdout_path, &status) == 0);
    CHECK_INT(status.st_size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_thread_is_named_and_takes_no_signals),
        cmocka_unit_test(no_signal_handler_is_installed_and_nothing_is_printed),
    };
    return cmocka_run_group_tests_name("core: guest", tests, NULL, NULL);
}
