/* A setuid program does not listen to the environment. */
#include "config_cases.h"

#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program; /* argv[0] */

/* What the copy of this program does: 0 when it is privileged and ignores the environment. */
static int report_as_setuid_program(void)
{
    if (getauxval(AT_SECURE) == 0)
        return 77;
    lf__config *config = lf__config_new(NULL);
    int result = config == NULL || config->enabled || config->exporter == LF__EXPORTER_FILE ? 1 : 0;
    lf__config_free(config);
    return result;
}

static bool copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    char block[65536];
    size_t size;
    while (in != NULL && out != NULL && (size = fread(block, 1, sizeof block, in)) > 0)
        if (fwrite(block, 1, size, out) != size)
            break;
    bool ok = in != NULL && out != NULL && feof(in) && !ferror(out);
    if (in != NULL)
        fclose(in);
    return (out == NULL || fclose(out) == 0) && ok;
}

static void a_setuid_program_does_not_listen_to_the_environment(void **state)
{
    (void)state;
    char copy[4096];
    snprintf(copy, sizeof copy, "%s.setuid-%ld", program, (long)getpid());
    int status = 77 << 8;
    if (geteuid() == 0 && copy_file("/proc/self/exe", copy) && chown(copy, 65534, 65534) == 0 && chmod(copy, 04755) == 0) {
        setenv("LANGFUSE_EXPORTER", "file:/tmp/chosen-by-an-attacker", 1);
        pid_t child = fork();
        if (child == 0) {
            execl(copy, copy, "--setuid", (char *)NULL);
            _exit(77);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    unlink(copy);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("SKIP: needs root and a file system that honours setuid\n");
        skip();
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc > 1 && strcmp(argv[1], "--setuid") == 0)
        _exit(report_as_setuid_program()); /* without a leak checker, which may not look into such a process */
    const struct CMUnitTest tests[] = {
        CASE(a_setuid_program_does_not_listen_to_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
