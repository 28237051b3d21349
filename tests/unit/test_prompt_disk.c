/* Prompts on disk: a copy outlives the process, is written whole or not at all, is nobody else's business, and whatever else
 * lies in its place counts as no copy.
 */
#include "prompt_cases.h"

#include "../../src/ask/prompt_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>

static char folder[300];

static void use_folder(void)
{
    snprintf(folder, sizeof folder, "%s/prompts", harness_folder);
    setenv("LANGFUSE_PROMPT_CACHE_DIR", folder, 1);
}

/* The only copy in the folder; other files there fail the test. */
static const char *only_copy(void)
{
    static char path[600];
    int count = 0;
    DIR *directory = opendir(folder);
    CHECK(directory != NULL);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            count++;
        }
    closedir(directory);
    CHECK_INT(count, 1);
    CHECK(strstr(path, ".json") != NULL);
    return path;
}

static int file_count(void)
{
    int count = 0;
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    if (directory != NULL)
        closedir(directory);
    return count;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fputs(text, file);
    fclose(file);
}

/* A prompt on disk, the memory empty, the server as `status`. */
static fake_server *keep_one(int status)
{
    use_folder();
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    lf_clear_prompt_cache();
    script.status = status;
    return server;
}

static lf_prompt *get_now(void)
{
    return lf_get_prompt("p", .max_retries = 0);
}

TEST(a_copy_is_kept_for_its_owner_only)
{
    fake_server *server = keep_one(503);
    struct stat info;
    CHECK(stat(folder, &info) == 0);
    CHECK_INT(info.st_mode & 0777, 0700);
    CHECK(stat(only_copy(), &info) == 0);
    CHECK_INT(info.st_mode & 0777, 0600);
    CHECK(S_ISREG(info.st_mode));
    CHECK(strstr(only_copy(), "sk-lf") == NULL && strstr(only_copy(), "pk-lf") == NULL);
    lf_prompt *p = get_now();
    CHECK(p != NULL);
    CHECK_INT(p->source, LF_PROMPT_STALE);
    CHECK(!p->is_fallback);
    CHECK_TEXT(p->prompt, "p v1");
    lf_prompt_free(p);
    CHECK_GETS(LF_PROMPT_STALE, 1, "p", .max_retries = 0, .fallback = "f");
    fake_server_free(server);
}

/* Other versions, labels and names have copies of their own. */
TEST(copies_are_told_apart)
{
    fake_server *server = keep_one(0);
    script.version = 2;
    CHECK_GETS(LF_PROMPT_FRESH, 2, "p", .version = 2);
    script.version = 3;
    CHECK_GETS(LF_PROMPT_FRESH, 3, "p", .label = "staging");
    script.version = 4;
    CHECK_GETS(LF_PROMPT_FRESH, 4, "p\n");
    CHECK_INT(file_count(), 4);
    lf_clear_prompt_cache();
    script.status = 500;
    CHECK_GETS(LF_PROMPT_STALE, 1, "p", .max_retries = 0);
    CHECK_GETS(LF_PROMPT_STALE, 2, "p", .version = 2, .max_retries = 0);
    CHECK_GETS(LF_PROMPT_STALE, 3, "p", .label = "staging", .max_retries = 0);
    CHECK(lf_get_prompt("p", .label = "other", .max_retries = 0) == NULL);
    fake_server_free(server);
}

static char restart_url[64];
static bool restart_with_other_key, restart_with_other_host;

static void after_a_restart(void)
{
    lf_options options = to_server(restart_with_other_host ? "http://127.0.0.1:1" : restart_url);
    options.log = keep_line;
    if (restart_with_other_key)
        options.public_key = "pk-lf-other";
    CHECK_INT(lf_init(&options), LF_OK);
    lf_error error = {0};
    lf_prompt *p = lf_get_prompt("p", .max_retries = 0, .error = &error);
    if (restart_with_other_key || restart_with_other_host)
        CHECK(p == NULL);
    else
        CHECK(p != NULL && p->source == LF_PROMPT_STALE && p->version == 1);
    CHECK_INT(error.status, LF_ERR_NETWORK);
    lf_prompt_free(p);
}

static void before_a_restart(void)
{
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    FILE *file = fopen(harness_path, "w");
    fputs(server->url, file);
    fclose(file);
    fake_server_free(server);
}

TEST(a_restart_without_a_network_finds_the_copy)
{
    use_folder();
    CHECK_INT(end_of(before_a_restart), 0);
    FILE *file = fopen(harness_path, "r");
    CHECK(file != NULL && fgets(restart_url, sizeof restart_url, file) != NULL);
    fclose(file);
    CHECK_INT(end_of(after_a_restart), 0);
    restart_with_other_key = true;
    CHECK_INT(end_of(after_a_restart), 0);
    restart_with_other_key = false;
    restart_with_other_host = true;
    CHECK_INT(end_of(after_a_restart), 0);
}

TEST(a_deleted_prompt_is_not_taken_from_disk)
{
    fake_server *server = keep_one(404);
    lf_error error = {0};
    CHECK(lf_get_prompt("p", .error = &error) == NULL);
    CHECK_INT(error.http_status, 404);
    CHECK_INT(file_count(), 0);
    CHECK_GETS(LF_PROMPT_FALLBACK, 0, "p", .fallback = "f");
    script.status = 500;
    CHECK_GETS(LF_PROMPT_FALLBACK, 0, "p", .max_retries = 0, .fallback = "f");
    fake_server_free(server);
}

/* The first call waits for a server that does not answer; the others have the copy at once, and one at a time asks again. */
TEST(a_copy_from_disk_is_in_memory_from_then_on)
{
    fake_server *server = keep_one(0);
    script.manner = FAKE_HANG;
    CHECK_GETS(LF_PROMPT_STALE, 1, "p", .max_retries = 0, .timeout_ms = 200);
    CHECK_INT(script.gets, 2);
    for (int i = 0; i < 50; i++)
        CHECK_GETS(LF_PROMPT_STALE, 1, "p", .max_retries = 0, .timeout_ms = 200);
    CHECK(script.gets < 50);
    script_reset();
    script.version = 2;
    lf_prompt *p = NULL;
    uint64_t until_ms = now_ms() + HARNESS_WAIT_MS;
    do {
        lf_prompt_free(p);
        p = get_now();
        CHECK(p != NULL && p->source != LF_PROMPT_FRESH);
        sleep_ms(10);
    } while (p->version != 2 && now_ms() < until_ms);
    CHECK_INT(p->version, 2);
    lf_prompt_free(p);
    fake_server_free(server);
}

TEST(a_copy_knows_its_age)
{
    fake_server *server = keep_one(500);
    struct timespec times[2] = {{.tv_sec = 946684800}, {.tv_sec = 946684800}}; /* the year 2000: before any machine's boot */
    CHECK(utimensat(AT_FDCWD, only_copy(), times, 0) == 0);
    lf_prompt *p = get_now();
    CHECK(p != NULL);
    CHECK(p->age_ms > (int64_t)25 * 365 * 86400 * 1000);
    lf_prompt_free(p);
    lf_clear_prompt_cache();
    times[1].tv_sec = time(NULL) + 1000000; /* a clock that was set back */
    CHECK(utimensat(AT_FDCWD, only_copy(), times, 0) == 0);
    p = get_now();
    CHECK(p != NULL && p->age_ms >= 0 && p->age_ms < HARNESS_WAIT_MS);
    lf_prompt_free(p);
    fake_server_free(server);
}

TEST(garbage_counts_as_no_copy)
{
    static const char *const garbage[] = {
        "", "x", "{", "[]", "null", "{\"name\":\"p\"}", "{\"name\":\"p\",\"version\":1,\"prompt\":\"cut"};
    fake_server *server = keep_one(500);
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        write_file(only_copy(), garbage[i]);
        CHECK(get_now() == NULL);
        CHECK_GETS(LF_PROMPT_FALLBACK, 0, "p", .max_retries = 0, .fallback = "f");
    }
    CHECK(truncate(only_copy(), (off_t)9 << 20) == 0);
    CHECK(get_now() == NULL);
    fake_server_free(server);
}

/* Each of these would be read, or waited for, by a careless program. */
TEST(what_is_no_plain_file_counts_as_no_copy)
{
    fake_server *server = keep_one(500);
    char path[600], other[700];
    snprintf(path, sizeof path, "%s", only_copy());
    snprintf(other, sizeof other, "%s/elsewhere", harness_folder);
    CHECK(rename(path, other) == 0);
    CHECK(symlink(other, path) == 0);
    CHECK(get_now() == NULL);
    CHECK(unlink(path) == 0);
    CHECK(mkfifo(path, 0600) == 0);
    CHECK(get_now() == NULL);
    CHECK(unlink(path) == 0);
    CHECK(mkdir(path, 0700) == 0);
    CHECK(get_now() == NULL);
    script.status = 0;
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p"); /* nothing can be written here, which is no failure */
    CHECK_INT(file_count(), 1);
    CHECK_INT(lines_with("LANGFUSE_PROMPT_CACHE_DIR"), 1);
    CHECK(rmdir(path) == 0);
    CHECK(symlink(other, path) == 0);
    lf_clear_prompt_cache();
    script.version = 2;
    CHECK_GETS(LF_PROMPT_FRESH, 2, "p"); /* replaces the link, not what it leads to */
    struct stat info;
    CHECK(lstat(path, &info) == 0 && S_ISREG(info.st_mode));
    lf_clear_prompt_cache();
    script.status = 500;
    CHECK_GETS(LF_PROMPT_STALE, 2, "p", .max_retries = 0);
    fake_server_free(server);
}

TEST(an_unreadable_copy_counts_as_none)
{
    if (geteuid() == 0 && seteuid(65534) != 0) {
        harness_skip("an_unreadable_copy_counts_as_none", "root reads everything");
        return;
    }
    if (geteuid() == 65534) {
        /* The test's folder belongs to root; this one takes its place. */
        CHECK(seteuid(0) == 0 && chmod(harness_folder, 0777) == 0 && seteuid(65534) == 0);
    }
    fake_server *server = keep_one(500);
    CHECK(chmod(only_copy(), 0) == 0);
    CHECK(get_now() == NULL);
    CHECK(chmod(only_copy(), 0600) == 0);
    CHECK_GETS(LF_PROMPT_STALE, 1, "p", .max_retries = 0);
    CHECK(chmod(folder, 0) == 0);
    lf_clear_prompt_cache();
    CHECK(get_now() == NULL);
    script.status = 0;
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    CHECK_INT(lines_with("LANGFUSE_PROMPT_CACHE_DIR"), 1);
    CHECK(chmod(folder, 0700) == 0);
    fake_server_free(server);
    if (getuid() == 0) /* a checker for leaks wants to look into its own process */
        CHECK(seteuid(0) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
}

TEST(a_folder_that_is_none_is_said_once_and_fails_nothing)
{
    snprintf(folder, sizeof folder, "%s/file", harness_folder);
    write_file(folder, "");
    setenv("LANGFUSE_PROMPT_CACHE_DIR", folder, 1);
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    CHECK_GETS(LF_PROMPT_FRESH, 1, "q");
    CHECK_INT(lines_with("LANGFUSE_PROMPT_CACHE_DIR"), 1);
    script.status = 500;
    CHECK(lf_get_prompt("r", .max_retries = 0) == NULL);
    fake_server_free(server);
}

/* ---- Written whole ---- */

static _Atomic bool over;

/* Looks at the copy all the time: it is there and complete. */
static void *looks(void *argument)
{
    const char *path = argument;
    while (!over) {
        char text[2048];
        FILE *file = fopen(path, "r");
        CHECK(file != NULL);
        size_t size = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        text[size] = '\0';
        cJSON *json = cJSON_Parse(text);
        CHECK(json != NULL && cJSON_IsString(cJSON_GetObjectItem(json, "prompt")));
        cJSON_Delete(json);
    }
    return NULL;
}

static void *writes(void *unused)
{
    (void)unused;
    while (!over)
        lf_prompt_free(lf_get_prompt("p", .cache_ttl_ms = 0));
    return NULL;
}

TEST(a_copy_is_always_whole)
{
    fake_server *server = keep_one(0);
    char path[600];
    snprintf(path, sizeof path, "%s", only_copy());
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, i == 0 ? looks : writes, path) == 0);
    for (int i = 0; i < 100 && script.gets < 400; i++) {
        script.version = 1 + i % 2 * 1000000;
        sleep_ms(2);
    }
    over = true;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(file_count(), 1); /* no half-written ones are left */
    if (lines_with("LANGFUSE_PROMPT_CACHE_DIR") != 0)
        harness_fail(__FILE__, __LINE__, "%s", cases_log.text[0]);
    fake_server_free(server);
}

/* ---- Whose folder it is ---- */

static void check_folder_is_refused(const char *why)
{
    lf_clear_prompt_cache();
    script.status = 500;
    CHECK(get_now() == NULL);
    CHECK_INT(lines_with(why), 1);
    CHECK(lf_get_prompt("other", .max_retries = 0) == NULL);
    script.status = 0;
    CHECK_GETS(LF_PROMPT_FRESH, 1, "q");
    CHECK_INT(file_count(), 1);
    CHECK_INT(lines_with("LANGFUSE_PROMPT_CACHE_DIR"), 1);
}

TEST(a_folder_that_all_may_write_is_not_used)
{
    fake_server *server = keep_one(500);
    CHECK(chmod(folder, 0777) == 0);
    check_folder_is_refused("other users may write there");
    CHECK(chmod(folder, 0755) == 0); /* that they may look is its owner's decision */
    lf_clear_prompt_cache();
    script.status = 500;
    CHECK_GETS(LF_PROMPT_STALE, 1, "p", .max_retries = 0);
    fake_server_free(server);
}

TEST(a_folder_that_a_group_may_write_is_not_used)
{
    fake_server *server = keep_one(500);
    CHECK(chmod(folder, 01770) == 0);
    check_folder_is_refused("other users may write there");
    fake_server_free(server);
}

TEST(a_link_to_a_folder_is_not_used)
{
    fake_server *server = keep_one(500);
    char real[400];
    snprintf(real, sizeof real, "%s-real", folder);
    CHECK(rename(folder, real) == 0 && symlink(real, folder) == 0);
    check_folder_is_refused("it is no folder, or a link to one");
    fake_server_free(server);
}

TEST(what_belongs_to_another_user_is_not_used)
{
    fake_server *server = keep_one(500);
    if (geteuid() != 0) {
        harness_skip("what_belongs_to_another_user_is_not_used", "only root can give files away");
    } else {
        CHECK(chown(only_copy(), 65534, 65534) == 0);
        CHECK(get_now() == NULL);
        CHECK_INT(lines_with("a file there belongs to another user"), 1);
        CHECK(chown(only_copy(), 0, 0) == 0);
        CHECK_GETS(LF_PROMPT_STALE, 1, "p", .max_retries = 0);
    }
    fake_server_free(server);
}

TEST(a_folder_of_another_user_is_not_used)
{
    fake_server *server = keep_one(500);
    if (geteuid() != 0) {
        harness_skip("a_folder_of_another_user_is_not_used", "only root can give folders away");
    } else {
        CHECK(chown(folder, 65534, 65534) == 0);
        check_folder_is_refused("it belongs to another user");
    }
    fake_server_free(server);
}

/* ---- A bad moment ---- */

static _Atomic int size_signals;

static void count_size_signal(int number)
{
    (void)number;
    size_signals++;
}

/* Without a handler the signal would kill the program. */
TEST(a_limit_of_file_sizes_raises_no_signal_in_the_program)
{
    fake_server *server = keep_one(0);
    struct rlimit few = {10, RLIM_INFINITY};
    CHECK(getrlimit(RLIMIT_FSIZE, &few) == 0);
    few.rlim_cur = 10;
    for (int handled = 0; handled < 2; handled++) {
        signal(SIGXFSZ, handled ? count_size_signal : SIG_DFL);
        CHECK(setrlimit(RLIMIT_FSIZE, &few) == 0);
        script.version = 2;
        CHECK_GETS(LF_PROMPT_FRESH, 2, "p");
        lf_clear_prompt_cache();
    }
    CHECK_INT(size_signals, 0);
    CHECK_INT(file_count(), 1);
    CHECK_INT(lines_with("File too large"), 1);
    sigset_t pending;
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ) == 0);
    fake_server_free(server);
}

static void make_file(const char *name, time_t age_s)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    write_file(path, "x");
    struct timespec times[2] = {{.tv_sec = time(NULL) - age_s}, {.tv_sec = time(NULL) - age_s}};
    CHECK(utimensat(AT_FDCWD, path, times, 0) == 0);
}

TEST(files_that_were_left_half_written_are_removed_after_a_day)
{
#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    enum { HOUR = 3600 };
    use_folder();
    CHECK(mkdir(folder, 0700) == 0);
    make_file(HASH ".1.2.3.part", 25 * HOUR);
    make_file(HASH ".4.5.6.part", 1000 * HOUR);
    make_file(HASH ".7.8.9.part", 23 * HOUR); /* may be of a process that runs */
    make_file(HASH ".json", 1000 * HOUR);
    make_file("mine.part", 1000 * HOUR); /* and what is not ours */
    make_file("x" HASH ".1.2.3.part", 1000 * HOUR);
    fake_server *server = start_prompts();
    CHECK_GETS(LF_PROMPT_FRESH, 1, "p");
    CHECK_INT(file_count(), 5);
    fake_server_free(server);
}

/* A full disk: the file size limit stands for it. */
TEST(what_cannot_be_written_leaves_the_old_copy)
{
    fake_server *server = keep_one(0);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit few = {10, 10};
    CHECK(setrlimit(RLIMIT_FSIZE, &few) == 0);
    script.version = 2;
    CHECK_GETS(LF_PROMPT_FRESH, 2, "p");
    CHECK_INT(file_count(), 1);
    CHECK_INT(lines_with("LANGFUSE_PROMPT_CACHE_DIR"), 1);
    lf_clear_prompt_cache();
    script.status = 500;
    CHECK_GETS(LF_PROMPT_STALE, 1, "p", .max_retries = 0);
    fake_server_free(server);
}

int main(int argc, char **argv)
{
    if (argc > 1) /* one test, or those that match a pattern */
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_kept_for_its_owner_only),
        cmocka_unit_test(copies_are_told_apart),
        cmocka_unit_test(a_restart_without_a_network_finds_the_copy),
        cmocka_unit_test(a_deleted_prompt_is_not_taken_from_disk),
        cmocka_unit_test(a_copy_from_disk_is_in_memory_from_then_on),
        cmocka_unit_test(a_copy_knows_its_age),
        cmocka_unit_test(garbage_counts_as_no_copy),
        cmocka_unit_test(what_is_no_plain_file_counts_as_no_copy),
        cmocka_unit_test(an_unreadable_copy_counts_as_none),
        cmocka_unit_test(a_folder_that_is_none_is_said_once_and_fails_nothing),
        cmocka_unit_test(a_copy_is_always_whole),
        cmocka_unit_test(what_cannot_be_written_leaves_the_old_copy),
        cmocka_unit_test(a_folder_that_all_may_write_is_not_used),
        cmocka_unit_test(a_folder_that_a_group_may_write_is_not_used),
        cmocka_unit_test(a_link_to_a_folder_is_not_used),
        cmocka_unit_test(what_belongs_to_another_user_is_not_used),
        cmocka_unit_test(a_folder_of_another_user_is_not_used),
        cmocka_unit_test(a_limit_of_file_sizes_raises_no_signal_in_the_program),
        cmocka_unit_test(files_that_were_left_half_written_are_removed_after_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
