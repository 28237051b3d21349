#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/observe/site.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int line; /* a new one makes a new site */

static void argument_text_is_split_and_named(void **state)
{
    (void)state;
    static const struct {
        const char *arguments;
        const char *keys; /* joined by blanks */
    } rows[] = {
        {"", ""},
        {"  \t\n ", ""},
        {NULL, ""},
        {"question", "\"question\":"},
        {"question, top_k", "\"question\": \"top_k\":"},
        {"  a ,b\n,\tc ", "\"a\": \"b\": \"c\":"},
        {"f(a, b), c", "\"f(a, b)\": \"c\":"},
        {"x[i, j], (struct p){ 1, 2 }", "\"x[i, j]\": \"(struct p){ 1, 2 }\":"},
        {"f(g(a, {1, 2}), [b, c]), d", "\"f(g(a, {1, 2}), [b, c])\": \"d\":"},
        {"\"a, b\", c", "\"\\\"a, b\\\"\": \"c\":"},
        {"\"a\\\", b\", ','", "\"\\\"a\\\\\\\", b\\\"\": \"','\":"},
        {"'\\'', '(', x", "\"'\\\\''\": \"'('\": \"x\":"},
        {"\"(\" \"one\", y", "\"\\\"(\\\" \\\"one\\\"\": \"y\":"},
        {"(char *)text, -n, p->size", "\"(char *)text\": \"-n\": \"size\":"},
        {"lf_strn(body, n)", "\"body\":"},
        {"lf_strn (  body , n ), lf_array(v, 3), lf_json(x)", "\"body\": \"v\": \"x\":"},
        {"lf_secret(password), LF_VALUE(x)", "\"password\": \"x\":"},
        {"lf_secret(lf_strn(p->key, strlen(p->key)))", "\"key\":"},
        {"j->n", "\"n\":"},
        {"a.b->c, items[i].count, m[i][j].at[2].x", "\"c\": \"count\": \"x\":"},
        {"a->n, b->n, a->m", "\"a->n\": \"b->n\": \"m\":"},
        {"n, j->n", "\"n\": \"j->n\":"},
        {"p->f(1), f(1).x, 1.5, .5, p->, ->x, p-> x, (*p).x",
         "\"p->f(1)\": \"f(1).x\": \"1.5\": \".5\": \"p->\": \"->x\": \"p-> x\": \"(*p).x\":"},
        {"row[i], row[i].x[0]", "\"row[i]\": \"row[i].x[0]\":"},
        {"std::size(v), ns::x.y, this->name_", "\"std::size(v)\": \"ns::x.y\": \"name_\":"},
        {"lf_json(f(a, b))", "\"f(a, b)\":"},
        {"lf_json(a) + lf_json(b)", "\"lf_json(a) + lf_json(b)\":"},
        {"lf_jsonish(a), my_lf_json(b), lf_json", "\"lf_jsonish(a)\": \"my_lf_json(b)\": \"lf_json\":"},
        {"x, x, y, x", "\"x\": \"x#2\": \"y\": \"x#3\":"},
        {"lf_json(x), x", "\"x\": \"x#2\":"},
        {"\"q\", \"q\"", "\"\\\"q\\\"\": \"\\\"q\\\"#2\":"},
        {"h\xC3\xA9llo, bad\xFF", "\"h\xC3\xA9llo\": \"bad\xEF\xBF\xBD\":"},
        {"unbalanced(a, b", "\"unbalanced(a, b\":"},
        {"a), b", "\"a), b\":"},
        {"\"open, b", "\"\\\"open, b\":"},
        {"end\\", "\"end\\\\\":"},
        {"lf_json(", "\"lf_json(\":"},
        {"lf_json()", "\"\":"},
        {"a0,a1,a2,a3,a4,a5,a6,a7,a8,a9,a10,a11,a12,a13,a14,a15,a16,a17",
         "\"a0\": \"a1\": \"a2\": \"a3\": \"a4\": \"a5\": \"a6\": \"a7\": \"a8\": \"a9\": \"a10\": \"a11\": \"a12\": \"a13\": "
         "\"a14\": \"a15\":"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t id = lf__site_intern("f", "f.c", ++line, rows[i].arguments);
        assert_int_not_equal(id, 0);
        const lf__site *site = lf__site_get(id);
        char joined[512] = "";
        for (unsigned k = 0; k < site->argument_count; k++) {
            size_t at = strlen(joined);
            snprintf(joined + at, sizeof joined - at, "%s%.*s", k > 0 ? " " : "", (int)site->argument_key_size[k],
                     site->argument_key[k]);
        }
        assert_string_equal(joined, rows[i].keys);
    }
}

static void what_was_given_is_copied(void **state)
{
    (void)state;
    char function[] = "answer", file[] = "main.c", arguments[] = "a, b";
    uint32_t id = lf__site_intern(function, file, 77, arguments);
    memset(function, 'x', sizeof function - 1);
    memset(file, 'x', sizeof file - 1);
    memset(arguments, 'x', sizeof arguments - 1);
    const lf__site *site = lf__site_get(id);
    assert_string_equal(site->function, "answer");
    assert_string_equal(site->file, "main.c");
    assert_int_equal(site->line, 77);
    assert_int_equal(site->argument_count, 2);
    assert_memory_equal(site->argument_key[1], "\"b\":", 4);
}

static void equal_sites_are_one_and_different_ones_are_not(void **state)
{
    (void)state;
    uint32_t id = lf__site_intern("one", "one.c", 1, "a");
    char other_one[] = "one";
    assert_int_equal(lf__site_intern(other_one, "one.c", 1, "a"), id);
    assert_int_not_equal(lf__site_intern("two", "one.c", 1, "a"), id);
    assert_int_not_equal(lf__site_intern("one", "two.c", 1, "a"), id);
    assert_int_not_equal(lf__site_intern("one", "one.c", 2, "a"), id);
    assert_int_not_equal(lf__site_intern("one", "one.c", 1, "b"), id);
    assert_int_not_equal(lf__site_intern("on", "eone.c", 1, "a"), id);
    assert_int_equal(lf__site_intern(NULL, NULL, 1, NULL), lf__site_intern("", "", 1, ""));
}

static void unknown_ids_give_an_empty_site(void **state)
{
    (void)state;
    static const uint32_t ids[] = {0, LF__SITE_MAX - 1, LF__SITE_MAX, UINT32_MAX};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        const lf__site *site = lf__site_get(ids[i]);
        assert_non_null(site);
        assert_string_equal(site->function, "");
        assert_string_equal(site->file, "");
        assert_int_equal(site->argument_count, 0);
    }
}

static void without_memory_there_is_no_id_and_later_there_is(void **state)
{
    (void)state;
    ++line;
    uint32_t id = 0;
    for (unsigned long n = 1; id == 0; n++) {
        assert_true(n < 10);
        lf__alloc_fail_from(n);
        id = lf__site_intern("poor", "poor.c", line, "a, lf_json(b), \"c\"");
        lf__alloc_fail_from(0);
        assert_true(n > 1 || id == 0);
    }
    assert_int_equal(lf__site_get(id)->argument_count, 3);
}

enum { THREADS = 8, SITES = 500 };

static void *intern_many(void *argument)
{
    uint32_t *ids = argument;
    for (int i = 0; i < SITES; i++) {
        ids[i] = lf__site_intern("threaded", "t.c", 100000 + i, "a, b");
        if (lf__site_get(ids[i])->line != 100000 + i)
            ids[i] = 0;
    }
    return NULL;
}

static void threads_agree_on_ids(void **state)
{
    (void)state;
    static uint32_t ids[THREADS][SITES];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, intern_many, ids[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SITES; i++)
        assert_int_not_equal(ids[0][i], 0);
    for (int i = 1; i < THREADS; i++)
        assert_memory_equal(ids[i], ids[0], sizeof ids[0]);
}

static void a_child_forked_under_the_lock_can_intern(void **state)
{
    (void)state;
    lf__site_lock();
    pid_t child = fork();
    lf__site_unlock();
    if (child == 0) {
        alarm(10);
        _exit(lf__site_intern("child", "c.c", 1, "") != 0 ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Last, since nothing is ever removed. */
static void a_full_table_keeps_what_it_has(void **state)
{
    (void)state;
    uint32_t known = lf__site_intern("known", "k.c", 1, "a");
    uint32_t id, last = 0;
    for (int i = 0; (id = lf__site_intern("many", "m.c", i, "")) != 0; i++)
        last = id;
    assert_int_equal(last, LF__SITE_MAX - 1);
    assert_int_equal(lf__site_intern("known", "k.c", 1, "a"), known);
    assert_int_equal(lf__site_intern("new", "n.c", 1, "a"), 0);
    assert_string_equal(lf__site_get(last)->function, "many");
    assert_string_equal(lf__site_get(known)->function, "known");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(argument_text_is_split_and_named),
        cmocka_unit_test(what_was_given_is_copied),
        cmocka_unit_test(equal_sites_are_one_and_different_ones_are_not),
        cmocka_unit_test(unknown_ids_give_an_empty_site),
        cmocka_unit_test(without_memory_there_is_no_id_and_later_there_is),
        cmocka_unit_test(threads_agree_on_ids),
        cmocka_unit_test(a_child_forked_under_the_lock_can_intern),
        cmocka_unit_test(a_full_table_keeps_what_it_has),
    };
    return cmocka_run_group_tests_name("site", tests, NULL, NULL);
}
