/* Deliveries into a file instead of a server. */
#define _GNU_SOURCE
#include "export_rig.h"

static char folder[64], file_path[96], exporter[128];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/langfuse-export-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(file_path, sizeof file_path, "%s/out.jsonl", folder);
    snprintf(exporter, sizeof exporter, "file:%s", file_path);
}

static void remove_folder(void)
{
    unlink(file_path);
    rmdir(folder);
}

/* Every line is a JSON document with spans; returns their number. */
static unsigned spans_in_file(unsigned *out_lines)
{
    FILE *file = fopen(file_path, "r");
    assert_non_null(file);
    char *line = NULL;
    size_t room = 0;
    unsigned spans = 0;
    *out_lines = 0;
    for (ssize_t size; (size = getline(&line, &room, file)) > 0; ++*out_lines) {
        assert_int_equal(line[size - 1], '\n');
        cJSON *json = cJSON_ParseWithLength(line, (size_t)size);
        if (json == NULL)
            fail_msg("line %u is not JSON: %.80s", *out_lines, line);
        const cJSON *resource = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "resourceSpans"), 0);
        const cJSON *scope = cJSON_GetArrayItem(cJSON_GetObjectItem(resource, "scopeSpans"), 0);
        spans += (unsigned)cJSON_GetArraySize(cJSON_GetObjectItem(scope, "spans"));
        cJSON_Delete(json);
    }
    free(line);
    fclose(file);
    return spans;
}

static void a_file_gets_one_json_document_a_line_and_is_appended_to(void **state)
{
    (void)state;
    make_folder();
    unsigned lines;
    for (unsigned run = 1; run <= 2; run++) {
        START(.exporter = exporter, .protocol = "http/protobuf");
        rig.added = 0;
        memset(&rig.counters, 0, sizeof rig.counters);
        for (int i = 0; i < 3; i++)
            send_many(5);
        settle();
        assert_int_equal(delivered(), 15);
        assert_int_equal(spans_in_file(&lines), 15 * run);
        assert_int_equal(lines, 3 * run);
        lf__export_free(rig.x);
        lf__config_free(rig.config);
        rig.x = NULL;
        rig.config = NULL;
    }
    struct stat info;
    assert_int_equal(stat(file_path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600); /* what was traced is for its owner's eyes */
    assert_int_equal(lines_with("first export accepted by "), 2); /* one for each exporter */
    remove_folder();
}

static void scores_have_a_file_of_their_own_with_one_batch_a_line(void **state)
{
    (void)state;
    make_folder();
    rig.kind = LF__EXPORT_SCORES;
    START(.exporter = exporter);
    send_scores(3);
    send_scores(2);
    settle();
    assert_int_equal(delivered(), 5);
    char path[128], text[4096];
    snprintf(path, sizeof path, "%s.scores", file_path);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (int line = 0; line < 2; line++) {
        assert_non_null(fgets(text, sizeof text, file));
        cJSON *json = cJSON_Parse(text);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "batch")), line == 0 ? 3 : 2);
        cJSON_Delete(json);
    }
    assert_null(fgets(text, sizeof text, file));
    fclose(file);
    unlink(path);
    assert_int_equal(access(file_path, F_OK), -1);
    remove_folder();
}

static void a_file_that_cannot_be_written_is_told_once_and_counted(void **state)
{
    (void)state;
    static const struct {
        const char *exporter, *why;
    } cases[] = {
        {"file:/nonexistent/folder/x.jsonl", "No such file or directory"},
        {"file:/proc", "Is a directory"},
        {"file:/dev/full", "No space left on device"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start_over();
        START(.exporter = cases[i].exporter);
        lf__export_tune(rig.x, (lf__export_times){2 * MS, 10 * MS, 30 * MS});
        for (int j = 0; j < 3; j++)
            send_many(10);
        settle();
        assert_int_equal(dropped(LF_DROP_UNREACHABLE), 30);
        if (lines_with("") != 1 || lines_with(cases[i].why) != 1 || lines_with(cases[i].exporter + 5) != 1)
            fail_msg("%zu lines: %s", lines_with(""), line_at(0));
    }
}

static void a_file_that_becomes_writable_gets_everything(void **state)
{
    (void)state;
    make_folder();
    rmdir(folder);
    START(.exporter = exporter);
    send_many(10);
    while (atomic_load(&rig.counters.retries) < 2)
        work(10);
    assert_int_equal(lf__export_held(rig.x), 10);
    assert_int_equal(mkdir(folder, 0700), 0);
    settle();
    unsigned lines;
    assert_int_equal(delivered(), 10);
    assert_int_equal(spans_in_file(&lines), 10);
    remove_folder();
}

/* In a process of its own: no assertions, the status tells. */
static int write_file_as_child(void)
{
    for (int i = 0; i < 150; i++) {
        for (unsigned n = 0; n < 4; n++)
            if (lf__export_add(rig.x, numbered_record(&rig.made, n, n, 20000), NULL, 0) != LF__ADD_DONE)
                return 1;
        lf__export_send(rig.x);
        while (lf__export_busy(rig.x)) { /* another process had the lock for too long, on a busy machine: try again */
            lf__export_hurry(rig.x);
            lf__export_step(rig.x);
        }
    }
    return delivered() == 600 ? 0 : 1;
}

static void lines_of_several_processes_do_not_mix(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    print_message("SKIP lines_of_several_processes_do_not_mix: the checker's own locks do not survive fork\n");
    return;
#endif
    make_folder();
    START(.exporter = exporter);
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(write_file_as_child());
    }
    for (int i = 0; i < 3; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    unsigned lines;
    assert_int_equal(spans_in_file(&lines), 3 * 600);
    assert_int_equal(lines, 3 * 150);
    remove_folder();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_file_gets_one_json_document_a_line_and_is_appended_to),
        CASE(scores_have_a_file_of_their_own_with_one_batch_a_line),
        CASE(a_file_that_cannot_be_written_is_told_once_and_counted),
        CASE(a_file_that_becomes_writable_gets_everything),
        CASE(lines_of_several_processes_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
