#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/model/shadow.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char objects[LF__SHADOWS + 1];

static void a_shadow_is_found_until_it_is_taken(void **state)
{
    (void)state;
    lf__shadow a, b;
    assert_null(lf__shadow_find(&objects[0]));
    assert_true(lf__shadow_add(&a, &objects[0]));
    assert_true(lf__shadow_add(&b, &objects[1]));
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(lf__shadow_find(&objects[0]), &a);
        assert_ptr_equal(lf__shadow_find(&objects[1]), &b);
        assert_null(lf__shadow_find(&objects[2]));
    }
    assert_ptr_equal(lf__shadow_take(&objects[0]), &a);
    assert_null(lf__shadow_find(&objects[0]));
    assert_null(lf__shadow_take(&objects[0]));
    assert_ptr_equal(lf__shadow_take(&objects[1]), &b);
}

/* An address that is used again: the thread that remembers the old shadow must not find it. */
static void *take_and_add(void *shadow)
{
    assert_non_null(lf__shadow_take(&objects[0]));
    assert_true(lf__shadow_add(shadow, &objects[0]));
    return NULL;
}

static void an_address_that_another_thread_uses_again_has_the_new_shadow(void **state)
{
    (void)state;
    lf__shadow old, new;
    pthread_t thread;
    assert_true(lf__shadow_add(&old, &objects[0]));
    assert_ptr_equal(lf__shadow_find(&objects[0]), &old);
    assert_int_equal(pthread_create(&thread, NULL, take_and_add, &new), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_ptr_equal(lf__shadow_find(&objects[0]), &new);
    assert_ptr_equal(lf__shadow_take(&objects[0]), &new);
}

static void the_table_has_a_ceiling(void **state)
{
    (void)state;
    lf__shadow *shadows = calloc(LF__SHADOWS + 1, sizeof *shadows);
    assert_non_null(shadows);
    for (int i = 0; i < LF__SHADOWS; i++)
        assert_true(lf__shadow_add(&shadows[i], &objects[i]));
    assert_false(lf__shadow_add(&shadows[LF__SHADOWS], &objects[LF__SHADOWS]));
    assert_null(lf__shadow_find(&objects[LF__SHADOWS]));
    for (int i = 0; i < LF__SHADOWS; i++)
        assert_ptr_equal(lf__shadow_take(&objects[i]), &shadows[i]);
    assert_true(lf__shadow_add(&shadows[0], &objects[0]));
    assert_ptr_equal(lf__shadow_take(&objects[0]), &shadows[0]);
    free(shadows);
}

static _Atomic bool stop;

static void *turn(void *own)
{
    lf__shadow shadow;
    while (!stop) {
        if (!lf__shadow_add(&shadow, own) || lf__shadow_find(own) != &shadow || lf__shadow_take(own) != &shadow)
            return own;
    }
    return NULL;
}

static void a_child_forked_beside_busy_threads_can_use_the_table(void **state)
{
    (void)state;
    enum { THREADS = 3, FORKS = 20 };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, turn, &objects[i]), 0);
    for (int i = 0; i < FORKS; i++) {
        lf__shadow_before_fork();
        pid_t child = fork();
        if (child == 0) {
            lf__shadow_after_fork_child();
            lf__shadow shadow;
            bool ok = true;
            for (int j = THREADS; j < 1000 && ok; j++)
                ok = lf__shadow_add(&shadow, &objects[j]) && lf__shadow_take(&objects[j]) == &shadow;
            _exit(ok ? 0 : 1);
        }
        lf__shadow_after_fork_parent();
        int status;
        assert_true(child > 0 && waitpid(child, &status, 0) == child);
        assert_int_equal(status, 0);
    }
    stop = true;
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shadow_is_found_until_it_is_taken),
        cmocka_unit_test(an_address_that_another_thread_uses_again_has_the_new_shadow),
        cmocka_unit_test(the_table_has_a_ceiling),
        cmocka_unit_test(a_child_forked_beside_busy_threads_can_use_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
