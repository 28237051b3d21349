/* The worker's queue: order, whole traces dropped oldest first, exact counts, and the same behaviour as a simple model under
 * random operations.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/deliver/pending.h"
#include "fixture.h"

enum { CHUNK = 256 << 10, PLENTY = 64 << 20 };

static builder made;
static _Atomic uint64_t drops[LF_DROP_REASON_COUNT];

static uint64_t all_drops(void)
{
    uint64_t total = 0;
    for (int i = 0; i < LF_DROP_REASON_COUNT; i++)
        total += drops[i];
    return total;
}

static lf__pending *make(size_t max_bytes)
{
    memset((void *)drops, 0, sizeof drops);
    lf__pending *pending = lf__pending_new(max_bytes, drops);
    assert_non_null(pending);
    return pending;
}

static unsigned n_of(const lf__record *record)
{
    unsigned n;
    memcpy(&n, record->id, sizeof n);
    return n;
}

static unsigned trace_of(const lf__record *record)
{
    unsigned trace;
    memcpy(&trace, record->trace_id + 8, sizeof trace);
    return trace;
}

static void add(lf__pending *pending, unsigned trace, unsigned n, size_t extra)
{
    lf__pending_add(pending, numbered_record(&made, trace, n, extra));
}

static void records_come_out_in_order_and_unchanged(void **state)
{
    (void)state;
    lf__pending *pending = make(PLENTY);
    assert_null(lf__pending_first(pending));
    assert_int_equal(lf__pending_first_number(pending), 0);
    for (unsigned i = 0; i < 20000; i++) /* over many chunks */
        add(pending, i % 7, i, i % 500);
    assert_int_equal(lf__pending_count(pending), 20000);
    assert_int_equal(lf__pending_added(pending), 20000);
    for (unsigned i = 0; i < 20000; i++) {
        assert_int_equal(lf__pending_first_number(pending), i);
        const lf__record *record = lf__pending_first(pending);
        assert_non_null(record);
        const lf__record *expected = numbered_record(&made, i % 7, i, i % 500);
        assert_int_equal(record->size, expected->size);
        assert_memory_equal(record, expected, expected->size);
        lf__pending_remove_first(pending);
    }
    assert_null(lf__pending_first(pending));
    lf__pending_remove_first(pending); /* of nothing */
    assert_int_equal(lf__pending_count(pending), 0);
    assert_int_equal(lf__pending_first_number(pending), 20000);
    assert_int_equal(all_drops(), 0);
    lf__pending_free(pending);
}

static void a_steady_flow_holds_no_more_memory_than_its_start(void **state)
{
    (void)state;
    lf__pending *pending = make(PLENTY);
    size_t most = 0;
    for (unsigned i = 0; i < 100000; i++) {
        add(pending, i, i, 200);
        if (lf__pending_count(pending) > 100)
            lf__pending_remove_first(pending);
        if (lf__pending_bytes(pending) > most)
            most = lf__pending_bytes(pending);
    }
    assert_in_range(most, CHUNK, 3 * CHUNK);
    lf__pending_free(pending);
}

static void a_full_queue_drops_the_oldest_trace_whole_and_first(void **state)
{
    (void)state;
    /* Traces 0..9 interleaved, eight records each of 4 KiB: 320 KiB, more than the one chunk that fits. */
    lf__pending *pending = make(CHUNK + CHUNK / 2);
    unsigned n = 0;
    for (unsigned round = 0; round < 8; round++)
        for (unsigned trace = 0; trace < 10; trace++)
            add(pending, trace, n++, 4096);
    assert_true(drops[LF_DROP_QUEUE_FULL] > 0);
    assert_int_equal(all_drops(), drops[LF_DROP_QUEUE_FULL]);
    unsigned left[10] = {0}, dropped_traces = 0;
    size_t count = lf__pending_count(pending);
    assert_int_equal(count + all_drops(), 80);
    for (const lf__record *record; (record = lf__pending_first(pending)) != NULL; lf__pending_remove_first(pending))
        left[trace_of(record)]++;
    for (unsigned trace = 0; trace < 10; trace++) {
        assert_true(left[trace] == 0 || left[trace] == 8); /* whole or not at all */
        dropped_traces += left[trace] == 0;
    }
    for (unsigned trace = 0; trace < dropped_traces; trace++)
        assert_int_equal(left[trace], 0); /* the oldest */
    assert_int_equal(all_drops(), 8 * dropped_traces);
    lf__pending_free(pending);
}

static void a_dropped_trace_that_goes_on_is_dropped_further(void **state)
{
    (void)state;
    lf__pending *pending = make(PLENTY);
    for (unsigned i = 0; i < 10; i++)
        add(pending, i % 2, i, 10);
    const lf__record *first = lf__pending_first(pending);
    lf__pending_drop_trace(pending, first->trace_id, LF_DROP_SHUTDOWN); /* an id that lies in a record that goes */
    assert_int_equal(drops[LF_DROP_SHUTDOWN], 5);
    assert_int_equal(lf__pending_count(pending), 5);
    add(pending, 0, 10, 10);
    assert_int_equal(drops[LF_DROP_QUEUE_FULL], 1);
    add(pending, 2, 11, 10); /* others do not suffer */
    assert_int_equal(lf__pending_count(pending), 6);
    while (lf__pending_first(pending) != NULL) {
        assert_int_not_equal(trace_of(lf__pending_first(pending)), 0);
        lf__pending_remove_first(pending);
    }
    lf__pending_free(pending);
}

static void one_endless_trace_that_fills_the_queue_is_not_continued_with_holes(void **state)
{
    (void)state;
    lf__pending *pending = make(CHUNK + CHUNK / 2);
    for (unsigned i = 0; i < 1000; i++)
        add(pending, 5, i, 4096);
    assert_int_equal(drops[LF_DROP_QUEUE_FULL], 1000);
    assert_int_equal(lf__pending_count(pending), 0);
    assert_null(lf__pending_first(pending)); /* the worker looks; its root still does not arrive alone */
    add(pending, 5, 1000, 100);
    assert_int_equal(drops[LF_DROP_QUEUE_FULL], 1001);
    add(pending, 6, 1001, 100);
    assert_int_equal(lf__pending_count(pending), 1);
    lf__pending_free(pending);
}

static void once_everything_was_handed_on_a_dropped_trace_may_go_on(void **state)
{
    (void)state;
    lf__pending *pending = make(PLENTY);
    add(pending, 1, 0, 10);
    add(pending, 2, 1, 10);
    uint8_t id[16];
    memcpy(id, lf__pending_first(pending)->trace_id, sizeof id);
    lf__pending_drop_trace(pending, id, LF_DROP_QUEUE_FULL);
    add(pending, 1, 2, 10);
    assert_int_equal(drops[LF_DROP_QUEUE_FULL], 2);
    lf__pending_remove_first(pending);
    assert_int_equal(lf__pending_count(pending), 0);
    add(pending, 1, 3, 10);
    assert_int_equal(lf__pending_count(pending), 1);
    lf__pending_free(pending);
}

static void a_trace_unknown_so_far_can_be_dropped_ahead(void **state)
{
    (void)state;
    lf__pending *pending = make(PLENTY);
    uint8_t id[16];
    memcpy(id, numbered_record(&made, 9, 0, 0)->trace_id, sizeof id);
    lf__pending_drop_trace(pending, id, LF_DROP_QUEUE_FULL);
    assert_int_equal(all_drops(), 0);
    add(pending, 9, 0, 10);
    assert_int_equal(all_drops(), 1);
    assert_int_equal(lf__pending_count(pending), 0);
    lf__pending_free(pending);
}

static void drop_all_counts_every_record_for_the_reason_given(void **state)
{
    (void)state;
    lf__pending *pending = make(PLENTY);
    for (unsigned i = 0; i < 3000; i++)
        add(pending, i / 3, i, 300);
    lf__pending_drop_all(pending, LF_DROP_SHUTDOWN);
    assert_int_equal(drops[LF_DROP_SHUTDOWN], 3000);
    assert_int_equal(lf__pending_count(pending), 0);
    assert_null(lf__pending_first(pending));
    lf__pending_free(pending);
}

static void memory_stays_below_the_ceiling_also_when_it_is_lowered(void **state)
{
    (void)state;
    lf__pending *pending = make(8 * CHUNK);
    for (unsigned i = 0; i < 10000; i++) {
        if (i == 5000)
            lf__pending_set_max(pending, 3 * CHUNK);
        add(pending, i / 4, i, 1000);
        if (i < 5000 || i > 7000)
            assert_true(lf__pending_bytes(pending) <= (i < 5000 ? 8 : 3) * (size_t)CHUNK + 8192);
        assert_int_equal(lf__pending_count(pending) + all_drops(), i + 1);
    }
    lf__pending_free(pending);
}

static void a_record_larger_than_a_chunk_fits_and_one_larger_than_the_ceiling_is_counted(void **state)
{
    (void)state;
    static union {
        lf__record record;
        char bytes[2 * CHUNK];
    } big;
    lf__pending *pending = make(4 * CHUNK);
    big.record = *numbered_record(&made, 1, 1, 0);
    big.record.size = sizeof big;
    lf__pending_add(pending, &big.record);
    assert_int_equal(lf__pending_count(pending), 1);
    assert_int_equal(lf__pending_first(pending)->size, sizeof big);
    lf__pending_remove_first(pending);
    assert_true(lf__pending_bytes(pending) <= 2 * (size_t)CHUNK); /* it is not kept for later */
    lf__pending_set_max(pending, CHUNK);
    lf__pending_add(pending, &big.record);
    assert_int_equal(drops[LF_DROP_QUEUE_FULL], 1);
    assert_int_equal(lf__pending_count(pending), 0);
    lf__pending_free(pending);
}

/* A chunk that was kept for later must not keep out what it is too small for. */
static void an_empty_queue_takes_whatever_is_below_the_ceiling(void **state)
{
    (void)state;
    static union {
        lf__record record;
        char bytes[3 * CHUNK + CHUNK / 2];
    } big;
    lf__pending *pending = make(4 * CHUNK);
    big.record = *numbered_record(&made, 2, 1, 0);
    big.record.size = sizeof big;
    for (unsigned round = 0; round < 3; round++) {
        add(pending, 1, round, 1000);
        lf__pending_remove_first(pending);
        lf__pending_add(pending, &big.record);
        assert_int_equal(all_drops(), 0);
        assert_int_equal(lf__pending_count(pending), 1);
        assert_true(lf__pending_bytes(pending) <= 4 * CHUNK);
        lf__pending_remove_first(pending);
    }
    lf__pending_free(pending);
}

static void without_memory_records_are_dropped_and_counted(void **state)
{
    (void)state;
    lf__alloc_fail_from(1);
    assert_null(lf__pending_new(PLENTY, drops));
    lf__alloc_fail_from(2);
    assert_null(lf__pending_new(PLENTY, drops));
    lf__alloc_fail_from(0);
    for (unsigned long fail = 1; fail < 12; fail++) {
        lf__pending *pending = make(PLENTY);
        lf__alloc_fail_from(fail);
        for (unsigned i = 0; i < 600; i++)
            add(pending, i, i, 2000);
        lf__alloc_fail_from(0);
        assert_int_equal(lf__pending_count(pending) + all_drops(), 600);
        assert_true(drops[LF_DROP_NO_MEMORY] > 0);
        unsigned last = 0;
        for (size_t count = lf__pending_count(pending); count > 0; count--) {
            unsigned n = n_of(lf__pending_first(pending));
            assert_true(n >= last);
            last = n;
            lf__pending_remove_first(pending);
        }
        assert_null(lf__pending_first(pending));
        lf__pending_free(pending);
    }
}

/* ---- Against a model ---- */

/* The same as a list: how many go when the queue is full is taken from it, which ones is checked. */
enum { MODEL_ITEMS = 60000, MODEL_TRACES = 3000 };

static struct {
    unsigned trace[MODEL_ITEMS];
    bool gone[MODEL_ITEMS];
    unsigned first, added, count;
    bool dropped[MODEL_TRACES];
} model;

static void model_find_first(void)
{
    while (model.first < model.added && model.gone[model.first])
        model.first++;
}

static unsigned model_drop(unsigned trace)
{
    unsigned count = 0;
    for (unsigned i = model.first; i < model.added; i++)
        if (!model.gone[i] && model.trace[i] == trace) {
            model.gone[i] = true;
            count++;
        }
    model.dropped[trace] = true;
    model.count -= count;
    model_find_first();
    return count;
}

static void model_add(unsigned trace, unsigned dropped)
{
    model.trace[model.added] = trace;
    /* Once its trace is dropped, the last one is the new record itself. */
    while (dropped > (model.dropped[trace] ? 1u : 0u) && model.count > 0) {
        unsigned of_oldest = model_drop(model.trace[model.first]);
        assert_true(of_oldest <= dropped); /* whole traces only */
        dropped -= of_oldest;
    }
    assert_true(dropped <= 1);
    assert_true(dropped == 0 || model.dropped[trace]); /* the new one goes only with its trace */
    assert_true(dropped == 1 || !model.dropped[trace]);
    model.gone[model.added++] = dropped == 1;
    model.count += dropped == 0;
    model_find_first();
}

static void model_remove_first(void)
{
    model.gone[model.first] = true;
    model_find_first();
    if (--model.count == 0)
        memset(model.dropped, 0, sizeof model.dropped);
}

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)random_state * limit) >> 32);
}

static void assert_as_model(lf__pending *pending)
{
    assert_int_equal(lf__pending_count(pending), model.count);
    assert_int_equal(lf__pending_added(pending), model.added);
    assert_int_equal(lf__pending_first_number(pending), model.first);
    const lf__record *record = lf__pending_first(pending);
    if (record == NULL) {
        assert_int_equal(model.count, 0);
        return;
    }
    assert_int_equal(n_of(record), model.first);
    assert_int_equal(trace_of(record), model.trace[model.first]);
}

static void run_against_model(uint32_t seed, unsigned operations)
{
    memset(&model, 0, sizeof model);
    random_state = seed;
    lf__pending *pending = make(5 * CHUNK);
    unsigned window = 0, removing = 3;
    for (unsigned i = 0; i < operations; i++) {
        uint32_t dice = random_below(10);
        if (i % 2000 == 0)
            removing = random_below(8); /* times of pressure and times of calm */
        if (dice < removing) {
            bool any = model.count > 0;
            lf__pending_remove_first(pending);
            if (any)
                model_remove_first();
        } else if (dice == 9 && random_below(50) == 0) {
            unsigned trace = window + random_below(20);
            uint8_t id[16];
            memcpy(id, numbered_record(&made, trace, 0, 0)->trace_id, sizeof id);
            uint64_t before = all_drops();
            lf__pending_drop_trace(pending, id, LF_DROP_QUEUE_FULL);
            assert_int_equal(all_drops() - before, model_drop(trace));
        } else {
            window += random_below(12) == 0 && window + 21 < MODEL_TRACES;
            unsigned trace = window + random_below(20);
            uint64_t before = all_drops();
            add(pending, trace, model.added, random_below(3) == 0 ? random_below(20000) : random_below(500));
            model_add(trace, (unsigned)(all_drops() - before));
        }
        assert_as_model(pending);
    }
    assert_true(drops[LF_DROP_QUEUE_FULL] > 100);
    assert_int_equal(all_drops(), drops[LF_DROP_QUEUE_FULL]);
    lf__pending_free(pending);
}

static void random_operations_agree_with_a_simple_model(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 8; seed++)
        run_against_model(seed, 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_out_in_order_and_unchanged),
        cmocka_unit_test(a_steady_flow_holds_no_more_memory_than_its_start),
        cmocka_unit_test(a_full_queue_drops_the_oldest_trace_whole_and_first),
        cmocka_unit_test(a_dropped_trace_that_goes_on_is_dropped_further),
        cmocka_unit_test(one_endless_trace_that_fills_the_queue_is_not_continued_with_holes),
        cmocka_unit_test(once_everything_was_handed_on_a_dropped_trace_may_go_on),
        cmocka_unit_test(a_trace_unknown_so_far_can_be_dropped_ahead),
        cmocka_unit_test(drop_all_counts_every_record_for_the_reason_given),
        cmocka_unit_test(memory_stays_below_the_ceiling_also_when_it_is_lowered),
        cmocka_unit_test(a_record_larger_than_a_chunk_fits_and_one_larger_than_the_ceiling_is_counted),
        cmocka_unit_test(an_empty_queue_takes_whatever_is_below_the_ceiling),
        cmocka_unit_test(without_memory_records_are_dropped_and_counted),
        cmocka_unit_test(random_operations_agree_with_a_simple_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
