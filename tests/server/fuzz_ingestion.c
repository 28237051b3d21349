/* Fuzz target for batches of events: judged, folded into rows, drawn. The first byte chooses the rules.
 *
 * clang -fsanitize=fuzzer,address,undefined tests/server/fuzz_ingestion.c $(ls server/[!m]*.c) -lmicrohttpd -lsqlite3 -lz -lm
 */
#include "../../server/ingestion.h"
#include "../../server/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All events of the batch as if they were of one id, whatever they say: more merging than any real batch has. */
static void fold_all(arena *a, const event *events, size_t count, buf *out)
{
    event *of_kind = arena_take(a, count * sizeof *of_kind + 1);
    const tree_style style = {80, true, true};
    for (event_kind kind = EVENT_TRACE; of_kind != NULL && kind <= EVENT_SCORE; kind++) {
        trace_data one = {.id = TEXT("t")};
        observation row;
        score given;
        size_t kept = 0;
        for (size_t i = 0; i < count; i++)
            if (events[i].type->kind == kind)
                of_kind[kept++] = events[i];
        if (kept == 0)
            continue;
        if (kind == EVENT_TRACE) {
            one.record = event_fold_trace(a, of_kind, kept);
            one.has_record = true;
        } else if (kind == EVENT_OBSERVATION) {
            row = event_fold_observation(a, of_kind, kept);
            one.rows = &row;
            one.row_count = 1;
        } else {
            given = event_fold_score(a, of_kind, kept);
            one.scores = &given;
            one.score_count = 1;
            one.has_record = true;
        }
        tree_render(out, &one, &style);
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
