/* Any bytes as headers: the readers stay inside, and what the writers make is read back as it was. The first byte chooses
 * the entry point, see the table at the end.
 */
#include "../../src/base/json.h"
#include "../../src/observe/trace_context.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const lf__buf *buf, const char *bytes, size_t size)
{
    return buf->length == size && (size == 0 || memcmp(buf->data, bytes, size) == 0);
}

static bool inside(const char *part, size_t part_size, const char *text, size_t size)
{
    return part >= text && part_size <= size && (size_t)(part - text) <= size - part_size;
}

/* ---- traceparent, tracestate ------------------------------------------------------------------------------------ */

static void check_traceparent(const char *text, size_t size)
{
    lf__traceparent read, again;
    char first[LF__TRACEPARENT_SIZE], second[LF__TRACEPARENT_SIZE];
    memset(&read, 0xAA, sizeof read);
    again = read;
    if (!lf__traceparent_parse(text, size, &read)) {
        CHECK(memcmp(&read, &again, sizeof read) == 0);
        return;
    }
    lf__traceparent_format(&read, first);
    CHECK(strlen(first) == LF__TRACEPARENT_SIZE - 1 && first[0] == '0' && first[1] == '0');
    CHECK(lf__traceparent_parse(first, strlen(first), &again));
    CHECK(memcmp(&read, &again, sizeof read) == 0);
    lf__traceparent_format(&again, second);
    CHECK(strcmp(first, second) == 0);
    /* The ids stand in the header as they are written. */
    while (*text == ' ' || *text == '\t')
        text++;
    CHECK(memcmp(text + 2, first + 2, 51) == 0);
}

static void check_tracestate(const char *text, size_t size)
{
    if (!lf__tracestate_valid(text, size))
        return;
    CHECK(size <= LF__TRACESTATE_MAX);
    size_t commas = 0;
    for (size_t i = 0; i < size; i++) {
        CHECK(text[i] == '\t' || (text[i] >= ' ' && text[i] <= '~'));
        commas += text[i] == ',';
    }
    CHECK(commas < LF__TRACESTATE_MEMBERS && memchr(text, '=', size) != NULL);
    /* An empty member in front counts, but is no fault by itself. */
    char longer[1 + LF__TRACESTATE_MAX];
    longer[0] = ',';
    memcpy(longer + 1, text, size);
    CHECK(lf__tracestate_valid(longer, size + 1) == (size < LF__TRACESTATE_MAX && commas + 1 < LF__TRACESTATE_MEMBERS));
}

/* ---- baggage ---------------------------------------------------------------------------------------------------- */

/* The decoder in the simplest way: all bytes first, then the repair. */
static void check_decode(const char *value, size_t size)
{
    lf__buf got, bytes, want;
    lf__buf_init(&got, SIZE_MAX / 2);
    lf__buf_init(&bytes, SIZE_MAX / 2);
    lf__buf_init(&want, SIZE_MAX / 2);
    for (size_t i = 0; i < size; i++) {
        char c = value[i] == '+' ? ' ' : value[i];
        if (c == '%' && size - i > 2) {
            char digits[3] = {value[i + 1], value[i + 2], '\0'};
            if (strspn(digits, "0123456789abcdefABCDEF") == 2) {
                c = (char)strtol(digits, NULL, 16);
                i += 2;
            }
        }
        CHECK(lf__buf_add_char(&bytes, c));
    }
    CHECK(lf__utf8_add(&want, bytes.data, bytes.length));
    CHECK(lf__buf_add_text(&got, "kept") && lf__baggage_decode(&got, value, size));
    CHECK(memcmp(got.data, "kept", 4) == 0 && got.length == want.length + 4);
    CHECK(want.length == 0 || memcmp(got.data + 4, want.data, want.length) == 0);
    lf__buf_done(&got);
    lf__buf_done(&bytes);
    lf__buf_done(&want);
}

static void check_baggage(const char *text, size_t size)
{
    lf__baggage_member member;
    size_t members = 0, before = 0;
    for (size_t at = 0; lf__baggage_next(text, size, &at, &member); members++) {
        CHECK(at > before && at <= size + 1);
        before = at;
        CHECK(inside(member.key, member.key_size, text, size) && inside(member.value, member.value_size, text, size));
        CHECK(member.key_size > 0 && member.key + member.key_size < member.value);
        /* Read alone, it is the same member. */
        lf__baggage_member alone;
        size_t alone_at = 0;
        CHECK(lf__baggage_next(member.key, (size_t)(member.value + member.value_size - member.key), &alone_at, &alone));
        CHECK(memcmp(&alone, &member, sizeof alone) == 0);
        check_decode(member.value, member.value_size);
    }
    CHECK(members <= LF__BAGGAGE_MEMBERS && (size <= LF__BAGGAGE_MAX || members == 0));
    check_decode(text, size);
}

/* Bytes for a value to be written, all of them for one header: it reads back, repaired. */
static void check_encode(const char *value, size_t size)
{
    lf__buf header, got, want;
    lf__buf_init(&header, SIZE_MAX / 2);
    lf__buf_init(&got, SIZE_MAX / 2);
    lf__buf_init(&want, SIZE_MAX / 2);
    bool added = lf__baggage_add(&header, "key", value, size);
    CHECK(added || (size > LF__BAGGAGE_MAX / 3 - 4 && header.length == 0));
    if (added) {
        lf__baggage_member member;
        size_t at = 0;
        CHECK(header.length <= LF__BAGGAGE_MAX && lf__baggage_next(header.data, header.length, &at, &member));
        CHECK(lf__baggage_decode(&got, member.value, member.value_size));
        CHECK(lf__utf8_add(&want, value, size) && same(&got, want.data, want.length));
        if (lf__utf8_valid_prefix(value, size) == size)
            CHECK(same(&got, value, size));
        CHECK(!lf__baggage_next(header.data, header.length, &at, &member));
    }
    lf__buf_done(&header);
    lf__buf_done(&got);
    lf__buf_done(&want);
}

/* Add to a header that came from elsewhere: "header NUL key NUL value". The new member is the last one and the only one of
 * its key; the good ones of other keys are as before. */
static void check_add(const char *text, size_t size)
{
    const char *header_end = memchr(text, '\0', size);
    if (header_end == NULL)
        return;
    const char *key = header_end + 1;
    size_t header_size = (size_t)(header_end - text), rest = size - header_size - 1;
    const char *key_end = memchr(key, '\0', rest);
    if (key_end == NULL)
        return;
    size_t key_size = (size_t)(key_end - key), value_size = rest - key_size - 1, at = 0, old_at = 0;
    lf__buf header, value;
    lf__buf_init(&header, SIZE_MAX / 2);
    lf__buf_init(&value, SIZE_MAX / 2);
    CHECK(lf__buf_add(&header, text, header_size));
    lf__baggage_member member, old;
    if (!lf__baggage_add(&header, key, key_end + 1, value_size)) {
        CHECK(same(&header, text, header_size));
    } else {
        CHECK(header.length <= LF__BAGGAGE_MAX && header.data[header.length - 1] != ',');
        size_t commas = 0, found = 0, count = 0;
        for (size_t i = 0; i < header_size; i++)
            commas += text[i] == ',';
        /* Beyond the limits not all members could be read before. */
        bool comparable = header_size <= LF__BAGGAGE_MAX && commas < LF__BAGGAGE_MEMBERS;
        for (; lf__baggage_next(header.data, header.length, &at, &member); count++)
            found += member.key_size == key_size && memcmp(member.key, key, key_size) == 0;
        CHECK(found == 1 && count <= LF__BAGGAGE_MEMBERS);
        CHECK(member.key_size == key_size && memcmp(member.key, key, key_size) == 0);
        CHECK(lf__baggage_decode(&value, member.value, member.value_size));
        CHECK(value.length == lf__utf8_size(key_end + 1, value_size));
        at = 0;
        while (comparable && lf__baggage_next(text, header_size, &old_at, &old)) {
            if (old.key_size == key_size && memcmp(old.key, key, key_size) == 0)
                continue;
            CHECK(lf__baggage_next(header.data, header.length, &at, &member));
            CHECK(old.key_size == member.key_size && memcmp(old.key, member.key, old.key_size) == 0);
            CHECK(old.value_size == member.value_size && memcmp(old.value, member.value, old.value_size) == 0);
        }
    }
    lf__buf_done(&header);
    lf__buf_done(&value);
}

/* ---- Tags ------------------------------------------------------------------------------------------------------- */

static bool add_to_list(void *owner, const char *tag, size_t size)
{
    CHECK(size > 0);
    return lf__baggage_tags_add(owner, tag, size);
}

/* What is read from any text is written as a list that reads as the same, and is then written as the same. */
static void check_tags(const char *text, size_t size)
{
    lf__buf scratch, first, second;
    lf__buf_init(&scratch, SIZE_MAX / 2);
    lf__buf_init(&first, SIZE_MAX / 2);
    lf__buf_init(&second, SIZE_MAX / 2);
    CHECK(lf__baggage_tags(text, size, &scratch, add_to_list, &first));
    CHECK(lf__baggage_tags(first.data, first.length, &scratch, add_to_list, &second));
    CHECK(same(&second, first.data, first.length));
    if (lf__utf8_valid_prefix(text, size) == size)
        CHECK(lf__utf8_valid_prefix(first.data, first.length) == first.length);
    lf__buf_done(&scratch);
    lf__buf_done(&first);
    lf__buf_done(&second);
}

typedef struct expected_tags {
    const char *at;
    const char *end;
} expected_tags;

static bool expect_tag(void *owner, const char *tag, size_t size)
{
    expected_tags *expected = owner;
    while (expected->at < expected->end && *expected->at == '\0')
        expected->at++; /* an empty tag was not written */
    CHECK((size_t)(expected->end - expected->at) >= size && memcmp(expected->at, tag, size) == 0);
    expected->at += size;
    CHECK(expected->at == expected->end || *expected->at == '\0');
    return true;
}

/* Tags with NULs between them: they read back in order, also through a header. */
static void check_tags_list(const char *text, size_t size)
{
    lf__buf list, scratch;
    lf__buf_init(&list, SIZE_MAX / 2);
    lf__buf_init(&scratch, SIZE_MAX / 2);
    for (const char *at = text; at < text + size;) {
        const char *end = memchr(at, '\0', (size_t)(text + size - at));
        end = end == NULL ? text + size : end;
        CHECK(lf__baggage_tags_add(&list, at, (size_t)(end - at)));
        at = end + 1;
    }
    expected_tags expected = {text, text + size};
    CHECK(lf__baggage_tags(list.data, list.length, &scratch, expect_tag, &expected));
    while (expected.at < expected.end)
        CHECK(*expected.at++ == '\0');
    if (list.length > 0)
        check_encode(list.data, list.length);
    lf__buf_done(&list);
    lf__buf_done(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const checks[])(const char *text, size_t size) = {
        check_traceparent, check_tracestate, check_baggage, check_encode, check_add, check_tags, check_tags_list,
    };
    if (size == 0)
        return 0;
    /* '0' and so on, so that the corpus can be read and written with an editor. A copy, for its own exact bounds. */
    size_t count = sizeof checks / sizeof *checks, check = (size_t)(data[0] + count * 7 - '0') % count;
    char *text = malloc(size - 1);
    CHECK(text != NULL || size == 1);
    if (size > 1)
        memcpy(text, data + 1, size - 1);
    checks[check](text, size - 1);
    free(text);
    return 0;
}
