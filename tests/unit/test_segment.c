/* The memory of one thread by itself: the ring against a reference model, its ceiling, its pages, and copies of the stack. */
#include "core_harness.h"

#include "../../src/observe/ring.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { PAGE = 4096, RECORD_MIN = sizeof(lf__record) };

/* ---- A thread and a worker, played by the test ------------------------------------------------------------------------ */

static lf__segment *new_segment(size_t ceiling)
{
    lf__segment *segment = lf__segment_new();
    CHECK(segment != NULL);
    lf__segment_adopt(segment);
    atomic_store(&lf__queue_budget.limit, ceiling);
    atomic_store(&lf__queue_budget.rings, 0);
    atomic_store(&lf__queue_budget.worker, 0);
    return segment;
}

/* A record of `size` bytes that carries `number` in all its words. */
static void fill_record(lf__record *record, size_t size, uint64_t number)
{
    uint64_t *words = (uint64_t *)(void *)record;
    for (size_t i = 0; i < size / 8; i++)
        words[i] = number;
    record->size = (uint32_t)size;
    record->kind = LF__RECORD_OBSERVATION;
}

static bool is_record(const lf__record *record, size_t size, uint64_t number)
{
    const uint64_t *words = (const uint64_t *)(const void *)record;
    bool same = record->size == size && record->kind == LF__RECORD_OBSERVATION;
    for (size_t i = 1 + (offsetof(lf__record, site) / 8); i < size / 8; i++)
        same = same && words[i] == number;
    return same;
}

/* As the core does it. False: no room. */
static bool write_record(lf__segment *segment, size_t size, uint64_t number)
{
    if (lf__ring_must_ask(segment, size) && !lf__ring_grant(segment, size))
        return false;
    fill_record(lf__ring_at(segment, segment->head), size, number);
    lf__ring_publish(segment, size);
    return true;
}

typedef struct expected {
    size_t size;
    uint64_t number;
} expected;

enum { MODEL_MAX = 1 << 20 };

/* The reference: what must come out, in order. */
static struct {
    expected items[MODEL_MAX];
    size_t written;
    size_t read;
    size_t bytes; /* of what is inside */
} model;

static void model_write(size_t size, uint64_t number)
{
    CHECK(model.written - model.read < MODEL_MAX);
    model.items[model.written++ % MODEL_MAX] = (expected){size, number};
    model.bytes += size;
}

/* Take no more than so many records this time. */
static lf__drain begin_drain(lf__segment *segment, size_t most)
{
    lf__drain drain = lf__ring_drain(segment);
    uint64_t at = drain.at;
    for (size_t count = 0; count < most && at < drain.published;) {
        const lf__record *record = lf__ring_at(segment, at);
        at += record->size;
        count += record->kind != LF__RECORD_PAD;
    }
    drain.published = at;
    return drain;
}

static size_t drain(lf__segment *segment, size_t allowed)
{
    lf__drain drain = begin_drain(segment, allowed);
    const lf__record *record;
    size_t count = 0;
    for (; (record = lf__ring_next(&drain)) != NULL; count++) {
        CHECK(model.read < model.written);
        expected next = model.items[model.read++ % MODEL_MAX];
        CHECK(is_record(record, next.size, next.number));
        model.bytes -= next.size;
    }
    return count;
}

static uint64_t random_state = 20260101; /* the seed: the same run every time */

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static size_t random_size(void)
{
    size_t most = next_random() % 50 == 0 ? 300000 : 600;
    return RECORD_MIN + (next_random() % most) / 8 * 8;
}

/* ---- The ring -------------------------------------------------------------------------------------------------------- */

TEST(what_is_written_comes_out_in_order)
{
    lf__segment *segment = new_segment(1 << 20);
    for (uint64_t i = 0; i < 1000; i++) {
        CHECK(write_record(segment, RECORD_MIN + i % 5 * 8, i));
        model_write(RECORD_MIN + i % 5 * 8, i);
    }
    CHECK_INT(drain(segment, SIZE_MAX), 1000);
    CHECK_INT(drain(segment, SIZE_MAX), 0);
    CHECK_INT(model.read, 1000);
    lf__segment_unmap(segment);
}

TEST(a_record_that_is_refused_stays)
{
    lf__segment *segment = new_segment(1 << 20);
    for (uint64_t i = 0; i < 10; i++) {
        CHECK(write_record(segment, 80, i));
        model_write(80, i);
    }
    CHECK_INT(drain(segment, 3), 3);
    CHECK_INT(atomic_load(&segment->consumed), 3 * 80);
    CHECK_INT(drain(segment, 0), 0);
    CHECK_INT(drain(segment, SIZE_MAX), 7);
    lf__segment_unmap(segment);
}

TEST(the_ring_wraps_around_without_tearing_a_record)
{
    lf__segment *segment = new_segment((size_t)1 << 30);
    uint64_t number = 0;
    const uint64_t laps = 3 * segment->ring_size;
    while (segment->head < laps) {
        const size_t size = RECORD_MIN + 8 * (number % 1000);
        if (!write_record(segment, size, number)) {
            CHECK(drain(segment, 700) != 0); /* never empty, so that it does not start over */
            continue;
        }
        model_write(size, number++);
        CHECK((uint8_t *)lf__ring_at(segment, segment->head - size) + size <= segment->ring + segment->ring_size);
    }
    CHECK_INT(segment->origin, 0);
    drain(segment, SIZE_MAX);
    CHECK_INT(model.read, model.written);
    CHECK_INT(model.bytes, 0);
    lf__segment_unmap(segment);
}

TEST(a_full_ring_refuses_until_something_is_taken)
{
    lf__segment *segment = new_segment((size_t)1 << 30);
    const size_t size = 4096;
    uint64_t count = 0;
    for (; write_record(segment, size, count); count++)
        model_write(size, count);
    CHECK_INT(count * size, segment->ring_size); /* it can be filled to the last byte */
    CHECK(!write_record(segment, RECORD_MIN, 0));
    CHECK_INT(drain(segment, 1), 1);
    CHECK(write_record(segment, size, count));
    model_write(size, count);
    CHECK(!write_record(segment, RECORD_MIN, 0));
    drain(segment, SIZE_MAX);
    CHECK_INT(model.read, count + 1);
    lf__segment_unmap(segment);
}

TEST(what_is_larger_than_half_the_ring_is_refused)
{
    lf__segment *segment = new_segment((size_t)1 << 30);
    CHECK(!write_record(segment, segment->ring_size / 2 + 8, 1));
    CHECK(write_record(segment, segment->ring_size / 2, 1));
    model_write(segment->ring_size / 2, 1);
    CHECK(write_record(segment, segment->ring_size / 2, 2));
    model_write(segment->ring_size / 2, 2);
    CHECK_INT(drain(segment, SIZE_MAX), 2);
    lf__segment_unmap(segment);
}

TEST(an_empty_ring_starts_over_at_its_beginning)
{
    lf__segment *segment = new_segment((size_t)1 << 30);
    for (uint64_t i = 0; i < 100000; i++) {
        CHECK(write_record(segment, 1000, i));
        model_write(1000, i);
        const size_t offset = (size_t)((uint8_t *)lf__ring_at(segment, segment->head - 1000) - segment->ring);
        CHECK(offset < 2 * LF__RING_GRANT);
        CHECK_INT(drain(segment, SIZE_MAX), 1);
    }
    lf__segment_unmap(segment);
}

/* ---- The ceiling ----------------------------------------------------------------------------------------------------- */

TEST(the_ceiling_refuses_and_takes_nothing_then)
{
    lf__segment *segment = new_segment(3 * LF__RING_GRANT);
    uint64_t count = 0;
    for (; write_record(segment, 1024, count); count++)
        model_write(1024, count);
    CHECK_INT(count, 3 * LF__RING_GRANT / 1024);
    CHECK_INT(atomic_load(&lf__queue_budget.rings), 3 * LF__RING_GRANT);
    CHECK_INT(drain(segment, 10), 10);
    CHECK_INT(atomic_load(&lf__queue_budget.rings), 3 * LF__RING_GRANT - 10 * 1024);
    CHECK(!write_record(segment, 1024, count)); /* a whole grant does not fit yet */
    CHECK_INT(atomic_load(&lf__queue_budget.rings), 3 * LF__RING_GRANT - 10 * 1024);
    CHECK_INT(drain(segment, 54), 54);
    CHECK(write_record(segment, 1024, count));
    model_write(1024, count);
    atomic_store(&lf__queue_budget.worker, 3 * LF__RING_GRANT); /* the worker's part counts too */
    lf__ring_return_grant(segment);
    CHECK(!write_record(segment, 1024, 0));
    drain(segment, SIZE_MAX);
    CHECK_INT(atomic_load(&lf__queue_budget.rings), 0);
    lf__segment_unmap(segment);
}

TEST(what_was_granted_and_not_used_is_returned)
{
    lf__segment *segment = new_segment(1 << 20);
    CHECK(write_record(segment, 512, 1));
    model_write(512, 1);
    CHECK_INT(atomic_load(&lf__queue_budget.rings), LF__RING_GRANT);
    lf__ring_return_grant(segment);
    CHECK_INT(atomic_load(&lf__queue_budget.rings), 512);
    lf__ring_return_grant(segment); /* twice is harmless */
    CHECK_INT(atomic_load(&lf__queue_budget.rings), 512);
    CHECK_INT(drain(segment, SIZE_MAX), 1);
    CHECK_INT(atomic_load(&lf__queue_budget.rings), 0);
    lf__segment_unmap(segment);
}

static void check_budget(const lf__segment *segment)
{
    CHECK_INT(atomic_load(&lf__queue_budget.rings), model.bytes + (segment->limit - segment->head));
    CHECK(atomic_load(&lf__queue_budget.rings) <= atomic_load(&lf__queue_budget.limit));
}

/* Any order of writing, taking and returning. */
static void play(size_t ceiling, int turns)
{
    memset(&model, 0, sizeof model);
    lf__segment *segment = new_segment(ceiling);
    uint64_t number = 0, refused = 0;
    for (int i = 0; i < turns; i++) {
        switch (next_random() % 16) {
        case 0: drain(segment, next_random() % 20); break;
        case 1:
            if (next_random() % 4096 == 0)
                drain(segment, SIZE_MAX);
            break;
        case 2:
            if (next_random() % 32 == 0)
                lf__ring_return_grant(segment);
            break;
        default: {
            const size_t size = random_size();
            if (write_record(segment, size, number))
                model_write(size, number++);
            else
                refused++;
        }
        }
        check_budget(segment);
    }
    drain(segment, SIZE_MAX);
    CHECK_INT(model.read, number);
    CHECK(number > (uint64_t)turns / 100);
    CHECK(refused > 0);
    lf__ring_return_grant(segment);
    CHECK_INT(atomic_load(&lf__queue_budget.rings), 0);
    lf__segment_unmap(segment);
}

TEST(random_operations_agree_with_the_model)
{
    play((size_t)1 << 30, 300000); /* the ring's own size is the limit */
    play(1 << 20, 300000);
    play(LF__RING_GRANT, 100000);
}

enum { CONCURRENT = 300000 };

static void *take_until_the_end(void *segment)
{
    for (size_t taken = 0; taken < (size_t)rounds(CONCURRENT);)
        taken += drain(segment, SIZE_MAX);
    return NULL;
}

/* Size and number follow from each other, so that both threads know what is expected. */
static size_t size_of_number(uint64_t number)
{
    return RECORD_MIN + number * 37 % 400 / 8 * 8;
}

TEST(one_thread_writes_while_another_takes)
{
    lf__segment *segment = new_segment(4 << 20);
    const uint64_t count = (uint64_t)rounds(CONCURRENT);
    for (uint64_t i = 0; i < count; i++)
        model_write(size_of_number(i), i);
    pthread_t taker;
    CHECK_INT(pthread_create(&taker, NULL, take_until_the_end, segment), 0);
    for (uint64_t i = 0; i < count;)
        if (write_record(segment, size_of_number(i), i))
            i++;
    CHECK_INT(pthread_join(taker, NULL), 0);
    CHECK_INT(model.read, count);
    CHECK_INT(model.bytes, 0);
    lf__segment_unmap(segment);
}

/* ---- Pages ----------------------------------------------------------------------------------------------------------- */

static size_t resident_pages(void *from, size_t bytes)
{
    static unsigned char in_core[(64 << 20) / PAGE];
    CHECK(bytes / PAGE <= sizeof in_core);
    CHECK(mincore(from, bytes, in_core) == 0);
    size_t count = 0;
    for (size_t i = 0; i < bytes / PAGE; i++)
        count += in_core[i] & 1;
    return count;
}

enum { KEPT = (1 << 20) + PAGE, BURST = 8 << 20 }; /* what stays for ever, and what stays until it is looked at twice */

static void write_bytes(lf__segment *segment, size_t bytes, uint64_t *number)
{
    for (size_t written = 0; written < bytes; written += 8192) {
        CHECK(write_record(segment, 8192, *number));
        model_write(8192, (*number)++);
    }
}

static size_t resident(const lf__segment *segment)
{
    return resident_pages(segment->ring, segment->ring_size) * PAGE;
}

TEST(memory_of_a_burst_goes_back_to_the_system)
{
    lf__segment *segment = new_segment((size_t)1 << 30);
    CHECK_INT(resident(segment), 0);
    uint64_t number = 0;
    write_bytes(segment, segment->ring_size, &number);
    CHECK_INT(resident(segment), segment->ring_size);
    drain(segment, SIZE_MAX);
    CHECK(resident(segment) <= BURST);
    CHECK(lf__ring_give_back_pages(segment));
    CHECK(!lf__ring_give_back_pages(segment));
    CHECK(resident(segment) <= KEPT);
    write_bytes(segment, 8192, &number); /* and it works on */
    CHECK_INT(drain(segment, SIZE_MAX), 1);
    CHECK(!lf__ring_give_back_pages(segment));
    lf__segment_unmap(segment);
}

TEST(memory_stays_while_bursts_go_on)
{
    lf__segment *segment = new_segment((size_t)1 << 30);
    uint64_t number = 0;
    for (int i = 0; i < 10; i++) {
        write_bytes(segment, 3 << 20, &number);
        CHECK(resident(segment) >= 3 << 20);
        drain(segment, SIZE_MAX);
        CHECK(lf__ring_give_back_pages(segment));
        CHECK(resident(segment) >= 3 << 20);
    }
    write_bytes(segment, 8192, &number); /* what needs none of it does not keep it */
    drain(segment, SIZE_MAX);
    CHECK(!lf__ring_give_back_pages(segment));
    CHECK(resident(segment) <= KEPT);
    lf__segment_unmap(segment);
}

TEST(what_waits_and_what_may_be_written_does_not_go_back)
{
    lf__segment *segment = new_segment((size_t)1 << 30);
    uint64_t number = 0;
    write_bytes(segment, 3 << 20, &number);
    drain(segment, 300);
    CHECK(lf__ring_give_back_pages(segment));
    CHECK(lf__ring_give_back_pages(segment)); /* records wait: not now */
    drain(segment, SIZE_MAX);
    CHECK(lf__ring_give_back_pages(segment));
    const uint64_t granted = atomic_exchange(&segment->granted, LF__RING_ASKING);
    CHECK(lf__ring_give_back_pages(segment)); /* its thread is asking for more */
    atomic_store(&segment->granted, granted);
    /* It is about to publish what it may write, and a filler behind it. */
    const size_t size = segment->limit - segment->head + sizeof(lf__record);
    uint8_t *unpublished = lf__ring_at(segment, segment->head);
    memset(unpublished, 1, size);
    CHECK(!lf__ring_give_back_pages(segment));
    for (size_t i = 0; i < size; i++)
        CHECK_INT(unpublished[i], 1);
    CHECK(resident(segment) <= KEPT + LF__RING_GRANT + 2 * PAGE);
    lf__segment_unmap(segment);
}

/* As on 32 bit, where nothing of the ring lies above the part that goes back. */
TEST(while_memory_of_a_small_ring_goes_back_what_is_larger_than_the_rest_is_refused)
{
    enum { SMALL_RING = 4 << 20, TOO_LARGE = 3 << 19 };
    lf__segment *segment = new_segment((size_t)1 << 30);
    segment->ring_size = SMALL_RING;
    atomic_store(&segment->returning, true);
    CHECK(!lf__ring_grant(segment, TOO_LARGE));
    CHECK(lf__ring_grant(segment, LF__RING_GRANT));
    atomic_store(&segment->returning, false);
    CHECK(lf__ring_grant(segment, TOO_LARGE));
    lf__segment_unmap(segment);
}

TEST(while_memory_goes_back_records_lie_elsewhere_and_none_is_lost)
{
    lf__segment *segment = new_segment((size_t)1 << 30);
    uint64_t number = 0;
    atomic_store(&segment->returning, true);
    for (int i = 0; i < 3; i++) { /* from the beginning, from where it went on, and around the end */
        for (size_t bytes = 0; bytes < 12 << 20;) {
            const size_t size = random_size();
            CHECK(write_record(segment, size, number));
            const size_t offset = (size_t)((uint8_t *)lf__ring_at(segment, segment->head - size) - segment->ring);
            CHECK(offset + size <= 1 << 20 || offset >= BURST);
            model_write(size, number++);
            bytes += size;
        }
        drain(segment, i < 2 ? model.written - model.read - 1 : SIZE_MAX); /* not empty, so that it does not start over */
    }
    CHECK_INT(model.read, number);
    const size_t large = 2 << 20; /* no place for it in what is kept */
    CHECK(write_record(segment, large, number));
    CHECK_INT(((uint8_t *)lf__ring_at(segment, segment->head - large) - segment->ring), BURST);
    model_write(large, number++);
    CHECK_INT(drain(segment, SIZE_MAX), 1);
    atomic_store(&segment->returning, false);
    lf__segment_unmap(segment);
}

TEST(a_small_ring_gives_nothing_back)
{
    lf__segment *segment = new_segment((size_t)1 << 30);
    segment->ring_size = LF__RING_BYTES_SMALL;
    memset(segment->ring + segment->ring_size, 1, LF__RING_BYTES_SMALL); /* there is something else */
    for (uint64_t i = 0; i < 3000; i++) {
        const size_t size = 8192;
        if (i >= 64)
            CHECK_INT(drain(segment, 1), 1);
        CHECK(write_record(segment, size, i));
        model_write(size, i);
        CHECK(!lf__ring_give_back_pages(segment));
    }
    for (size_t i = 0; i < LF__RING_BYTES_SMALL; i++)
        CHECK_INT(segment->ring[segment->ring_size + i], 1);
    lf__segment_unmap(segment);
}

static _Atomic bool stop_giving_back;

static void *take_and_give_back(void *arg)
{
    lf__segment *segment = arg;
    while (!atomic_load_explicit(&stop_giving_back, memory_order_acquire) ||
           atomic_load(&segment->published) != atomic_load(&segment->consumed)) {
        drain(segment, SIZE_MAX);
        segment->looks_left = 1; /* as often as can be */
        lf__ring_give_back_pages(segment);
    }
    return NULL;
}

TEST(one_thread_writes_while_another_gives_back)
{
    lf__segment *segment = new_segment((size_t)1 << 30);
    const uint64_t count = (uint64_t)rounds(CONCURRENT);
    for (uint64_t i = 0; i < count; i++)
        model_write(10 * size_of_number(i), i);
    pthread_t other;
    CHECK_INT(pthread_create(&other, NULL, take_and_give_back, segment), 0);
    for (uint64_t i = 0; i < count;) {
        if (write_record(segment, 10 * size_of_number(i), i))
            i++;
        if (i % 1024 == 0) /* mostly full of bursts, and empty now and then */
            while (atomic_load(&segment->consumed) != segment->head)
                sched_yield();
    }
    atomic_store_explicit(&stop_giving_back, true, memory_order_release);
    CHECK_INT(pthread_join(other, NULL), 0);
    CHECK_INT(model.read, count);
    lf__segment_unmap(segment);
}

TEST(a_resting_segment_holds_no_memory_and_can_be_used_again)
{
    lf__segment *segment = new_segment((size_t)1 << 30);
    CHECK(write_record(segment, 8192, 1));
    model_write(8192, 1);
    memset((uint8_t *)segment + segment->stack_begin, 1, 100 * PAGE);
    drain(segment, SIZE_MAX);
    lf__ring_return_grant(segment);
    lf__segment_drop_memory(segment);
    CHECK_INT(resident_pages((uint8_t *)segment + segment->stack_begin, segment->mapped - segment->stack_begin), 0);
    lf__segment_adopt(segment);
    CHECK_INT(segment->frame, 0);
    CHECK_INT(segment->top, segment->stack_begin);
    for (uint64_t i = 0; i < 100; i++) {
        CHECK(write_record(segment, 8192, i));
        model_write(8192, i);
    }
    CHECK_INT(drain(segment, SIZE_MAX), 100);
    lf__segment_unmap(segment);
}

/* ---- Lost traces ----------------------------------------------------------------------------------------------------- */

static size_t addresses_kib(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%zu", &pages) == 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

TEST(a_hollow_segment_has_no_addresses_and_can_be_filled_again)
{
    lf__segment *segment = lf__segment_new();
    CHECK(segment != NULL);
    size_t before = addresses_kib(), size = segment->mapped / 1024;
    lf__segment_adopt(segment);
    segment->ring[5] = 'x';
    lf__segment_drop_memory(segment);
    lf__segment_drop_addresses(segment);
    CHECK(before - addresses_kib() >= size - 64);
    CHECK(lf__segment_take_addresses(segment));
    CHECK(before == addresses_kib());
    CHECK_INT(segment->ring[5], 0);
    lf__segment_drop_addresses(segment);
    /* The program maps something of its own there: it is left alone. */
    char *host = mmap((char *)segment + segment->stack_begin + 65536, 65536, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(host != MAP_FAILED);
    host[0] = 'h';
    CHECK(!lf__segment_take_addresses(segment));
    CHECK_INT(host[0], 'h');
    lf__segment_unmap(segment);
    CHECK_INT(host[0], 'h');
}

TEST(segments_take_a_part_of_what_a_limit_of_addresses_allows)
{
    if (HARNESS_ASAN || HARNESS_TSAN || under_valgrind()) {
        harness_skip("segments_take_a_part_of_what_a_limit_of_addresses_allows", "the checker needs the addresses");
        return;
    }
    const size_t limit_kib = 1 << 20;
    struct rlimit limit = {(rlim_t)limit_kib << 10, (rlim_t)limit_kib << 10};
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
    size_t before = addresses_kib();
    lf__segment *first = lf__segment_new();
    CHECK(first != NULL);
    CHECK(first->mapped / 1024 <= limit_kib / 16);
    while (lf__segment_new() != NULL)
        continue;
    size_t taken = addresses_kib() - before;
    CHECK(taken > limit_kib / 8 && taken <= limit_kib / 4);
    void *host = malloc((size_t)500 << 20);
    CHECK(host != NULL);
    free(host);
}

TEST(lost_traces_are_told_once_and_in_order)
{
    lf__segment *segment = new_segment(1 << 20);
    uint8_t id[16] = {0}, told[16];
    CHECK(!lf__ring_lost_trace(segment, told));
    for (int round = 0; round < 3; round++) {
        for (uint8_t i = 0; i < LF__LOST_TRACES + 5; i++) {
            id[0] = i;
            id[15] = (uint8_t)round;
            lf__ring_lose_trace(segment, id);
            lf__ring_lose_trace(segment, id); /* its next record */
        }
        for (uint8_t i = 0; i < LF__LOST_TRACES; i++) {
            CHECK(lf__ring_lost_trace(segment, told));
            CHECK_INT(told[0], i);
            CHECK_INT(told[15], round);
        }
        CHECK(!lf__ring_lost_trace(segment, told)); /* those beyond were not remembered */
    }
    lf__segment_unmap(segment);
}

/* ---- Frames ---------------------------------------------------------------------------------------------------------- */

/* Put a frame with `size` bytes of fields, all `fill`, on the stack. */
static lf__frame *push_frame(lf__segment *segment, size_t size, uint8_t fill)
{
    uint32_t offset = lf__frame_above(segment->top);
    lf__frame *frame = lf__frame_at(segment, offset);
    memset(frame, 0, sizeof *frame);
    frame->below = segment->frame;
    frame->pop_to = segment->top;
    frame->record.size = (uint32_t)(sizeof frame->record + size);
    frame->record.kind = LF__RECORD_OBSERVATION;
    memset(frame->record.id, fill, sizeof frame->record.id);
    memset(frame + 1, fill, size);
    segment->frame = offset;
    segment->top = (uint32_t)(offset + sizeof *frame + size);
    return frame;
}

static void add_block(lf__segment *segment, lf__frame *frame, size_t size, uint8_t fill)
{
    lf__block *block = (lf__block *)(void *)((uint8_t *)segment + segment->top);
    block->next = 0;
    block->size = (uint32_t)size;
    memset(block + 1, fill, size);
    if (frame->extra == 0)
        frame->extra = segment->top;
    else
        ((lf__block *)(void *)((uint8_t *)segment + frame->extra_last))->next = segment->top;
    frame->extra_last = segment->top;
    frame->extra_size += (uint32_t)size;
    segment->top += (uint32_t)(sizeof *block + size);
}

TEST(a_record_begins_a_cache_line_and_wastes_less_than_one)
{
    for (uint32_t top = 4096; top < 4096 + 200; top += 8) {
        uint32_t offset = lf__frame_above(top);
        CHECK(offset >= top && offset - top < 64);
        CHECK_INT((offset + offsetof(lf__frame, record)) % 64, 0);
    }
}

TEST(the_parts_of_a_record_are_put_together)
{
    lf__segment *segment = new_segment(1 << 20);
    for (size_t direct = 0; direct <= 2000; direct += 8) {
        segment->frame = 0;
        segment->top = segment->stack_begin;
        lf__frame *frame = push_frame(segment, direct, 1);
        push_frame(segment, 64, 9); /* above it, so that the rest lies apart */
        if (direct % 16 == 0) {
            add_block(segment, frame, 24, 2);
            add_block(segment, frame, 8, 3);
        }
        const size_t extra = direct % 16 == 0 ? 32 : 0, size = lf__frame_record_size(frame);
        CHECK_INT(size, sizeof(lf__record) + direct + extra);
        static uint64_t out[512];
        uint8_t *bytes = (uint8_t *)out;
        memset(out, 0xee, sizeof out);
        lf__frame_copy_record(out, (const uint8_t *)segment, frame);
        CHECK_INT(((lf__record *)(void *)out)->size, size);
        CHECK_INT(((lf__record *)(void *)out)->id[0], 1);
        for (size_t i = sizeof(lf__record); i < sizeof(lf__record) + direct; i++)
            CHECK_INT(bytes[i], 1);
        for (size_t i = 0; i < extra; i++)
            CHECK_INT(bytes[sizeof(lf__record) + direct + i], i < 24 ? 2 : 3);
        CHECK_INT(bytes[size], 0xee); /* and not a byte more */
    }
    lf__segment_unmap(segment);
}

TEST(a_snapshot_reads_like_the_segment)
{
    lf__segment *segment = new_segment(1 << 20);
    uint32_t offset = 4711;
    CHECK(lf__segment_snapshot(segment, &offset) == NULL); /* nothing is open */
    lf__frame *outer = push_frame(segment, 64, 1);
    push_frame(segment, 128, 2);
    add_block(segment, outer, 16, 3);
    uint8_t *copy = lf__segment_snapshot(segment, &offset);
    CHECK(copy != NULL);
    CHECK_INT(offset, segment->frame);
    const lf__frame *frame = lf__frame_at(copy, offset);
    CHECK_INT(frame->record.id[0], 2);
    CHECK_INT(lf__frame_record_size(frame), sizeof(lf__record) + 128);
    frame = lf__frame_at(copy, frame->below);
    CHECK_INT(frame->record.id[0], 1);
    CHECK_INT(frame->below, 0);
    uint64_t record[256];
    lf__frame_copy_record(record, copy, frame);
    CHECK_INT(((uint8_t *)record)[sizeof(lf__record) + 64 + 15], 3);
    lf__free(copy);

    atomic_store(&segment->version, 1); /* in the middle of a change, for ever */
    CHECK(lf__segment_snapshot(segment, &offset) == NULL);
    atomic_store(&segment->version, 2);
    lf__alloc_fail_from(1);
    CHECK(lf__segment_snapshot(segment, &offset) == NULL);
    lf__alloc_fail_from(0);
    lf__segment_unmap(segment);
}

static _Atomic bool stop_changing;

static void *change_the_stack(void *arg)
{
    lf__segment *segment = arg;
    for (uint32_t i = 0; !atomic_load_explicit(&stop_changing, memory_order_relaxed); i++) {
        uint32_t version = atomic_load_explicit(&segment->version, memory_order_relaxed);
        atomic_store_explicit(&segment->version, version + 1, memory_order_relaxed);
        LF__FENCE(memory_order_release);
        if (i % 2 == 0) {
            push_frame(segment, 256, (uint8_t)(i % 250));
        } else {
            segment->top = segment->frame;
            segment->frame = lf__frame_at(segment, segment->frame)->below;
        }
        atomic_store_explicit(&segment->version, version + 2, memory_order_release);
        if (i % 16 == 0)
            sched_yield(); /* valgrind runs one thread at a time, and would mostly stop this one in the middle of a change */
    }
    return NULL;
}

TEST(a_snapshot_of_a_running_thread_is_whole_or_nothing)
{
    if (HARNESS_TSAN) {
        harness_skip("a_snapshot_of_a_running_thread_is_whole_or_nothing",
                     "the race is meant; the test's writer is no function of ours");
        return;
    }
    lf__segment *segment = new_segment(1 << 20);
    push_frame(segment, 64, 251);
    pthread_t thread;
    CHECK_INT(pthread_create(&thread, NULL, change_the_stack, segment), 0);
    int whole = 0;
    const uint64_t until = now_ms() + HARNESS_WAIT_MS;
    for (int i = 0; whole < 1000 && now_ms() < until; i++) {
        uint32_t offset;
        uint8_t *copy = lf__segment_snapshot(segment, &offset);
        if (copy == NULL)
            continue;
        const lf__frame *frame = lf__frame_at(copy, offset);
        if (frame->below != 0) {
            const uint8_t *bytes = (const uint8_t *)(frame + 1);
            for (int k = 0; k < 256; k++)
                CHECK_INT(bytes[k], frame->record.id[0]);
            frame = lf__frame_at(copy, frame->below);
        }
        CHECK_INT(frame->record.id[0], 251);
        whole++;
        lf__free(copy);
    }
    atomic_store(&stop_changing, true);
    pthread_join(thread, NULL);
    CHECK_INT(whole, 1000);
    lf__segment_unmap(segment);
}

/* ---- Adopting -------------------------------------------------------------------------------------------------------- */

TEST(each_adoption_draws_other_numbers)
{
    enum { SEGMENTS = 4, DRAWS = 20000 };
    static uint64_t seen[SEGMENTS * DRAWS];
    size_t count = 0;
    lf__segment *segment = new_segment(1 << 20);
    for (int i = 0; i < SEGMENTS; i++) {
        lf__segment_adopt(segment);
        for (int k = 0; k < DRAWS; k++)
            seen[count++] = lf__segment_random(segment);
    }
    for (int bit = 0; bit < 64; bit++) { /* every bit is used: about half the draws have it */
        size_t set = 0;
        for (size_t i = 0; i < count; i++)
            set += seen[i] >> bit & 1;
        CHECK(set > count * 45 / 100 && set < count * 55 / 100);
    }
    for (size_t gap = count / 2; gap > 0; gap /= 2) /* sorted, equal ones are neighbours */
        for (size_t i = gap; i < count; i++)
            for (size_t k = i; k >= gap && seen[k - gap] > seen[k]; k -= gap) {
                uint64_t swapped = seen[k];
                seen[k] = seen[k - gap];
                seen[k - gap] = swapped;
            }
    for (size_t i = 1; i < count; i++)
        CHECK(seen[i] != seen[i - 1]);
    lf__segment_unmap(segment);
}

TEST(numbers_are_the_same_without_a_wide_integer)
{
#ifdef __SIZEOF_INT128__
    static const uint64_t edges[] = {0, 1, UINT32_MAX, (uint64_t)UINT32_MAX + 1, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        for (size_t k = 0; k < sizeof edges / sizeof *edges; k++)
            CHECK(lf__multiply_fold_by_halves(edges[i], edges[k]) == lf__multiply_fold(edges[i], edges[k]));
    lf__segment *segment = new_segment(1 << 20);
    for (int i = 0; i < 100000; i++) {
        uint64_t a = lf__segment_random(segment), b = lf__segment_random(segment);
        CHECK(lf__multiply_fold_by_halves(a, b) == lf__multiply_fold(a, b));
    }
    lf__segment_unmap(segment);
#endif
}

TEST(it_knows_the_machine_stack_of_its_thread)
{
    lf__segment *segment = new_segment(1 << 20);
    lf__segment_find_machine_stack(segment);
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    CHECK(here - segment->machine_stack_low < segment->machine_stack_size);
    lf__segment_unmap(segment);
}

static void *ask_for_the_main_stack(void *found)
{
    uintptr_t low, room;
    *(bool *)found = lf__segment_main_stack(&low, &room);
    return NULL;
}

TEST(the_main_stack_is_found_without_the_c_library)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), low = 0, room = 0;
    CHECK(lf__segment_main_stack(&low, &room));
    CHECK(low < here && here - low < room);
    pthread_attr_t attributes;
    void *start;
    size_t size;
    CHECK(pthread_getattr_np(pthread_self(), &attributes) == 0);
    CHECK(pthread_attr_getstack(&attributes, &start, &size) == 0);
    pthread_attr_destroy(&attributes);
    uintptr_t end = (uintptr_t)start + size;
    CHECK(low + room + 4096 > end); /* arguments and environment lie between */
    pthread_t thread;
    bool found = true;
    CHECK(pthread_create(&thread, NULL, ask_for_the_main_stack, &found) == 0);
    pthread_join(thread, NULL);
    CHECK(!found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_out_in_order),
        cmocka_unit_test(a_record_that_is_refused_stays),
        cmocka_unit_test(the_ring_wraps_around_without_tearing_a_record),
        cmocka_unit_test(a_full_ring_refuses_until_something_is_taken),
        cmocka_unit_test(what_is_larger_than_half_the_ring_is_refused),
        cmocka_unit_test(an_empty_ring_starts_over_at_its_beginning),
        cmocka_unit_test(the_ceiling_refuses_and_takes_nothing_then),
        cmocka_unit_test(what_was_granted_and_not_used_is_returned),
        cmocka_unit_test(random_operations_agree_with_the_model),
        cmocka_unit_test(one_thread_writes_while_another_takes),
        cmocka_unit_test(memory_of_a_burst_goes_back_to_the_system),
        cmocka_unit_test(memory_stays_while_bursts_go_on),
        cmocka_unit_test(what_waits_and_what_may_be_written_does_not_go_back),
        cmocka_unit_test(while_memory_of_a_small_ring_goes_back_what_is_larger_than_the_rest_is_refused),
        cmocka_unit_test(while_memory_goes_back_records_lie_elsewhere_and_none_is_lost),
        cmocka_unit_test(a_small_ring_gives_nothing_back),
        cmocka_unit_test(one_thread_writes_while_another_gives_back),
        cmocka_unit_test(a_resting_segment_holds_no_memory_and_can_be_used_again),
        cmocka_unit_test(a_hollow_segment_has_no_addresses_and_can_be_filled_again),
        cmocka_unit_test(segments_take_a_part_of_what_a_limit_of_addresses_allows),
        cmocka_unit_test(lost_traces_are_told_once_and_in_order),
        cmocka_unit_test(a_record_begins_a_cache_line_and_wastes_less_than_one),
        cmocka_unit_test(the_parts_of_a_record_are_put_together),
        cmocka_unit_test(a_snapshot_reads_like_the_segment),
        cmocka_unit_test(a_snapshot_of_a_running_thread_is_whole_or_nothing),
        cmocka_unit_test(each_adoption_draws_other_numbers),
        cmocka_unit_test(numbers_are_the_same_without_a_wide_integer),
        cmocka_unit_test(it_knows_the_machine_stack_of_its_thread),
        cmocka_unit_test(the_main_stack_is_found_without_the_c_library),
    };
    return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
