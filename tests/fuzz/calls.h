/* Random calls: any of the public ones that observe, with any values, sizes and limits, with little address space and with
 * allocations that fail. What must hold whatever is called is checked all the way: a record keeps to its limit, nothing behind it
 * is touched, what is sent is JSON and UTF-8, and nothing is lost uncounted. A check that fails ends the process.
 *
 * For one file of a program that is linked with CALLS_WRAP of the Makefile: three functions of the library pass through here.
 */
#ifndef TESTS_FUZZ_CALLS_H
#define TESTS_FUZZ_CALLS_H

#include "../../observe.h"

#include "../../langfuse/score.h"
#include "../../src/base/value.h"
#include "../../src/base/config.h"
#include "../../src/observe/context.h"
#include "../../src/deliver/export.h"
#include "../../src/base/json.h"
#include "../../src/observe/stack.h"
#include "../../src/deliver/trace_table.h"
#include "../../src/deliver/wire.h"

#include <cjson/cJSON.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    CALLS_DEPTH = 5,       /* of observations */
    CALLS_VALUE_DEPTH = 4, /* of values, mostly */
    CALLS_LARGE = 3 << 20,
    CALLS_KEPT_MAX = 4096, /* blocks that one call is given */
    CALLS_HANDLES = 4,
    CALLS_CANARY = 256,
    CALLS_PAGE = 4096
};

#define CALLS_CHECK(condition) ((condition) ? (void)0 : calls_fail(__LINE__, #condition))

static uint64_t calls_seed; /* said when a check fails */

static void calls_fail(int line, const char *what)
{
    fprintf(stderr, "calls.h:%d: not so: %s (seed %llu)\n", line, what, (unsigned long long)calls_seed);
    abort();
}

/* ---- Choices -------------------------------------------------------------------------------------------------------- */

/* Bytes of a fuzzer while there are any, then numbers that follow from a seed. */
static struct {
    const uint8_t *bytes;
    size_t size;
    uint64_t random;
} calls_source;

static unsigned calls_pick(unsigned count)
{
    if (calls_source.size >= 2) {
        unsigned number = calls_source.bytes[0] | (unsigned)calls_source.bytes[1] << 8;
        calls_source.bytes += 2;
        calls_source.size -= 2;
        return number % count;
    }
    calls_source.random = calls_source.random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((calls_source.random >> 33) % count);
}

static bool calls_one_in(unsigned count)
{
    return calls_pick(count) == 0;
}

/* ---- Values --------------------------------------------------------------------------------------------------------- */

/* What one call is given: each block as large as it must be, so that a checker sees a read behind it. */
static struct {
    void *blocks[CALLS_KEPT_MAX];
    cJSON *trees[CALLS_KEPT_MAX];
    size_t block_count;
    size_t tree_count;
} calls_kept;

static void *calls_keep(size_t size)
{
    void *block = calls_kept.block_count < CALLS_KEPT_MAX ? malloc(size) : NULL;
    if (block != NULL)
        calls_kept.blocks[calls_kept.block_count++] = block;
    return block;
}

static void calls_let_go(void)
{
    while (calls_kept.block_count > 0)
        free(calls_kept.blocks[--calls_kept.block_count]);
    while (calls_kept.tree_count > 0)
        cJSON_Delete(calls_kept.trees[--calls_kept.tree_count]);
}

static size_t calls_size(void)
{
    switch (calls_pick(40)) {
    case 0: return calls_pick(2) * (size_t)calls_pick(CALLS_LARGE);
    case 1:
    case 2: return calls_pick(60000);
    case 3:
    case 4:
    case 5:
    case 6: return calls_pick(3000);
    case 7: return 0;
    default: return calls_pick(60);
    }
}

/* Of different kinds: plain, all that is escaped, characters of all lengths, broken ones, something like JSON. */
static void calls_fill(char *to, size_t size)
{
    static const struct {
        const char *text;
        size_t size;
    } patterns[] = {
        {"xyz", 3},
        {"a\"\\\n\r\t\b\f\x01\x1f{}[],:0", 17},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9},
        {"\xff\xc3\x80\xed\xa0\x80\xf0\x9f\xc0\xaf\xf4\x90\x80\x80", 14},
        {"{\"a\":[1,2.5e-3,\"\\ud83d\\ude00\\ud83d\"],\"b\":null}", 45},
    };
    unsigned pattern = calls_pick(sizeof patterns / sizeof *patterns), from = calls_pick(20);
    size_t period = patterns[pattern].size, done = 0;
    for (; done < size && done < period; done++)
        to[done] = patterns[pattern].text[(from + done) % period];
    for (size_t more; done < size; done += more) { /* twice as much each time: whole periods go before */
        more = done < size - done ? done : size - done;
        memcpy(to + done, to, more);
    }
}

static const char *calls_text(void)
{
    size_t size = calls_size();
    char *text = calls_keep(size + 1);
    if (text == NULL)
        return "no memory";
    calls_fill(text, size);
    text[size] = '\0';
    return text;
}

static const char *calls_text_or_none(unsigned one_in)
{
    return calls_one_in(one_in) ? calls_text() : NULL;
}

/* An id as hex digits, as text, or none. */
static const char *calls_id(unsigned one_in)
{
    static const char *const known[] = {"0123456789abcdef0123456789abcdef", "0123456789abcdef", "order-7", ""};
    if (!calls_one_in(one_in))
        return NULL;
    unsigned which = calls_pick(8);
    return which < 4 ? known[which] : calls_text();
}

static double calls_double(void)
{
    static const uint64_t bits[] = {0,
                                    UINT64_C(1) << 63,
                                    1,
                                    UINT64_C(0x7ff0000000000000),
                                    UINT64_C(0xfff0000000000000),
                                    UINT64_C(0x7ff8000000000000),
                                    UINT64_C(0x7fefffffffffffff),
                                    UINT64_C(0x4340000000000000)};
    double d = (double)calls_pick(10000) / 100;
    if (calls_one_in(3))
        memcpy(&d, &bits[calls_pick(sizeof bits / sizeof *bits)], sizeof d);
    return d;
}

static lf_value calls_sized(bool json)
{
    size_t size = calls_size();
    char *text = calls_keep(size);
    if (text == NULL)
        return lf_null();
    calls_fill(text, size);
    if (size > 0 && calls_one_in(5))
        text[calls_pick((unsigned)size)] = '\0';
    if (calls_one_in(15))
        size = calls_one_in(2) ? (size_t)-1 - calls_pick(10) : (size_t)PTRDIFF_MAX + 1 + calls_pick(10);
    return json ? lf_jsonn(text, size) : lf_strn(text, size);
}

/* Elements of any kind and size, also such as lf_array never makes. */
static lf_value calls_array(void)
{
    lf_kind kind = (lf_kind)calls_pick(LF_KIND_OPAQUE + 3);
    size_t element = calls_one_in(3) ? calls_pick(20) : (size_t)1 << calls_pick(4);
    size_t count = calls_one_in(4) ? calls_pick(3000) : calls_pick(8);
    if (kind == LF_KIND_CSTRING && element == sizeof(char *)) {
        const char **texts = calls_keep((count + 1) * sizeof *texts);
        for (size_t i = 0; texts != NULL && i < count; i++)
            texts[i] = calls_text_or_none(2);
        return texts == NULL ? lf_null() : lf_i_array_of(kind, element, texts, count);
    }
    char *elements = calls_keep(element * count);
    if (elements != NULL)
        calls_fill(elements, element * count);
    return lf_i_array_of(kind, element, elements, calls_one_in(20) ? SIZE_MAX - calls_pick(9) : elements == NULL ? 0 : count);
}

static cJSON *calls_tree(int depth)
{
    static char raw[] = "{\"raw\":[1]}", broken[] = "{\"raw\":";
    cJSON *item = NULL;
    switch (calls_pick(depth > 0 ? 9 : 6)) {
    case 0: item = cJSON_CreateNumber(calls_double()); break;
    case 1: item = cJSON_CreateString(calls_text()); break;
    case 2: item = cJSON_CreateRaw(calls_one_in(2) ? raw : broken); break;
    case 3: item = cJSON_CreateNull(); break;
    case 4: item = cJSON_CreateStringReference(raw); break;
    case 5: item = cJSON_CreateBool(calls_one_in(2)); break;
    case 6: item = cJSON_CreateArray(); break;
    default: item = cJSON_CreateObject(); break;
    }
    if (item != NULL && item->type == cJSON_NULL && calls_one_in(2))
        item->type = calls_one_in(2) ? cJSON_String : calls_one_in(2) ? cJSON_Raw : cJSON_Invalid; /* without any text */
    for (unsigned i = calls_pick(4); i > 0 && cJSON_IsArray(item); i--)
        cJSON_AddItemToArray(item, calls_tree(depth - 1));
    for (unsigned i = calls_pick(4); i > 0 && cJSON_IsObject(item); i--)
        cJSON_AddItemToObject(item, calls_text(), calls_tree(depth - 1));
    return item;
}

static lf_value calls_value(int depth);

static lf_value calls_list(int depth, unsigned count)
{
    lf_value *list = calls_keep((count + 1) * sizeof *list);
    for (unsigned i = 0; list != NULL && i < count; i++)
        list[i] = calls_value(depth - 1);
    return lf_i_make_pointer(LF_KIND_LIST, list, calls_one_in(30) ? SIZE_MAX - calls_pick(10) : count);
}

static lf_value calls_object(int depth, unsigned count)
{
    static const char *const names[] = {"input", "output", "total", "prompt_tokens", "unit", "key", "", NULL};
    lf_member *members = calls_keep((count + 1) * sizeof *members);
    for (unsigned i = 0; members != NULL && i < count; i++) {
        members[i].name = calls_one_in(3) ? calls_text() : names[calls_pick(sizeof names / sizeof *names)];
        members[i].value = calls_value(depth - 1);
    }
    return lf_i_make_pointer(LF_KIND_OBJECT, members, calls_one_in(30) ? SIZE_MAX - calls_pick(10) : count);
}

/* Deeper than anything may be written. */
static lf_value calls_deep(void)
{
    lf_value value = lf_int(1);
    for (unsigned i = calls_pick(2 * LF__VALUE_MAX_DEPTH); i > 0; i--) {
        lf_value *outer = calls_keep(sizeof *outer);
        if (outer == NULL)
            break;
        *outer = value;
        value = lf_i_make_pointer(LF_KIND_LIST, outer, 1);
    }
    return value;
}

static lf_value calls_cjson(void)
{
    cJSON *tree = calls_kept.tree_count < CALLS_KEPT_MAX ? calls_tree(CALLS_VALUE_DEPTH) : NULL;
    if (tree != NULL)
        calls_kept.trees[calls_kept.tree_count++] = tree;
    return lf_i_make_pointer(LF_KIND_CJSON, tree, 0);
}

static lf_value calls_value(int depth)
{
    switch (calls_pick(depth > 0 ? 22 : 14)) {
    case 0: return lf_int((int64_t)calls_pick(1000) - 500);
    case 1: return lf_uint(UINT64_MAX - calls_pick(1000));
    case 2: return lf_double(calls_double());
    case 3: return lf_i_v_float((float)calls_pick(100) / 8);
    case 4: return lf_bool(calls_one_in(2));
    case 5: return lf_null();
    case 6: return lf_i_make((lf_kind)calls_pick(LF_KIND_CHAR + 1), calls_pick(1000)); /* those that are no pointers */
    case 7: return lf_i_make_pointer((lf_kind)(LF_KIND_OPAQUE + 1 + calls_pick(60000)), "abc", calls_pick(9));
    case 8: return lf_i_make(LF_KIND_SECRET + (lf_kind)calls_pick(2), calls_pick(100));
    case 9: return calls_sized(calls_one_in(2));
    case 10: return lf_json(calls_text());
    case 11: return calls_array();
    case 12: return lf_i_make(LF_KIND_UNSET, 0);
    case 14: return calls_deep();
    case 15: return calls_cjson();
    case 16: return calls_list(depth, calls_pick(6));
    case 17:
    case 18:
    case 19: return calls_object(depth, calls_pick(6));
    default: return lf_text(calls_text());
    }
}

static lf_value calls_value_or_none(unsigned one_in)
{
    return calls_one_in(one_in) ? calls_value(CALLS_VALUE_DEPTH) : lf_i_make(LF_KIND_UNSET, 0);
}

/* ---- What must hold ------------------------------------------------------------------------------------------------- */

/* By the table of the Unicode standard, not by the library's own reader. */
static bool calls_is_utf8(const char *text, size_t size)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + size;
    while (at < end) {
        unsigned char lead = *at++;
        int more = lead < 0x80 ? 0 : lead < 0xc2 ? -1 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : -1;
        if (more < 0 || end - at < more)
            return false;
        unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        for (; more > 0; more--, low = 0x80, high = 0xbf, at++)
            if (*at < low || *at > high)
                return false;
    }
    return true;
}

static _Atomic uint64_t calls_records, calls_updates, calls_texts; /* how much was looked at */
static _Atomic bool calls_masked; /* what a mask writes has a limit of its own */
static lf__config *calls_config;

static void calls_check_fields(const lf__record *record)
{
    size_t at = sizeof *record;
    for (const lf__field *field = NULL; (field = lf__record_next(record, field)) != NULL;) {
        CALLS_CHECK(field->tag > 0 && field->tag < LF__TAG_COUNT && field->kind <= LF_KIND_OPAQUE);
        at += sizeof *field + lf__align8(field->length);
    }
    CALLS_CHECK(at == record->size);
}

static void calls_check_record(const lf__record *record)
{
    calls_check_fields(record);
    CALLS_CHECK(calls_masked || record->size <= lf__last_bytes);
}

static bool calls_lack_memory; /* for trees of all that is sent */

static void calls_check_text(const char *text, size_t size)
{
    CALLS_CHECK(calls_is_utf8(text, size) && strlen(text) == size && lf__json_valid(text, size));
    if (calls_lack_memory)
        return;
    cJSON *json = cJSON_Parse(text);
    if (!cJSON_IsArray(json))
        fprintf(stderr, "no JSON from here on: %.300s\n", cJSON_GetErrorPtr());
    CALLS_CHECK(cJSON_IsArray(json) && cJSON_GetArraySize(json) > 0);
    cJSON_Delete(json);
}

static void calls_check_json(const lf__wire *wire, const lf__record *record, const lf__record *trace)
{
    lf__buf out, scratch;
    lf__buf_init(&out, 64 << 20);
    lf__buf_init(&scratch, 64 << 20);
    lf__wire_context context = {.config = calls_config, .trace = trace, .scratch = &scratch};
    lf__buf_add_char(&out, '[');
    if (wire->item(&out, record, &context) && lf__buf_add(&out, "]", 2)) {
        calls_check_text(out.data, out.length - 1);
        atomic_fetch_add(&calls_texts, 1);
    }
    lf__buf_done(&out);
    lf__buf_done(&scratch);
}

lf__add __real_lf__export_add(lf__export *exporter, const lf__record *record, const lf__record *trace, int64_t wall_offset_ns);
lf__add __wrap_lf__export_add(lf__export *exporter, const lf__record *record, const lf__record *trace, int64_t wall_offset_ns);
lf__add __wrap_lf__export_add(lf__export *exporter, const lf__record *record, const lf__record *trace, int64_t wall_offset_ns)
{
    calls_check_record(record);
    if (record->kind == LF__RECORD_OBSERVATION)
        calls_check_json(&lf__wire_otlp_json, record, trace);
    calls_check_json(&lf__wire_ingestion, record, trace);
    atomic_fetch_add(&calls_records, 1);
    return __real_lf__export_add(exporter, record, trace, wall_offset_ns);
}

bool __real_lf__traces_add(lf__traces *traces, const lf__record *update);
bool __wrap_lf__traces_add(lf__traces *traces, const lf__record *update);
bool __wrap_lf__traces_add(lf__traces *traces, const lf__record *update)
{
    calls_check_record(update);
    atomic_fetch_add(&calls_updates, 1);
    return __real_lf__traces_add(traces, update);
}

/* A segment of these sizes whose areas end at pages that nobody may touch; 0: as the library makes them. */
static size_t calls_stack_bytes, calls_ring_bytes;

lf__segment *__real_lf__segment_new(void);
lf__segment *__wrap_lf__segment_new(void);
lf__segment *__wrap_lf__segment_new(void)
{
    if (calls_stack_bytes == 0)
        return __real_lf__segment_new();
    size_t header = (sizeof(lf__segment) + CALLS_PAGE - 1) & ~(size_t)(CALLS_PAGE - 1);
    size_t size = header + calls_stack_bytes + calls_ring_bytes + 2 * CALLS_PAGE;
    uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CALLS_CHECK(memory != MAP_FAILED);
    uint8_t *stack_end = memory + header + calls_stack_bytes, *ring = stack_end + CALLS_PAGE;
    CALLS_CHECK(mprotect(stack_end, CALLS_PAGE, PROT_NONE) == 0 && mprotect(ring + calls_ring_bytes, CALLS_PAGE, PROT_NONE) == 0);
    lf__segment *segment = (lf__segment *)(void *)memory;
    segment->mapped = size;
    segment->stack_begin = (uint32_t)header;
    segment->stack_end = (uint32_t)(header + calls_stack_bytes - LF__STACK_RESERVE);
    segment->ring = ring;
    segment->ring_size = calls_ring_bytes;
    segment->top = segment->stack_begin;
    return segment;
}

static void calls_check_stack(void)
{
    lf__segment *segment = lf__thread;
    if (segment == NULL)
        return;
    CALLS_CHECK(segment->top >= segment->stack_begin && segment->top <= segment->stack_end + LF__STACK_RESERVE);
    for (uint32_t offset = segment->frame; offset != 0; offset = lf__frame_at(segment, offset)->below) {
        const lf__frame *frame = lf__frame_at(segment, offset);
        CALLS_CHECK(frame->kind != LF__FRAME_OBSERVATION || lf__frame_record_size(frame) <= lf__last_bytes);
    }
}

/* Bytes behind all that a call may write above what lies there: frames, attributes, a record, and what is said of its trace. */
static uint8_t *calls_canary;

static void calls_set_canary(void)
{
    lf__segment *segment = lf__thread;
    calls_canary = NULL;
    if (segment == NULL || calls_stack_bytes == 0)
        return;
    size_t from = segment->top + 2 * lf__last_bytes + LF__CONTEXT_MAX + 2 * sizeof(lf__frame);
    if (from + CALLS_CANARY > segment->stack_end)
        return;
    calls_canary = (uint8_t *)segment + from;
    memset(calls_canary, 0xa5, CALLS_CANARY);
}

static void calls_check_canary(void)
{
    for (size_t i = 0; calls_canary != NULL && i < CALLS_CANARY; i++)
        CALLS_CHECK(calls_canary[i] == 0xa5);
    calls_check_stack();
}

/* ---- Calls ---------------------------------------------------------------------------------------------------------- */

static lf_observation *calls_handles[CALLS_HANDLES];

static lf_observation *calls_handle(void)
{
    return calls_one_in(20) ? (lf_observation *)(uintptr_t)calls_pick(UINT16_MAX) : calls_handles[calls_pick(CALLS_HANDLES)];
}

static lf_observation_fields calls_fields(void)
{
    lf_observation_fields f = {
        .name = calls_text_or_none(4),
        .level = calls_one_in(3) ? (lf_level)calls_pick(6) : LF_LEVEL_UNSET,
        .type = calls_one_in(5) ? (lf_type)calls_pick(13) : LF_TYPE_DEFAULT,
        .input = calls_value_or_none(3),
        .output = calls_value_or_none(3),
        .metadata = calls_value_or_none(3),
        .status_message = calls_text_or_none(4),
        .version = calls_text_or_none(6),
        .model = calls_text_or_none(5),
        .model_parameters = calls_value_or_none(5),
        .usage_details = calls_value_or_none(4),
        .cost_details = calls_value_or_none(4),
        .usage = calls_value_or_none(5),
        .prompt_name = calls_text_or_none(6),
        .prompt_version = (int)calls_pick(5),
        .completion_start_time_ns = calls_one_in(8) ? calls_pick(1000) : 0,
        .end_time_ns = calls_one_in(8) ? calls_pick(1000) : 0,
        .trace_id = calls_id(5),
        .parent_observation_id = calls_id(4),
        .id = calls_id(5),
        .start_time_ns = calls_one_in(8) ? calls_pick(1000) : 0,
    };
    if (calls_one_in(4))
        f.parent = calls_handle();
    return f;
}

static void calls_update_trace(void)
{
    lf_trace_fields f = {
        .name = calls_text_or_none(3),
        .user_id = calls_text_or_none(4),
        .session_id = calls_text_or_none(4),
        .version = calls_text_or_none(4),
        .release = calls_text_or_none(6),
        .tags = calls_value_or_none(3),
        .metadata = calls_value_or_none(3),
        .input = calls_value_or_none(4),
        .output = calls_value_or_none(4),
        .public_ = (int)calls_pick(3),
        .trace_id = calls_id(4),
    };
    lf_update_current_trace_with(&f);
}

static void calls_score(void)
{
    lf_score_fields f = {
        .name = calls_one_in(8) ? NULL : calls_text(),
        .value = calls_double(),
        .string_value = calls_text_or_none(3),
        .data_type = calls_one_in(2) ? (lf_score_type)calls_pick(7) : LF_SCORE_DEFAULT,
        .trace_id = calls_id(2),
        .observation_id = calls_id(3),
        .session_id = calls_id(4),
        .comment = calls_text_or_none(3),
        .config_id = calls_id(5),
        .metadata = calls_value_or_none(3),
        .id = calls_id(4),
        .environment = calls_text_or_none(6),
    };
    if (calls_one_in(4))
        f.observation = calls_handle();
    switch (calls_pick(3)) {
    case 0: (void)lf_create_score_with(&f); break;
    case 1: (void)lf_score_current_observation_with(&f); break;
    default: (void)lf_score_current_trace_with(&f); break;
    }
}

static void calls_append(lf_observation *handle)
{
    lf_value piece = calls_sized(false);
    if (piece.kind != LF_KIND_STRING)
        return;
    if (handle != NULL)
        lf_observation_output_append(handle, piece.as.p, (size_t)piece.extra);
    else
        lf_output_append(calls_one_in(20) ? NULL : piece.as.p, (size_t)piece.extra);
}

static void calls_start_handle(void)
{
    lf_observation_fields f = calls_fields();
    lf_observation **handle = &calls_handles[calls_pick(CALLS_HANDLES)];
    switch (calls_pick(3)) {
    case 0: *handle = lf_start_observation_with(&f); break;
    case 1: *handle = lf_start_as_current_observation_with(&f); break;
    default: *handle = lf_create_event_with(&f); break;
    }
}

static void calls_end_handle(void)
{
    lf_observation_fields f = calls_fields();
    lf_observation_end_with(calls_handle(), calls_one_in(3) ? NULL : &f);
}

static void calls_set_header(void *data, const char *name, const char *value)
{
    (void)data;
    CALLS_CHECK(name[0] != '\0' && calls_is_utf8(value, strlen(value)) && strpbrk(value, "\r\n") == NULL);
}

static void calls_make_one(void)
{
    lf_observation_fields f = calls_fields();
    switch (calls_pick(14)) {
    case 0:
    case 1:
    case 2:
    case 3: lf_update_current_observation_with(&f); break;
    case 4: calls_start_handle(); break;
    case 5:
    case 6: lf_observation_update_with(calls_handle(), &f); break;
    case 7: calls_end_handle(); break;
    case 8: calls_append(NULL); break;
    case 9: calls_append(calls_handle()); break;
    case 10: calls_score(); break;
    case 11: calls_update_trace(); break;
    case 12: OBSERVE_OUTPUT(f.input); break;
    default: OBSERVE_ERROR("%s", calls_text()); break;
    }
    if (calls_one_in(20))
        (void)lf_inject(calls_set_header, NULL);
}

static void calls_inside(int depth);

static __attribute__((noinline)) void calls_observe(int depth)
{
    lf_value a = calls_value(CALLS_VALUE_DEPTH), b = calls_value(CALLS_VALUE_DEPTH), c = lf_text(calls_text());
    OBSERVE(a, b, c, depth);
    calls_check_canary();
    calls_let_go();
    calls_inside(depth);
}

static __attribute__((noinline)) int calls_observe_with(int depth)
{
    lf_value a = calls_value(CALLS_VALUE_DEPTH), b = lf_text(calls_text());
    OBSERVE_WITH((.name = calls_text_or_none(2), .type = (lf_type)calls_pick(12), .trace_id = calls_id(2),
                  .parent_observation_id = calls_id(2), .capture_output = (lf_switch)calls_pick(3)),
                 a, b);
    calls_check_canary();
    calls_let_go();
    calls_inside(depth);
    OBSERVE_RETURN(depth);
}

static __attribute__((noinline)) void calls_with_attributes(int depth)
{
    OBSERVE_ATTRIBUTES(.user_id = calls_text_or_none(2), .session_id = calls_text_or_none(3), .version = calls_text_or_none(4),
                       .trace_name = calls_text_or_none(3), .environment = calls_text_or_none(4), .tags = calls_value_or_none(2),
                       .metadata = calls_value_or_none(2), .prompt_name = calls_text_or_none(4), .prompt_version = 1,
                       .as_baggage = (int)calls_pick(2));
    calls_check_canary();
    calls_let_go();
    calls_inside(depth);
}

static __attribute__((noinline)) void calls_in_context(int depth)
{
    lf_context *context = lf_context_copy();
    OBSERVE_CONTEXT(context);
    lf_context_free(context);
    calls_check_canary();
    calls_inside(depth);
}

static void calls_nest(int depth)
{
    calls_set_canary();
    switch (calls_pick(7)) {
    case 0: calls_with_attributes(depth); break;
    case 1: calls_in_context(depth); break;
    case 2:
    case 3: (void)calls_observe_with(depth); break;
    default: calls_observe(depth); break;
    }
}

static void calls_inside(int depth)
{
    for (unsigned i = calls_pick(6); i > 0; i--) {
        calls_set_canary();
        calls_make_one();
        calls_check_canary();
        calls_let_go();
        if (depth < CALLS_DEPTH && calls_one_in(3))
            calls_nest(depth + 1);
    }
}

/* ---- A run ---------------------------------------------------------------------------------------------------------- */

static void calls_log(void *data, const char *line)
{
    (void)data, (void)line;
}

static bool calls_mask(void *data, lf_masked *value)
{
    (void)data;
    CALLS_CHECK(value->text != NULL && value->field != NULL);
    size_t size = value->size;
    return size % 3 == 0   ? lf_mask_replace(value, value->text, size / 2, value->is_json)
           : size % 3 == 1 ? !lf_mask_replace(value, value->text, (size_t)-1, size % 2 == 0)
                           : size % 5 != 0;
}

static size_t calls_limit(void)
{
    static const size_t limits[] = {0, 1, 256, 1024, 1025, 1500, 2000, 4096, 10000, 20000, 65536, 1000000, 2500000, SIZE_MAX};
    return limits[calls_pick(sizeof limits / sizeof *limits)];
}

/* Start with any limits, make calls, stop, and see that all is accounted for. */
static void calls_run(const char *exporter)
{
    lf_options options = {LF_OPTIONS_INIT,
                          .exporter = exporter,
                          .log = calls_log,
                          .max_event_bytes = calls_limit(),
                          .max_queue_bytes = calls_one_in(4) ? 1 << 20 : 0,
                          .max_batch_bytes = calls_one_in(3) ? 65536 : 0,
                          .flush_at = (int)calls_pick(20),
                          .exit_timeout_ms = -1};
    calls_masked = calls_one_in(5);
    options.mask = calls_masked ? calls_mask : NULL;
    if (calls_one_in(6))
        options.sample_rate = 0.5;
    lf__config_free(calls_config);
    calls_config = lf__config_new(&options);
    if (lf_init(&options) != LF_OK || calls_config == NULL)
        return;
    memset(calls_handles, 0, sizeof calls_handles);
    if (calls_one_in(4))
        lf__alloc_fail_from(1 + calls_pick(60));
    for (unsigned i = 1 + calls_pick(6); i > 0; i--)
        calls_nest(0);
    lf__alloc_fail_from(0);
    calls_let_go();
    (void)lf_shutdown(60000);
    lf_stats stats;
    lf_get_stats(&stats);
    CALLS_CHECK(stats.open == 0 && stats.queued == 0);
    CALLS_CHECK(stats.accepted == stats.delivered + stats.dropped_total);
}

static void calls_run_seed(uint64_t seed, const char *exporter)
{
    calls_seed = seed;
    calls_source.size = 0;
    calls_source.random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    calls_run(exporter);
}

#endif
