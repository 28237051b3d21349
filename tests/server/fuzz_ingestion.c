/* Fuzz target for batches of events: judged, folded into rows, drawn. The first byte chooses the rules.
 *
 * clang -fsanitize=fuzzer,address,undefined tests/server/fuzz_ingestion.c $(ls server/[!m]*.c) -lmicrohttpd -lsqlite3 -lz -lm
 */
#include "../../server/fold.h"
#include "../../server/ingestion.h"
#include "../../server/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All events of the batch as if they were of one id, whatever they say: more merging than any real batch has. The other order gives
 * the same. */
static fold *fold_kind(arena *a, const event *events, size_t count, event_kind kind, bool backwards)
{
    fold *f = NULL;
    for (size_t i = 0; i < count; i++) {
        event e = events[backwards ? count - 1 - i : i];
        e.place = (int64_t)(backwards ? count - i : i + 1);
        if (e.type->kind != kind)
            continue;
        if (f == NULL && (f = fold_new(a, kind, TEXT("t"))) == NULL)
            return NULL;
        fold_add(f, &e);
        if (i % 3 == 2 && (f = fold_copy(a, f)) == NULL)
            return NULL;
    }
    return f;
}

static void fold_into(arena *a, fold *f, event_kind kind, trace_data *one)
{
    if (kind == EVENT_TRACE) {
        one->record = event_trace(a, f);
        one->has_record = true;
    } else if (kind == EVENT_OBSERVATION) {
        one->rows = arena_take(a, sizeof *one->rows);
        if (one->rows != NULL)
            *one->rows = event_observation(a, f);
        one->row_count = one->rows != NULL;
    } else {
        one->scores = arena_take(a, sizeof *one->scores);
        if (one->scores != NULL)
            *one->scores = event_score(a, f);
        one->score_count = one->scores != NULL;
        one->has_record = true;
    }
}

static void fold_all(arena *a, const event *events, size_t count, buf *out)
{
    const tree_style style = {80, true, true};
    for (event_kind kind = EVENT_TRACE; kind <= EVENT_SCORE; kind++) {
        buf other = {.ceiling = out->ceiling};
        size_t before = out->size;
        for (int backwards = 0; backwards < 2; backwards++) {
            trace_data one = {.id = TEXT("t")};
            fold *f = fold_kind(a, events, count, kind, backwards != 0);
            if (f == NULL)
                continue;
            fold_into(a, f, kind, &one);
            tree_render(backwards != 0 ? &other : out, &one, &style);
        }
        text first = text_from(buf_view(out), before), second = buf_view(&other);
        if (!a->failed && !out->failed && !other.failed && !text_equal(first, second))
            __builtin_trap();
        buf_free(&other);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena a = {.ceiling = (size_t)64 << 20};
    buf answer = {.ceiling = (size_t)64 << 20}, drawing = {.ceiling = (size_t)64 << 20};
    size_t count = 0, repairs = 0;
    if (size == 0)
        return 0;
    const ingestion_rules rules = {(data[0] & 1) != 0, (data[0] & 2) != 0, 1};
    const json *batch = json_parse(&a, arena_utf8(&a, (text){(const char *)data + 1, size - 1}, &repairs));
    if (json_is(batch, JSON_ARRAY)) {
        const event *events = ingestion_judge(&a, batch, &rules, &answer, &count);
        if (!answer.failed && json_parse(&a, buf_view(&answer)) == NULL && !a.failed)
            __builtin_trap(); /* whatever was sent, the answer is JSON */
        if (!a.failed)
            ingestion_losses(&a, events, count);
        if (!a.failed)
            fold_all(&a, events, count, &drawing);
    }
    buf_free(&answer);
    buf_free(&drawing);
    arena_free(&a);
    return 0;
}
