/* The terminal tree, to the byte: shape, hostile text, orphans, cycles and depth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../server/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START INT64_C(1795239341857000000)
#define MS INT64_C(1000000)

static const tree_style plain = {.width = 60};

static observation row_of(const char *id, const char *parent, const char *name, int64_t from_ms, int64_t to_ms)
{
    return (observation){.trace_id = TEXT("a1558f57"),
                         .id = text_of(id),
                         .parent_id = text_of(parent),
                         .name = text_of(name),
                         .type = TEXT("SPAN"),
                         .level = TEXT("DEFAULT"),
                         .environment = TEXT("default"),
                         .tags = TEXT("[]"),
                         .usage = TEXT("{}"),
                         .cost = TEXT("{}"),
                         .start_ns = START + from_ms * MS,
                         .end_ns = START + to_ms * MS,
                         .arrived_ns = from_ms};
}

static trace_data data_of(const observation *rows, size_t count)
{
    return (trace_data){.id = rows[0].trace_id, .rows = (observation *)rows, .row_count = count}; /* rendering changes nothing */
}

static void assert_data(const trace_data *data, const tree_style *style, const char *expected)
{
    buf out = {0};
    tree_render(&out, data, style);
    buf_char(&out, '\0');
    assert_false(out.failed);
    assert_string_equal(out.at, expected);
    buf_free(&out);
}

static void assert_tree(const observation *rows, size_t count, const tree_style *style, const char *expected)
{
    trace_data data = data_of(rows, count);
    assert_data(&data, style, expected);
}

static void a_trace_is_drawn(void **state)
{
    observation rows[] = {
        row_of("c", "a", "search", 900, 950),
        row_of("b", "a", "llm", 100, 600),
        row_of("a", "", "answer", 0, 1000),
    };
    (void)state;
    rows[2].trace_name = TEXT("my-trace");
    rows[2].user_id = TEXT("u1");
    rows[2].session_id = TEXT("s1");
    rows[2].tags = TEXT("[\"a\",\"b\"]");
    rows[2].environment = TEXT("staging");
    rows[2].input = TEXT("{\"question\": \"why is the sky blue, and why is it red at night?\"}");
    rows[2].output = TEXT("Rayleigh\nscattering");
    rows[1].type = TEXT("GENERATION");
    rows[1].model = TEXT("gpt-4o");
    rows[1].prompt_name = TEXT("folder/answer");
    rows[1].prompt_version = 3;
    rows[1].usage = TEXT("{\"input\":1000,\"output\":50,\"total\":1050}");
    rows[1].cost = TEXT("{\"total\":0.0025}");
    rows[1].input = TEXT("[]");
    rows[0].type = TEXT("TOOL");
    rows[0].level = TEXT("ERROR");
    rows[0].status_message = TEXT("timed out");
    assert_tree(rows, 3, &plain,
                "my-trace  a1558f57\n"
                "2026-11-21 05:35:41 UTC · 1.00 s · 3 observations · 1 error · 1,050 tokens · $0.002500\n"
                "user u1 · session s1 · tags a, b · environment staging\n"
                "\n"
                "span answer  1.00 s\n"
                "│  in   {\"question\": \"why is the sky blue, and why is it re…\n"
                "│  out  Rayleigh⏎scattering\n"
                "├─ generation llm  500 ms  gpt-4o  prompt folder/answer v3  1,000 → 50 tokens  100 tokens/s  $0.002500\n"
                "│     in   []\n"
                "└─ tool search  50 ms  ERROR: timed out\n");
}

static void assert_title(const observation *row, const char *expected)
{
    buf out = {0};
    trace_data data = data_of(row, 1);
    tree_render(&out, &data, &plain);
    buf_char(&out, '\0');
    assert_false(out.failed);
    assert_string_equal(strstr(out.at, "\n\n") + 2, expected);
    buf_free(&out);
}

static void a_generation_tells_its_tokens_its_pace_and_why_it_stopped(void **state)
{
    observation row = row_of("a", "", "llm", 0, 2000);
    (void)state;
    row.type = TEXT("GENERATION");
    row.completion_start_ms = START / MS + 400;
    row.model = TEXT("gpt-4o");
    row.usage = TEXT("{\"input\":1,\"input_cached_tokens\":36,\"output\":24,\"total\":61}");
    row.cost = TEXT("{\"total\":0.00042}");
    row.metadata = TEXT("{\"finish_reason\":\"stop\",\"response_id\":\"r\"}");
    assert_title(&row, "generation llm  2.00 s  first token 400 ms  gpt-4o  37 (36 cached) → 24 tokens  15.0 tokens/s  $0.000420"
                       "  finish stop\n");
    /* Reasoning may come before the first token, so that the pace is that of the whole call. Written caches are no hits. */
    row.usage = TEXT("{\"input\":10,\"input_cache_creation\":5,\"output\":400,\"output_reasoning_tokens\":1600,\"total\":2015}");
    row.cost = TEXT("{}");
    row.metadata = TEXT("{\"finish_reason\":\"[\\\"stop\\\",\\\"length\\\"]\"}");
    assert_title(&row, "generation llm  2.00 s  first token 400 ms  gpt-4o  15 → 2,000 (1,600 reasoning) tokens  1000 tokens/s"
                       "  finish [\"stop\",\"length\"]\n");
    /* Without a first token the time is the whole one; counts outside of both sides are in the total. */
    row.completion_start_ms = -1;
    row.usage = TEXT("{\"cache_read_input_tokens\":4,\"input\":1,\"output\":9,\"searches\":1,\"total\":15}");
    row.metadata = TEXT("{}");
    assert_title(&row, "generation llm  2.00 s  gpt-4o  5 (4 cached) → 9 of 15 tokens  4.5 tokens/s\n");
}

static void what_a_pace_and_parts_cannot_be_told_of_has_none(void **state)
{
    observation row = row_of("a", "", "llm", 0, 2000);
    (void)state;
    row.type = TEXT("GENERATION");
    row.completion_start_ms = START / MS; /* with the start */
    row.usage = TEXT("{\"input\":100,\"input_cached_tokens\":64,\"output\":50,\"total\":150}"); /* they overlap */
    row.metadata = TEXT("{\"finish_reason\":null}");
    assert_title(&row, "generation llm  2.00 s  100 → 50 tokens  25.0 tokens/s\n");
    row.completion_start_ms = START / MS + 1995; /* all at the end */
    row.usage = TEXT("{\"input\":100,\"output\":50,\"total\":150}");
    assert_title(&row, "generation llm  2.00 s  first token 2.00 s  100 → 50 tokens\n");
    row.completion_start_ms = -1;
    row.end_ns = OBSERVATION_OPEN;
    assert_title(&row, "generation llm  no end  100 → 50 tokens\n");
    row = row_of("a", "", "vectors", 0, 2000);
    row.type = TEXT("EMBEDDING");
    row.usage = TEXT("{\"input\":9,\"total\":9}");
    assert_title(&row, "embedding vectors  2.00 s  9 tokens\n");
    row.metadata = TEXT("not JSON \"finish_reason\"");
    row.usage = TEXT("{\"input\":\"x\",\"total\":null}");
    assert_title(&row, "embedding vectors  2.00 s\n");
}

static void full_keeps_lines_and_length(void **state)
{
    observation row = row_of("a", "", "n", 0, 1);
    const tree_style full = {.width = 20, .full = true};
    (void)state;
    row.output = TEXT("a line that is longer than the terminal\nsecond");
    assert_tree(&row, 1, &full,
                "(no name)  a1558f57\n2026-11-21 05:35:41 UTC · 1 ms · 1 observation\n\nspan n  1 ms\n"
                "   out  a line that is longer than the terminal\n        second\n");
    row.output = TEXT("done");
    row.model_parameters = TEXT("{\"temperature\":0.5,\"max_tokens\":100}");
    row.metadata = TEXT("{\"scope.name\":\"s\",\"response_id\":\"r1\",\"n\":\"7\",\"t\":\"\\\"7\\\"\","
                        "\"resourceAttributes.service.name\":\"x\"}");
    assert_tree(&row, 1, &full,
                "(no name)  a1558f57\n2026-11-21 05:35:41 UTC · 1 ms · 1 observation\n\nspan n  1 ms\n"
                "   out  done\n   with {\"temperature\":0.5,\"max_tokens\":100}\n   "
                "meta {\"response_id\":\"r1\",\"n\":7,\"t\":\"7\"}\n");
    assert_tree(&row, 1, &plain,
                "(no name)  a1558f57\n2026-11-21 05:35:41 UTC · 1 ms · 1 observation\n\nspan n  1 ms\n   out  done\n");
}

static void hostile_text_never_reaches_the_terminal(void **state)
{
    observation row = row_of("a", "", "\x1b[31mred\x07", 0, 1);
    (void)state;
    row.input = (text){"a\0b\x9b\xC2\x9B\xE2\x80\xAE"
                       "c\td",
                       12};
    assert_tree(&row, 1, &plain,
                "(no name)  a1558f57\n2026-11-21 05:35:41 UTC · 1 ms · 1 observation\n\nspan �[31mred�  1 ms\n   in   a�b���c d\n");
}

static void orphans_and_cycles_are_roots(void **state)
{
    const observation rows[] = {
        row_of("a", "b", "first of cycle", 0, 1), row_of("b", "a", "second of cycle", 1, 2), row_of("c", "c", "own parent", 2, 3),
        row_of("d", "gone", "orphan", 3, 4),      row_of("e", "d", "child", 4, 5),
    };
    (void)state;
    assert_tree(rows, 5, &plain,
                "(no name)  a1558f57\n2026-11-21 05:35:41 UTC · 5 ms · 5 observations\n\n"
                "span orphan  1 ms  (parent gone is not stored)\n"
                "└─ span child  1 ms\n"
                "span first of cycle  1 ms  (its own ancestor)\n"
                "└─ span second of cycle  1 ms\n"
                "span own parent  1 ms  (its own ancestor)\n");
}

static void a_very_deep_chain_is_drawn(void **state)
{
    enum { DEPTH = 20000 };
    observation *rows = calloc(DEPTH, sizeof *rows);
    char (*ids)[8] = calloc(DEPTH + 1, sizeof *ids);
    buf out = {0};
    (void)state;
    assert_non_null(rows);
    assert_non_null(ids);
    for (int i = 0; i < DEPTH; i++) {
        snprintf(ids[i + 1], sizeof *ids, "%d", i & 0xFFFFF);
        rows[i] = row_of(ids[i + 1], ids[i], "n", i, i + 1);
    }
    trace_data data = data_of(rows, DEPTH);
    tree_render(&out, &data, &plain);
    assert_false(out.failed);
    assert_true(text_has(buf_view(&out), "(level 19999)"));
    buf_free(&out);
    free(rows);
    free(ids);
}

static void colour_is_only_added_when_asked_for(void **state)
{
    observation row = row_of("a", "", "n", 0, 1);
    const tree_style colored = {.width = 60, .color = true};
    buf out = {0};
    (void)state;
    trace_data data = data_of(&row, 1);
    tree_render(&out, &data, &plain);
    assert_false(text_has(buf_view(&out), "\x1b"));
    tree_render(&out, &data, &colored);
    assert_true(text_has(buf_view(&out), "\x1b[32mspan\x1b[0m"));
    buf_free(&out);
}

static score score_of(const char *observation_id, const char *name, const char *type, double value, const char *string,
                      int64_t at_ms)
{
    return (score){.id = text_of(name),
                   .observation_id = text_of(observation_id),
                   .name = text_of(name),
                   .data_type = text_of(type),
                   .value = value,
                   .string_value = text_of(string),
                   .timestamp_ms = at_ms};
}

static void scores_stand_below_what_they_are_about(void **state)
{
    observation rows[] = {row_of("b", "a", "llm", 100, 600), row_of("a", "", "answer", 0, 1000)};
    score scores[] = {
        score_of("b", "tone", "CATEGORICAL", 0, "friendly", 2),
        score_of("b", "exact", "BOOLEAN", 1, "", 1),
        score_of("", "quality", "NUMERIC", 0.25, "", 3),
        score_of("gone", "lost", "NUMERIC", 1, "", 4),
    };
    trace_data data = data_of(rows, 2);
    (void)state;
    data.scores = scores;
    data.score_count = 4;
    scores[2].comment = TEXT("too\nshort");
    rows[1].output = TEXT("done");
    assert_data(&data, &plain,
                "(no name)  a1558f57\n2026-11-21 05:35:41 UTC · 1.00 s · 2 observations\n\n"
                "score  quality 0.25  (too⏎short)\n"
                "score  lost 1\n"
                "\n"
                "span answer  1.00 s\n"
                "│  out  done\n"
                "└─ span llm  500 ms\n"
                "      score  exact true\n"
                "      score  tone friendly\n");
}

static void what_trace_events_say_is_shown_first(void **state)
{
    observation row = row_of("a", "", "root", 0, 1000);
    trace_data data = data_of(&row, 1);
    (void)state;
    row.trace_name = TEXT("root");
    row.user_id = TEXT("from span");
    row.tags = TEXT("[\"z\",\"b\"]");
    row.end_ns = OBSERVATION_OPEN;
    data.has_record = true;
    data.record = (trace_record){.name = TEXT("chat"),
                                 .user_id = TEXT("u"),
                                 .session_id = TEXT("s"),
                                 .tags = TEXT("[\"b\",\"a\"]"),
                                 .release = TEXT("r1"),
                                 .version = TEXT("v1"),
                                 .environment = TEXT("prod"),
                                 .is_public = 1};
    assert_data(&data, &plain,
                "chat  a1558f57\n2026-11-21 05:35:41 UTC · 0 ns · 1 observation\n"
                "user u · session s · tags a, b, z · environment prod · release r1 · version v1 · public\n\n"
                "span root  no end\n");
    data.row_count = 0;
    assert_data(&data, &plain,
                "chat  a1558f57\n1970-01-01 00:00:00 UTC · 0 ns · 0 observations\n"
                "user u · session s · tags a, b · environment prod · release r1 · version v1 · public\n\n");
}

static void a_summary_is_one_line(void **state)
{
    const observation row = row_of("a", "", "n", 0, 90000);
    buf out = {0};
    (void)state;
    trace_data data = data_of(&row, 1);
    tree_render_summary(&out, &data, &plain);
    assert_true(text_is(buf_view(&out), "a1558f57  (no name)  2026-11-21 05:35:41 UTC · 1m 30s · 1 observation\n"));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_is_drawn),
        cmocka_unit_test(a_generation_tells_its_tokens_its_pace_and_why_it_stopped),
        cmocka_unit_test(what_a_pace_and_parts_cannot_be_told_of_has_none),
        cmocka_unit_test(full_keeps_lines_and_length),
        cmocka_unit_test(hostile_text_never_reaches_the_terminal),
        cmocka_unit_test(orphans_and_cycles_are_roots),
        cmocka_unit_test(a_very_deep_chain_is_drawn),
        cmocka_unit_test(colour_is_only_added_when_asked_for),
        cmocka_unit_test(scores_stand_below_what_they_are_about),
        cmocka_unit_test(what_trace_events_say_is_shown_first),
        cmocka_unit_test(a_summary_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
