#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/deliver/mask.h"
#include "record_builder.h"

#include <stdio.h>

#define FAILED "<fully masked due to failed mask function>"

static builder b;
static lf__config config;
static lf__buf out;

/* ---- A hook that keeps a list of what it saw, and does as it is told --------------------------------------------------- */

static struct {
    bool refuses;
    const char *replacement; /* NULL: none */
    size_t size;
    bool is_json;
    char seen[8192]; /* "field J text\n" or "field T text\n" */
    size_t calls;
} hook;

static bool hook_call(void *data, lf_masked *value)
{
    assert_ptr_equal(data, &hook);
    size_t used = strlen(hook.seen);
    int size = snprintf(hook.seen + used, sizeof hook.seen - used, "%s %s %.*s\n", value->field, value->is_json ? "J" : "T",
                        (int)value->size, value->text);
    assert_true(size > 0 && (size_t)size < sizeof hook.seen - used);
    hook.calls++;
    if (hook.replacement != NULL && !lf_mask_replace(value, hook.replacement, hook.size, hook.is_json))
        return false;
    return !hook.refuses;
}

static void replace_by(const char *text, bool is_json)
{
    hook.replacement = text;
    hook.size = strlen(text);
    hook.is_json = is_json;
}

static int set_up(void **state)
{
    (void)state;
    lf__buf_init(&out, 1 << 20);
    memset(&hook, 0, sizeof hook);
    memset(&config, 0, sizeof config);
    config.mask = hook_call;
    config.gate = &config.gate_itself;
    config.mask_data = &hook;
    lf__record *record = builder_begin(&b, LF_GENERATION, 0);
    memset(record->trace_id, 0xab, sizeof record->trace_id);
    record->start_ns = 123;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lf__alloc_fail_from(0);
    lf__buf_done(&out);
    return 0;
}

/* The masked record as text: "tag/index J payload\n" for JSON, T for text, and the number of the kind for others. */
static const char *described(const lf__record *record)
{
    static char text[1 << 16];
    size_t used = 0;
    *text = '\0';
    for (const lf__field *field = NULL; (field = lf__record_next(record, field)) != NULL;) {
        bool is_text = field->kind == LF_KIND_STRING, is_json = field->kind == LF_KIND_JSON;
        int size = snprintf(text + used, sizeof text - used, "%d/%d ", field->tag, field->index);
        used += (size_t)size;
        if (is_text || is_json)
            size = snprintf(text + used, sizeof text - used, "%s %.*s\n", is_json ? "J" : "T", (int)field->length,
                            (const char *)lf__field_payload(field));
        else
            size = snprintf(text + used, sizeof text - used, "%d\n", field->kind);
        used += (size_t)size;
        assert_true(used < sizeof text);
    }
    return text;
}

static const lf__record *masked(void)
{
    const lf__record *record = lf__mask_record(&out, &b.as.record, &config);
    assert_non_null(record);
    assert_int_equal(record->size % LF__RECORD_ALIGN, 0);
    /* The header is the same but for the size. */
    lf__record header = *record;
    header.size = b.as.record.size;
    assert_memory_equal(&header, &b.as.record, sizeof header);
    return record;
}

static void assert_masked(const char *format, ...) LF_PRINTF(1, 2);
static void assert_masked(const char *format, ...)
{
    char expected[8192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(expected, sizeof expected, format, arguments);
    va_end(arguments);
    assert_string_equal(described(masked()), expected);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------ */

static void without_a_hook_the_record_itself_is_returned(void **state)
{
    (void)state;
    config.mask = NULL;
    builder_text(&b, LF__TAG_INPUT, "x");
    assert_ptr_equal(lf__mask_record(&out, &b.as.record, &config), &b.as.record);
    assert_int_equal(out.length, 0);
}

static const struct {
    lf__tag tag;
    const char *name;
} masked_fields[] = {
    {LF__TAG_INPUT, "input"},
    {LF__TAG_OUTPUT, "output"},
    {LF__TAG_METADATA, "metadata"},
    {LF__TAG_STATUS_MESSAGE, "status_message"},
    {LF__TAG_TRACE_INPUT, "trace.input"},
    {LF__TAG_TRACE_OUTPUT, "trace.output"},
    {LF__TAG_TRACE_METADATA, "trace.metadata"},
    {LF__TAG_SCORE_VALUE, "score.value"},
    {LF__TAG_SCORE_COMMENT, "score.comment"},
};

static void each_field_is_shown_by_its_name_and_replaced(void **state)
{
    (void)state;
    static const lf__record_kind kinds[] = {LF__RECORD_OBSERVATION, LF__RECORD_SCORE, LF__RECORD_TRACE};
    static const char *const replacements[] = {"x", "secret", "something much longer than the secret was", ""};
    for (size_t i = 0; i < sizeof masked_fields / sizeof *masked_fields; i++)
        for (size_t j = 0; j < sizeof replacements / sizeof *replacements; j++)
            for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
                builder_begin(&b, LF_SPAN, 0)->kind = (uint8_t)kinds[k];
                builder_text(&b, masked_fields[i].tag, "secret");
                builder_text(&b, LF__TAG_NAME, "after");
                hook.seen[0] = '\0';
                replace_by(replacements[j], false);
                assert_masked("%d/0 T %s\n%d/0 T after\n", masked_fields[i].tag, replacements[j], LF__TAG_NAME);
                char seen[64];
                snprintf(seen, sizeof seen, "%s T secret\n", masked_fields[i].name);
                assert_string_equal(hook.seen, seen);
            }
}

static void a_hook_that_says_true_and_replaces_nothing_changes_nothing(void **state)
{
    (void)state;
    builder_json(&b, LF__TAG_INPUT, "{\"a\": 1}");
    builder_text(&b, LF__TAG_OUTPUT, "bad \xff utf-8");
    builder_int(&b, LF__TAG_TRACE_INPUT, -7);
    builder_json(&b, LF__TAG_METADATA, "not JSON");
    builder_add(&b, LF__TAG_SCORE_COMMENT, LF_KIND_STRING, "a\0b", 3);
    const lf__record *record = masked();
    assert_int_equal(record->size, b.as.record.size);
    assert_memory_equal(record, &b.as.record, record->size);
    assert_int_equal(hook.calls, 5);
}

static void a_hook_that_says_false_masks_fully(void **state)
{
    (void)state;
    hook.refuses = true;
    for (size_t i = 0; i < sizeof masked_fields / sizeof *masked_fields; i++) {
        builder_begin(&b, LF_SPAN, 0);
        builder_json(&b, masked_fields[i].tag, "{\"password\":\"secret\"}");
        assert_masked("%d/0 T " FAILED "\n", masked_fields[i].tag);
    }
    /* Also when it had replaced the value before it said so. */
    replace_by("half done", false);
    builder_begin(&b, LF_SPAN, 0);
    builder_text(&b, LF__TAG_OUTPUT, "secret");
    assert_masked("%d/0 T " FAILED "\n", LF__TAG_OUTPUT);
}

static void json_is_shown_and_taken_as_json(void **state)
{
    (void)state;
    builder_json(&b, LF__TAG_INPUT, "{\"card\":\"4242\"}");
    replace_by("{\"card\":\"*\"}", true);
    assert_masked("%d/0 J {\"card\":\"*\"}\n", LF__TAG_INPUT);
    assert_string_equal(hook.seen, "input J {\"card\":\"4242\"}\n");
    replace_by("{\"card\":\"*\"}", false); /* it looks like JSON, but is meant as text */
    assert_masked("%d/0 T {\"card\":\"*\"}\n", LF__TAG_INPUT);
    replace_by("{\"card\":", true); /* meant as JSON, but none */
    assert_masked("%d/0 T {\"card\":\n", LF__TAG_INPUT);
    replace_by("", true);
    assert_masked("%d/0 T \n", LF__TAG_INPUT);
    /* Text may become JSON. */
    builder_begin(&b, LF_SPAN, 0);
    builder_text(&b, LF__TAG_INPUT, "plain");
    replace_by("[1]", true);
    assert_masked("%d/0 J [1]\n", LF__TAG_INPUT);
}

static void json_that_is_none_is_shown_as_the_text_it_is_sent_as(void **state)
{
    (void)state;
    builder_json(&b, LF__TAG_OUTPUT, "{oops");
    const lf__record *record = masked();
    assert_memory_equal(record, &b.as.record, b.as.record.size);
    assert_string_equal(hook.seen, "output T {oops\n");
}

static void other_kinds_are_shown_as_they_are_sent(void **state)
{
    (void)state;
    double number = 0.1;
    int64_t letter = 'c';
    struct {
        lf__array_head head;
        int32_t items[3];
    } array = {{LF_KIND_INT, 4, 3}, {1, 2, 3}};
    builder_int(&b, LF__TAG_METADATA, -3);
    builder_add(&b, LF__TAG_METADATA, LF_KIND_DOUBLE, &number, sizeof number);
    builder_add(&b, LF__TAG_METADATA, LF_KIND_CHAR, &letter, sizeof letter);
    builder_add(&b, LF__TAG_METADATA, LF_KIND_SECRET, "", 0);
    builder_add(&b, LF__TAG_METADATA, LF_KIND_ARRAY, &array, sizeof array);
    masked();
    assert_string_equal(hook.seen, "metadata J -3\nmetadata J 0.1\nmetadata T c\nmetadata J \"<secret>\"\nmetadata J [1,2,3]\n");
    replace_by("x", false);
    assert_masked("%d/0 T x\n%d/0 T x\n%d/0 T x\n%d/0 T x\n%d/0 T x\n", LF__TAG_METADATA, LF__TAG_METADATA, LF__TAG_METADATA,
                  LF__TAG_METADATA, LF__TAG_METADATA);
}

static void nothing_is_not_shown(void **state)
{
    (void)state;
    hook.refuses = true;
    builder_add(&b, LF__TAG_INPUT, LF_KIND_NULL, "", 0);
    builder_json(&b, LF__TAG_OUTPUT, " null ");
    builder_add(&b, LF__TAG_TRACE_INPUT, LF_KIND_UNSET, "", 0);
    const lf__record *record = masked();
    assert_int_equal(record->size, b.as.record.size);
    assert_memory_equal(record, &b.as.record, record->size);
    assert_int_equal(hook.calls, 0);
    builder_json(&b, LF__TAG_TRACE_OUTPUT, "nullable"); /* no null: text */
    masked();
    assert_string_equal(hook.seen, "trace.output T nullable\n");
}

static void arguments_become_one_input(void **state)
{
    (void)state;
    uint32_t site = lf__site_intern("f", "f.c", 1, "question, top_k");
    builder_begin(&b, LF_SPAN, site);
    builder_add_indexed(&b, LF__TAG_ARGUMENT, LF_KIND_STRING, 0, "why?", 4);
    builder_add_indexed(&b, LF__TAG_ARGUMENT, LF_KIND_INT, 1, &(int64_t){3}, 8);
    builder_text(&b, LF__TAG_NAME, "n");
    assert_masked("%d/0 J {\"question\":\"why?\",\"top_k\":3}\n%d/0 T n\n", LF__TAG_INPUT, LF__TAG_NAME);
    assert_string_equal(hook.seen, "input J {\"question\":\"why?\",\"top_k\":3}\n");
    replace_by("{}", true);
    assert_masked("%d/0 J {}\n%d/0 T n\n", LF__TAG_INPUT, LF__TAG_NAME);
    hook.refuses = true;
    assert_masked("%d/0 T " FAILED "\n%d/0 T n\n", LF__TAG_INPUT, LF__TAG_NAME);
}

static void arguments_behind_an_input_are_left_out(void **state)
{
    (void)state;
    builder_text(&b, LF__TAG_ARGUMENT, "secret");
    builder_text(&b, LF__TAG_INPUT, "earlier secret");
    builder_text(&b, LF__TAG_INPUT, "shown");
    assert_masked("%d/0 T shown\n", LF__TAG_INPUT);
    assert_string_equal(hook.seen, "input T shown\n");
}

static void pieces_become_one_output(void **state)
{
    (void)state;
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "before the whole output");
    builder_text(&b, LF__TAG_OUTPUT, "replaced");
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "my num");
    builder_text(&b, LF__TAG_MODEL, "m");
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "ber is \xc3"); /* a character cut in two */
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "\xa4");
    assert_masked("%d/0 T m\n%d/0 T my number is \xc3\xa4\n", LF__TAG_MODEL, LF__TAG_OUTPUT);
    assert_string_equal(hook.seen, "output T my number is \xc3\xa4\n");
    replace_by("*", false);
    assert_masked("%d/0 T m\n%d/0 T *\n", LF__TAG_MODEL, LF__TAG_OUTPUT);
}

static void pieces_before_an_output_are_left_out(void **state)
{
    (void)state;
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "secret");
    builder_text(&b, LF__TAG_OUTPUT, "whole");
    assert_masked("%d/0 T whole\n", LF__TAG_OUTPUT);
}

static void metadata_adds_up_so_each_is_shown(void **state)
{
    (void)state;
    builder_json(&b, LF__TAG_METADATA, "{\"a\":1}");
    builder_json(&b, LF__TAG_METADATA, "{\"b\":2}");
    builder_add_indexed(&b, LF__TAG_TRACE_METADATA, LF_KIND_JSON, LF__MARK_PROPAGATED, "{\"c\":3}", 7);
    masked();
    assert_string_equal(hook.seen, "metadata J {\"a\":1}\nmetadata J {\"b\":2}\ntrace.metadata J {\"c\":3}\n");
    replace_by("{}", true);
    assert_masked("%d/0 J {}\n%d/0 J {}\n%d/%d J {}\n", LF__TAG_METADATA, LF__TAG_METADATA, LF__TAG_TRACE_METADATA,
                  LF__MARK_PROPAGATED);
}

static void numbers_of_scores_are_not_shown_and_texts_stay_texts(void **state)
{
    (void)state;
    double number = 0.5;
    builder_begin(&b, LF_SPAN, 0)->kind = LF__RECORD_SCORE;
    builder_add(&b, LF__TAG_SCORE_VALUE, LF_KIND_DOUBLE, &number, sizeof number);
    hook.refuses = true;
    const lf__record *record = masked();
    assert_memory_equal(record, &b.as.record, b.as.record.size);
    assert_int_equal(hook.calls, 0);
    hook.refuses = false;
    builder_begin(&b, LF_SPAN, 0)->kind = LF__RECORD_SCORE;
    builder_text(&b, LF__TAG_SCORE_VALUE, "good");
    builder_text(&b, LF__TAG_SCORE_COMMENT, "because");
    replace_by("1", true);
    assert_masked("%d/0 T 1\n%d/0 T 1\n", LF__TAG_SCORE_VALUE, LF__TAG_SCORE_COMMENT);
}

/* Every tag that is not masked, with a length that needs padding, in every kind of record. */
static void all_other_fields_stay_byte_for_byte(void **state)
{
    (void)state;
    hook.refuses = true;
    unsigned others = 0;
    for (unsigned tag = 1; tag <= LF__TAG_COUNT + 1; tag++) {
        bool is_masked = tag == LF__TAG_ARGUMENT || tag == LF__TAG_OUTPUT_PIECE;
        for (size_t i = 0; i < sizeof masked_fields / sizeof *masked_fields; i++)
            is_masked = is_masked || tag == (unsigned)masked_fields[i].tag;
        if (is_masked)
            continue;
        others++;
        builder_add_indexed(&b, (lf__tag)tag, LF_KIND_STRING, 3, "abcdefghijk", 1 + tag % 11);
        builder_add_indexed(&b, (lf__tag)tag, LF_KIND_INT, 0, &(int64_t){-1}, 8);
    }
    assert_true(others > 20);
    const lf__record *record = masked();
    assert_int_equal(record->size, b.as.record.size);
    assert_memory_equal(record, &b.as.record, record->size);
    assert_int_equal(hook.calls, 0);
}

static void replace_refuses_nonsense(void **state)
{
    (void)state;
    lf_masked value = {.field = "input"};
    assert_false(lf_mask_replace(NULL, "x", 1, false));
    assert_false(lf_mask_replace(&value, "x", 1, false));
}

static bool replace_by_null(void *data, lf_masked *value)
{
    (void)data;
    assert_false(lf_mask_replace(value, NULL, 5, false));
    assert_false(lf_mask_replace(value, "abc", (size_t)-1, false));
    assert_false(lf_mask_replace(value, "[1]", (size_t)-1, true));
    return true; /* which is not believed */
}

static bool replace_twice(void *data, lf_masked *value)
{
    (void)data;
    assert_true(lf_mask_replace(value, "a first, longer try", 19, false));
    assert_true(lf_mask_replace(value, value->text, 2, false));
    return true;
}

static void a_replacement_that_failed_masks_fully_and_the_last_one_counts(void **state)
{
    (void)state;
    builder_text(&b, LF__TAG_INPUT, "secret");
    config.mask = replace_by_null;
    assert_masked("%d/0 T " FAILED "\n", LF__TAG_INPUT);
    config.mask = replace_twice;
    assert_masked("%d/0 T se\n", LF__TAG_INPUT);
}

static bool replace_ignoring_failure(void *data, lf_masked *value)
{
    (void)data;
    (void)lf_mask_replace(value, "harmless", 8, false);
    return true;
}

/* Let each allocation fail, and all after it: what comes back never holds the secret, and out comes NULL or a whole record. */
static void fail_every_allocation(bool (*mask)(void *data, lf_masked *value))
{
    static char large[5000];
    memset(large, 'x', sizeof large);
    config.mask = mask;
    builder_add_indexed(&b, LF__TAG_ARGUMENT, LF_KIND_STRING, 0, "SECRET", 6);
    builder_text(&b, LF__TAG_OUTPUT_PIECE, "SECRET ");
    builder_add(&b, LF__TAG_OUTPUT_PIECE, LF_KIND_STRING, large, sizeof large);
    builder_json(&b, LF__TAG_METADATA, "{\"a\":\"SECRET\"}");
    builder_int(&b, LF__TAG_TRACE_INPUT, 424242);
    unsigned refused = 0, fully = 0, rounds = 0;
    for (bool done = false; !done; rounds++) {
        lf__buf_done(&out);
        lf__buf_init(&out, 1 << 20);
        hook.seen[0] = '\0';
        lf__alloc_fail_from(rounds + 1);
        const lf__record *record = lf__mask_record(&out, &b.as.record, &config);
        lf__alloc_fail_from(0);
        const char *text = record == NULL ? "" : described(record);
        assert_null(strstr(text, "SECRET"));
        refused += record == NULL;
        fully += record != NULL && strstr(text, FAILED) != NULL;
        done = record != NULL && strstr(text, FAILED) == NULL;
        assert_true(rounds < 100);
    }
    assert_true(refused > 0 && fully > 0);
}

static void no_memory_masks_fully_or_drops(void **state)
{
    (void)state;
    fail_every_allocation(replace_ignoring_failure);
}

static void no_memory_masks_fully_or_drops_also_when_the_hook_cares(void **state)
{
    (void)state;
    replace_by("[]", true);
    fail_every_allocation(hook_call);
}

static bool change_nothing(void *data, lf_masked *value)
{
    (void)data;
    (void)value;
    return true;
}

/* What could not be written out for the hook was not seen by it, and is not sent. */
static void what_the_hook_could_not_see_whole_is_masked(void **state)
{
    (void)state;
    static char large[5000];
    memset(large, 'x', sizeof large);
    config.mask = change_nothing;
    for (unsigned i = 0; i < 2; i++) {
        unsigned fully = 0;
        builder_begin(&b, LF_SPAN, 0);
        builder_text(&b, LF__TAG_NAME, "n");
        if (i == 0)
            builder_int(&b, LF__TAG_TRACE_INPUT, 424242);
        else
            builder_text(&b, LF__TAG_OUTPUT_PIECE, "first ");
        if (i == 1)
            builder_add(&b, LF__TAG_OUTPUT_PIECE, LF_KIND_STRING, large, sizeof large);
        lf__tag tag = i == 0 ? LF__TAG_TRACE_INPUT : LF__TAG_OUTPUT;
        for (unsigned long n = 1, done = 0; done == 0; n++) {
            lf__buf_done(&out);
            lf__buf_init(&out, 1 << 20);
            lf__alloc_fail_from(n);
            const lf__record *record = lf__mask_record(&out, &b.as.record, &config);
            lf__alloc_fail_from(0);
            if (record == NULL)
                continue;
            lf__view view;
            lf__record_view(&view, record, NULL);
            const lf__field *field = view.last[tag];
            assert_non_null(field);
            bool is_masked = field->length == sizeof FAILED - 1 && memcmp(lf__field_payload(field), FAILED, sizeof FAILED - 1) == 0;
            fully += is_masked;
            done = !is_masked;
            if (done && i == 0)
                assert_int_equal(field->kind, LF_KIND_INT);
            else if (done)
                assert_int_equal(field->length, sizeof large + 6);
        }
        assert_true(fully > 0);
    }
}

static void no_room_drops(void **state)
{
    (void)state;
    _Alignas(lf__record) char memory[sizeof(lf__record) + 64];
    builder_text(&b, LF__TAG_INPUT, "secret");
    replace_by("0123456789012345678901234567890123456789012345678901234567890123456789", false);
    lf__buf_over(&out, memory, sizeof memory);
    assert_null(lf__mask_record(&out, &b.as.record, &config));
}

static void a_buffer_is_used_again(void **state)
{
    (void)state;
    builder_text(&b, LF__TAG_INPUT, "secret");
    replace_by("x", false);
    masked();
    assert_masked("%d/0 T x\n", LF__TAG_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(without_a_hook_the_record_itself_is_returned),
        T(each_field_is_shown_by_its_name_and_replaced),
        T(a_hook_that_says_true_and_replaces_nothing_changes_nothing),
        T(a_hook_that_says_false_masks_fully),
        T(json_is_shown_and_taken_as_json),
        T(json_that_is_none_is_shown_as_the_text_it_is_sent_as),
        T(other_kinds_are_shown_as_they_are_sent),
        T(nothing_is_not_shown),
        T(arguments_become_one_input),
        T(arguments_behind_an_input_are_left_out),
        T(pieces_become_one_output),
        T(pieces_before_an_output_are_left_out),
        T(metadata_adds_up_so_each_is_shown),
        T(numbers_of_scores_are_not_shown_and_texts_stay_texts),
        T(all_other_fields_stay_byte_for_byte),
        T(replace_refuses_nonsense),
        T(a_replacement_that_failed_masks_fully_and_the_last_one_counts),
        T(no_memory_masks_fully_or_drops),
        T(no_memory_masks_fully_or_drops_also_when_the_hook_cares),
        T(what_the_hook_could_not_see_whole_is_masked),
        T(no_room_drops),
        T(a_buffer_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
