/* A fork while another thread registers our exit handler. glibc holds a lock meanwhile that it does not mend in the child: there,
 * the next atexit or exit would wait for ever. Here that moment is long: where the table of exit handlers is full, atexit calls
 * calloc, which is ours and waits. */
#include "core_harness.h"

#if defined(__GLIBC__) && !HARNESS_TSAN && !HARNESS_ASAN

void *__libc_calloc(size_t count, size_t size);

/* glibc's table: a pointer, a count, and for each handler four words. */
enum { TABLE_ENTRIES = 32, TABLE_SIZE = (2 + 4 * TABLE_ENTRIES) * sizeof(void *), SLOW_MS = 100 };
static _Atomic size_t tables; /* allocated by atexit */
static _Atomic bool slow, waiting;

void *calloc(size_t count, size_t size)
{
    if (count * size == TABLE_SIZE) {
        atomic_fetch_add(&tables, 1);
        if (atomic_load(&slow)) {
            atomic_store(&waiting, true);
            sleep_ms(SLOW_MS);
        }
    }
    return __libc_calloc(count, size);
}

static void nothing(void)
{
}

static void fill_the_table(void)
{
    const size_t before = atomic_load(&tables);
    for (int i = 0; i < TABLE_ENTRIES && atomic_load(&tables) == before; i++)
        CHECK_INT(atexit(nothing), 0);
    CHECK(atomic_load(&tables) != before);
    for (int i = 1; i < TABLE_ENTRIES; i++)
        CHECK_INT(atexit(nothing), 0);
}

static void *observe(void *arg)
{
    OBSERVE();
    return arg;
}

static void observe_and_flush(void)
{
    (void)observe(NULL);
    CHECK_INT(lf_flush(HARNESS_WAIT_MS), LF_OK);
}

TEST(a_fork_while_the_exit_handler_is_registered_leaves_a_child_that_can_start_and_exit)
{
    if (under_valgrind()) {
        harness_skip("the lock of exit handlers", "the checker has malloc for itself");
        return;
    }
    pthread_t thread;
    CHECK_INT(setenv("LANGFUSE_EXPORTER", "file:/dev/null", 1), 0);
    fill_the_table();
    atomic_store(&slow, true);
    CHECK_INT(pthread_create(&thread, NULL, observe, NULL), 0);
    CHECK_SOON(atomic_load(&waiting));
    pid_t child = harness_fork(observe_and_flush);
    CHECK_INT(end_of_child(child), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fork_while_the_exit_handler_is_registered_leaves_a_child_that_can_start_and_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    puts("SKIP the lock of exit handlers: glibc's, and the checker has an allocator of its own");
    return 0;
}

#endif
