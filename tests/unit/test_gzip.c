/* Compressed requests, in a library that can make them: gzip.c of this file takes the place of the library's. */
#define _GNU_SOURCE
#define LF_GZIP 1
#include "../../src/base/gzip.c"

#define RIG_MAY_COMPRESS true
#include "export_rig.h"

/* What the bytes are, for free(). */
static char *unpacked(const char *bytes, size_t size, size_t *out_size)
{
    enum { ROOM = 8 << 20 };
    char *text = malloc(ROOM);
    z_stream stream = {.next_in = (const Bytef *)bytes, .avail_in = (uInt)size, .next_out = (Bytef *)text, .avail_out = ROOM};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    *out_size = ROOM - stream.avail_out;
    assert_int_equal(inflateEnd(&stream), Z_OK);
    return text;
}

static unsigned observations_packed_in(const fake_request *request)
{
    fake_request plain = *request;
    plain.body = unpacked(request->body, request->body_size, &plain.body_size);
    unsigned count = observations_in(&plain, NULL);
    free(plain.body);
    return count;
}

static void texts_are_packed_as_one(void **state)
{
    (void)state;
    static char large[3000000];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * i / 7 + i % 251);
    const lf__text texts[] = {LF__TEXT("head "), {large, sizeof large}, {"", 0}, LF__TEXT(" tail")};
    lf__buf out;
    lf__buf_init(&out, 8 << 20);
    lf__buf_add_text(&out, "before");
    assert_true(lf__gzip(&out, texts, 4));
    size_t size;
    char *text = unpacked(out.data + 6, out.length - 6, &size);
    assert_int_equal(size, sizeof large + 10);
    assert_memory_equal(text, "head ", 5);
    assert_memory_equal(text + 5, large, sizeof large);
    assert_memory_equal(text + size - 5, " tail", 5);
    free(text);
    lf__buf_done(&out);
    lf__buf_init(&out, 1000); /* no room */
    lf__buf_add_text(&out, "before");
    assert_false(lf__gzip(&out, texts, 4));
    assert_int_equal(out.length, 6);
    assert_false(out.failed);
    lf__buf_done(&out);
}

static void requests_are_compressed_where_observations_go(void **state)
{
    (void)state;
    static const char *const protocols[] = {"http/json", "http/protobuf"};
    for (int i = 0; i < 2; i++) {
        start_over();
        START(.protocol = protocols[i]);
        send_many(100);
        settle();
        const fake_request *request = &rig.server->requests[0];
        assert_true(fake_header_is(request, "Content-Encoding", "gzip"));
        assert_true(request->body_size < 100 * 50);
        assert_int_equal(observations_packed_in(request), 100);
        assert_int_equal(delivered(), 100);
    }
}

static void batches_of_events_and_scores_are_not(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        start_over();
        rig.verdict = i < 2 ? all_good : NULL;
        rig.server->health.body = i == 2 ? "{\"version\":\"4.59.0\"}" : NULL;
        rig.kind = i == 0 ? LF__EXPORT_OBSERVATIONS : LF__EXPORT_SCORES;
        START(.exporter = i == 0 ? "ingestion" : "otlp");
        add_roots(3);
        lf__export_send(rig.x);
        settle();
        assert_null(fake_header(&rig.server->requests[0], "Content-Encoding"));
        assert_true(rig.server->requests[0].body[0] == "{{["[i]);
        assert_int_equal(delivered(), 3);
    }
}

static void variables_switch_it(void **state)
{
    (void)state;
    static const struct {
        const char *ours, *traces, *any;
        bool gzip;
        int lines;
    } cases[] = {
        {NULL, NULL, NULL, true, 0},      {"none", "gzip", "gzip", false, 0},  {"gzip", "none", "none", true, 0},
        {"GZIP", NULL, NULL, true, 0},    {"None", NULL, NULL, false, 0},      {NULL, "none", "gzip", false, 0},
        {NULL, NULL, "none", false, 0},   {"deflate", NULL, NULL, true, 1},    {"deflate", "none", NULL, false, 1},
        {NULL, "deflate", NULL, true, 0}, {NULL, "deflate", "none", false, 0}, {"", "", "none", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start_over();
        setenv("LANGFUSE_OTEL_COMPRESSION", cases[i].ours == NULL ? "" : cases[i].ours, 1);
        setenv("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", cases[i].traces == NULL ? "" : cases[i].traces, 1);
        setenv("OTEL_EXPORTER_OTLP_COMPRESSION", cases[i].any == NULL ? "" : cases[i].any, 1);
        START(.timeout_ms = 0);
        if (rig.config->gzip != cases[i].gzip)
            fail_msg("case %zu", i);
        assert_int_equal(lines_with(""), cases[i].lines);
        assert_int_equal(lines_with("LANGFUSE_OTEL_COMPRESSION=deflate is neither gzip nor none"), cases[i].lines);
    }
}

static void a_retry_sends_the_same_bytes(void **state)
{
    (void)state;
    rig.first = 1;
    rig.first_reply = (fake_reply){.status = 503};
    START(.timeout_ms = 0);
    send_many(50);
    settle();
    const fake_request *first = &rig.server->requests[0], *second = &rig.server->requests[1];
    assert_int_equal(delivered(), 50);
    assert_int_equal(first->body_size, second->body_size);
    assert_memory_equal(first->body, second->body, first->body_size);
}

static fake_reply does_not_know_gzip(const fake_request *request)
{
    return (fake_reply){.status = fake_header(request, "Content-Encoding") == NULL ? 200 : *(const int *)rig.server->data};
}

static void a_receiver_that_does_not_know_it_gets_plain_requests(void **state)
{
    (void)state;
    static int statuses[] = {400, 415, 422};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        start_over();
        rig.script = does_not_know_gzip;
        rig.server->data = &statuses[i];
        START(.timeout_ms = 0);
        send_many(10);
        send_many(10);
        settle();
        send_many(10);
        settle();
        assert_int_equal(delivered(), 30);
        assert_null(fake_header(&rig.server->requests[fake_count(rig.server, &rig.server->request_count) - 1], "Content-Encoding"));
        assert_true(fake_count(rig.server, &rig.server->request_count) <= 5);
        assert_int_equal(lines_with("refused"), 0);
    }
}

/* A bad observation is searched for as ever, once the server has taken compressed requests. */
static fake_reply refuses_poison(const fake_request *request)
{
    size_t size;
    char *text = unpacked(request->body, request->body_size, &size);
    bool is_bad = memmem(text, size, "obs-13.", 7) != NULL;
    free(text);
    return (fake_reply){.status = is_bad ? 400 : 200};
}

static void a_bad_observation_is_found_in_compressed_requests(void **state)
{
    (void)state;
    rig.script = refuses_poison;
    START(.timeout_ms = 0);
    send_many(10);
    settle();
    send_many(10);
    settle();
    assert_int_equal(delivered(), 19);
    assert_int_equal(dropped(LF_DROP_REFUSED), 1);
    for (int i = 0; i < fake_count(rig.server, &rig.server->request_count); i++)
        assert_true(fake_header_is(&rig.server->requests[i], "Content-Encoding", "gzip"));
}

static void without_memory_nothing_is_lost_unseen(void **state)
{
    (void)state;
    for (unsigned long n = 1; n < 40; n++) {
        start_over();
        START(.timeout_ms = 0);
        add_many(10, 0);
        lf__alloc_fail_from(n);
        lf__export_send(rig.x);
        for (int i = 0; i < 10; i++)
            work(2);
        lf__alloc_fail_from(0);
        settle();
        assert_int_equal(delivered() + dropped(LF_DROP_NO_MEMORY), 10);
    }
    lf__buf out;
    lf__buf_init(&out, 1 << 20);
    lf__alloc_fail_from(1);
    assert_false(lf__gzip(&out, (const lf__text[]){LF__TEXT("text")}, 1)); /* then the request is sent as it is */
    lf__alloc_fail_from(0);
    assert_int_equal(out.length, 0);
    lf__buf_done(&out);
}

static void the_file_stays_readable(void **state)
{
    (void)state;
    char folder[] = "/tmp/langfuse-gzip-XXXXXX", exporter[120], path[80];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/lines", folder);
    snprintf(exporter, sizeof exporter, "file:%s", path);
    START(.exporter = exporter);
    send_many(3);
    settle();
    assert_int_equal(delivered(), 3);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fgetc(file), '{');
    fclose(file);
    (void)remove(path);
    (void)remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(texts_are_packed_as_one),
        CASE(requests_are_compressed_where_observations_go),
        CASE(batches_of_events_and_scores_are_not),
        CASE(variables_switch_it),
        CASE(a_retry_sends_the_same_bytes),
        CASE(a_receiver_that_does_not_know_it_gets_plain_requests),
        CASE(a_bad_observation_is_found_in_compressed_requests),
        CASE(without_memory_nothing_is_lost_unseen),
        CASE(the_file_stays_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
