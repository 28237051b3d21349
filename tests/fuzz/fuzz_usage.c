/* Any usage object becomes JSON whose counts a server can add up. Any list of tags and any value is read within its bounds. */
#include "../../src/base/json.h"
#include "../../src/observe/propagate.h"
#include "../../src/model/usage.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Empty, or an object of numbers from 0 up. */
static void check_numbers(const lf__buf *json)
{
    lf__json_member member;
    CHECK(json->length == 0 || lf__json_valid(json->data, json->length));
    for (size_t at = 0; json->length > 0 && lf__json_next_member(json->data, json->length, &at, &member);)
        CHECK(member.value[0] >= '0' && member.value[0] <= '9');
}

/* Counts that were translated are Langfuse's own, and stay as they are. */
static void check_again(const lf__buf *once)
{
    lf__buf twice, costs;
    if (once->length == 0)
        return;
    lf__buf_init(&twice, SIZE_MAX / 2);
    lf__buf_init(&costs, SIZE_MAX / 2);
    CHECK(lf__usage_convert(&twice, &costs, once->data, once->length, (lf__text){NULL, 0}));
    CHECK(costs.length == 0 && lf__text_equals(lf__buf_text(&twice), lf__buf_text(once)));
    lf__buf_done(&twice);
    lf__buf_done(&costs);
}

static void check_usage(const char *text, size_t size)
{
    char memory[LF__USAGE_COSTS_MAX];
    lf__buf details, costs;
    lf__buf_init(&details, SIZE_MAX / 2);
    lf__buf_over(&costs, memory, sizeof memory); /* enough for any */
    size_t blanks = 0;
    while (blanks < size && memchr(" \t\r\n", text[blanks], 4) != NULL)
        blanks++;
    bool is_object = lf__json_valid(text, size) && text[blanks] == '{';
    CHECK(lf__usage_convert(&details, &costs, text, size, lf__text_of("gemini-2.5-flash")) == is_object);
    CHECK(is_object || (details.length == 0 && costs.length == 0));
    check_numbers(&details);
    check_numbers(&costs);
    check_again(&details);
    lf__buf_done(&details);
}

static bool check_tag(void *owner, const char *tag, size_t size)
{
    lf__buf *list = owner;
    CHECK(size > 0 && lf__utf8_valid_prefix(tag, size) == size && lf__propagated_text(tag, size));
    lf__buf_add(list, list->length == 0 ? "[" : ",", 1);
    return lf__json_string(list, tag, size);
}

/* A record of one field, marked, and what is read of it. */
static void read_tags(const char *text, size_t size, lf__buf *list)
{
    size_t room = sizeof(lf__record) + sizeof(lf__field) + lf__align8(size);
    lf__record *record = calloc(1, room);
    lf__buf scratch;
    CHECK(record != NULL);
    record->size = (uint32_t)room;
    lf__field *field = (lf__field *)(void *)(record + 1);
    *field = (lf__field){LF__TAG_TRACE_TAGS, LF_KIND_JSON, LF__MARK_PROPAGATED, (uint32_t)size};
    if (size > 0)
        memcpy(field + 1, text, size);
    lf__view view = {.record = record};
    view.last[LF__TAG_TRACE_TAGS] = field;
    lf__buf_init(&scratch, SIZE_MAX / 2);
    CHECK(lf__view_tags(&view, &scratch, check_tag, list));
    lf__buf_add(list, "]", list->length > 0);
    CHECK(lf__propagated_problems(record) == 0 || lf__propagated_problems(record) == LF__PROBLEM_TAGS);
    lf__buf_done(&scratch);
    free(record);
}

/* The tags that count are all within the limits, and read as themselves. */
static void check_tags(const char *text, size_t size)
{
    lf__buf first, second;
    lf__buf_init(&first, SIZE_MAX / 2);
    lf__buf_init(&second, SIZE_MAX / 2);
    read_tags(text, size, &first);
    read_tags(first.data, first.length, &second);
    CHECK(first.length == second.length && (first.length == 0 || memcmp(first.data, second.data, first.length) == 0));
    lf__buf_done(&first);
    lf__buf_done(&second);
}

/* Counting the characters of an escaped string and of its text agree. */
static void check_limit(const char *text, size_t size)
{
    if (!lf__json_valid(text, size) || text[0] != '"' || text[size - 1] != '"')
        return;
    lf__buf plain;
    lf__buf_init(&plain, SIZE_MAX / 2);
    CHECK(lf__json_unescape(&plain, text + 1, size - 2));
    CHECK(lf__propagated_json(text, size) == lf__propagated_text(plain.data, plain.length));
    lf__buf_done(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size); /* for its own exact bounds */
    CHECK(text != NULL || size == 0);
    if (size > 0)
        memcpy(text, data, size);
    check_usage(text, size);
    check_tags(text, size);
    check_limit(text, size);
    free(text);
    return 0;
}
