#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The fuzzer's checks, for the replay of its corpus; the library's headers come with it. */
#include "../fuzz/fuzz_trace_context.c"
#include "corpus.h"
#include "out_buffer.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROWS(table) (sizeof(table) / sizeof *(table))
#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"
#define GOOD "00-" TRACE "-" PARENT "-01"

enum { GUARDED = 65536 };

static char *guard; /* GUARDED bytes before a page that may not be read */

static int map_guard(void **state)
{
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, GUARDED + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory + GUARDED, page, PROT_NONE) != 0)
        return -1;
    guard = memory + GUARDED;
    return 0;
}

/* A copy that ends where reading is not allowed: one byte too far is a crash, with every tool and without. */
static const char *guarded(const char *text, size_t size)
{
    assert_true(size <= GUARDED);
    if (size > 0)
        memcpy(guard - size, text, size);
    return guard - size;
}

static void assert_bytes(const lf__buf *buf, const char *bytes, size_t size)
{
    assert_false(buf->failed);
    assert_int_equal(buf->length, size);
    if (size > 0)
        assert_memory_equal(buf->data, bytes, size);
}

/* ---- traceparent ------------------------------------------------------------------------------------------------ */

static const struct {
    const char *text;
    size_t size;
    bool good;
    uint8_t flags;
} traceparent_rows[] = {
    {BYTES(GOOD), true, 1},
    {BYTES("00-" TRACE "-" PARENT "-00"), true, 0},
    {BYTES("00-" TRACE "-" PARENT "-02"), true, 2},
    {BYTES("00-" TRACE "-" PARENT "-03"), true, 3},
    {BYTES("00-" TRACE "-" PARENT "-ff"), true, 3},             /* flags without a meaning are cleared */
    {BYTES("00-" TRACE "-" PARENT "-fc"), true, 0},
    {BYTES(" \t" GOOD "\t "), true, 1},                         /* blanks around, no others */
    {BYTES(GOOD "\n"), false, 0},
    {BYTES("\r\n" GOOD), false, 0},
    {BYTES(GOOD "\0"), false, 0},
    {BYTES("00 -" TRACE "-" PARENT "-01"), false, 0},
    {BYTES("00-" TRACE "-" PARENT "-1 "), false, 0},
    {BYTES("01-" TRACE "-" PARENT "-01"), true, 1},             /* later versions */
    {BYTES("fe-" TRACE "-" PARENT "-01"), true, 1},
    {BYTES("cc-" TRACE "-" PARENT "-01-"), true, 1},
    {BYTES("cc-" TRACE "-" PARENT "-01-what-the-future-will-be"), true, 1},
    {BYTES("cc-" TRACE "-" PARENT "-01.what"), false, 0},
    {BYTES("cc-" TRACE "-" PARENT "-010"), false, 0},
    {BYTES("cc-" TRACE "-" PARENT "-0"), false, 0},
    {BYTES("ff-" TRACE "-" PARENT "-01"), false, 0},            /* no version */
    {BYTES("ff-" TRACE "-" PARENT "-01-more"), false, 0},
    {BYTES("0-" TRACE "-" PARENT "-01"), false, 0},
    {BYTES("000-" TRACE "-" PARENT "-01"), false, 0},
    {BYTES("0x-" TRACE "-" PARENT "-01"), false, 0},
    {BYTES("CC-" TRACE "-" PARENT "-01"), false, 0},
    {BYTES(GOOD "-"), false, 0},                                /* 00 has nothing behind */
    {BYTES(GOOD "-more"), false, 0},
    {BYTES(GOOD "0"), false, 0},
    {BYTES("00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01"), false, 0}, /* upper case */
    {BYTES("00-" TRACE "-B7AD6B7169203331-01"), false, 0},
    {BYTES("00-" TRACE "-" PARENT "-0A"), false, 0},
    {BYTES("00-00000000000000000000000000000000-" PARENT "-01"), false, 0}, /* zeros */
    {BYTES("00-" TRACE "-0000000000000000-01"), false, 0},
    {BYTES("00-00000000000000000000000000000001-0000000000000001-00"), true, 0},
    {BYTES("00-10000000000000000000000000000000-1000000000000000-00"), true, 0},
    {BYTES("00-.af7651916cd43dd8448eb211c80319c-" PARENT "-01"), false, 0}, /* no hex digits */
    {BYTES("00-" TRACE "-b7ad6b716920333g-01"), false, 0},
    {BYTES("00-" TRACE "-" PARENT "-.0"), false, 0},
    {BYTES("00-" TRACE "-" PARENT "-+1"), false, 0},
    {BYTES("00-" TRACE "\0" PARENT "-01"), false, 0},           /* what is between */
    {BYTES("00_" TRACE "-" PARENT "-01"), false, 0},
    {BYTES("00-" TRACE "_" PARENT "-01"), false, 0},
    {BYTES("00-" TRACE "-" PARENT "_01"), false, 0},
    {BYTES("00-" TRACE "0-" PARENT "-01"), false, 0},
    {BYTES("00-" TRACE "-0" PARENT "-01"), false, 0},
    {BYTES(GOOD "," GOOD), false, 0},                           /* two headers joined */
    {BYTES(""), false, 0},
    {BYTES(" \t "), false, 0},
};

static void each_traceparent_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(traceparent_rows); i++) {
        lf__traceparent read, untouched;
        memset(&read, 0xAA, sizeof read);
        untouched = read;
        const char *text = guarded(traceparent_rows[i].text, traceparent_rows[i].size);
        bool good = lf__traceparent_parse(text, traceparent_rows[i].size, &read);
        if (good != traceparent_rows[i].good)
            fail_msg("row %zu: %s", i, traceparent_rows[i].text);
        if (good)
            assert_int_equal(read.flags, traceparent_rows[i].flags);
        else
            assert_memory_equal(&read, &untouched, sizeof read);
    }
    lf__traceparent read;
    assert_false(lf__traceparent_parse(NULL, 0, &read));
}

static void a_traceparent_cut_anywhere_is_refused(void **state)
{
    (void)state;
    lf__traceparent read;
    for (size_t size = 0; size < sizeof GOOD - 1; size++)
        assert_false(lf__traceparent_parse(guarded(GOOD, size), size, &read));
}

static void traceparent_ids_are_read_and_written(void **state)
{
    (void)state;
    static const uint8_t trace_id[] = {0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd,
                                       0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c};
    static const uint8_t parent_id[] = {0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31};
    lf__traceparent read;
    assert_true(lf__traceparent_parse(BYTES("cc-" TRACE "-" PARENT "-01-later"), &read));
    assert_memory_equal(read.trace_id, trace_id, sizeof trace_id);
    assert_memory_equal(read.parent_id, parent_id, sizeof parent_id);

    char text[LF__TRACEPARENT_SIZE + 1];
    memset(text, 'x', sizeof text);
    lf__traceparent_format(&read, text);
    assert_string_equal(text, GOOD); /* ours is version 00 */
    assert_int_equal(text[LF__TRACEPARENT_SIZE], 'x');
    read.flags = 0xFF;
    lf__traceparent_format(&read, text);
    assert_string_equal(text, "00-" TRACE "-" PARENT "-03");
}

/* The parser once more, slow and plain: split at dashes, then look at each part as a string. */
static bool slow_part(const char *text, size_t size, char *part, size_t part_size)
{
    if (size < part_size)
        return false;
    memcpy(part, text, part_size);
    part[part_size] = '\0';
    return strspn(part, "0123456789abcdef") == part_size;
}

static bool slow_traceparent(const char *text, size_t size, char formatted[LF__TRACEPARENT_SIZE])
{
    static const size_t sizes[] = {2, 32, 16, 2};
    char parts[4][33];
    while (size > 0 && (text[0] == ' ' || text[0] == '\t'))
        text++, size--;
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    for (int i = 0; i < 4; i++) {
        if (i > 0) {
            if (size == 0 || text[0] != '-')
                return false;
            text++, size--;
        }
        if (!slow_part(text, size, parts[i], sizes[i]))
            return false;
        text += sizes[i];
        size -= sizes[i];
    }
    if (strcmp(parts[0], "ff") == 0)
        return false;
    if (size > 0 && (strcmp(parts[0], "00") == 0 || text[0] != '-'))
        return false;
    if (strspn(parts[1], "0") == 32 || strspn(parts[2], "0") == 16)
        return false;
    snprintf(formatted, LF__TRACEPARENT_SIZE, "00-%.32s-%.16s-%02lx", parts[1], parts[2], strtoul(parts[3], NULL, 16) & 3);
    return true;
}

/* xorshift64: the same mutations in every run. */
static size_t random_below(uint64_t *state, size_t limit)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (size_t)((*state >> 16) % limit);
}

static size_t mutate(uint64_t *state, char *text, size_t size)
{
    static const char letters[] = "0123456789abcdef0123456789abcdef--- \tAFgx/:`@.\0\n\xFF";
    char letter = letters[random_below(state, sizeof letters)];
    size_t at = random_below(state, size + 1);
    switch (random_below(state, 8)) {
    case 0: /* insert */
        memmove(text + at + 1, text + at, size - at);
        text[at] = letter;
        return size + 1;
    case 1: /* remove */
        if (at == size)
            return size;
        memmove(text + at, text + at + 1, size - at - 1);
        return size - 1;
    case 2: /* more behind */ text[size] = letter; return size + 1;
    case 3: /* the version */ memcpy(text, random_below(state, 2) == 0 ? "ff" : "01", size < 2 ? size : 2); return size;
    case 4: /* cut, seldom */ return random_below(state, 8) == 0 ? at : size;
    default: /* change */
        if (at < size)
            text[at] = letter;
        return size;
    }
}

static void traceparent_agrees_with_a_slow_parser(void **state)
{
    (void)state;
    static const char *const good[] = {
        GOOD,
        "00-" TRACE "-" PARENT "-ff",
        "cc-" TRACE "-" PARENT "-00-later",
        " " GOOD "\t",
        "00-00000000000000000000000000000001-" PARENT "-01",
        "00-" TRACE "-0000000000000010-02",
    };
    enum { ROUNDS = 1200000 };
    uint64_t seed = 20240229;
    long taken = 0;
    for (long i = 0; i < ROUNDS; i++) {
        char text[128], want[LF__TRACEPARENT_SIZE], got[LF__TRACEPARENT_SIZE];
        const char *from = good[random_below(&seed, ROWS(good))];
        size_t size = strlen(from);
        memcpy(text, from, size);
        for (size_t changes = 1 + random_below(&seed, 3); changes > 0; changes--)
            size = mutate(&seed, text, size);
        const char *copy = guarded(text, size);
        lf__traceparent read;
        bool expected = slow_traceparent(text, size, want);
        if (lf__traceparent_parse(copy, size, &read) != expected)
            fail_msg("round %ld: the parsers differ on \"%.*s\"", i, (int)size, text);
        if (!expected)
            continue;
        taken++;
        lf__traceparent_format(&read, got);
        if (strcmp(got, want) != 0)
            fail_msg("round %ld: \"%.*s\" is read as %s, not %s", i, (int)size, text, got, want);
    }
    /* Both answers came often, or the comparison says little. */
    assert_in_range(taken, ROUNDS / 10, ROUNDS - ROUNDS / 10);
}

/* ---- tracestate ------------------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    size_t size;
    bool good;
} tracestate_rows[] = {
    {BYTES("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"), true},
    {BYTES("foo=1"), true},
    {BYTES(" foo=1 \t,\t bar=2 "), true},  /* blanks around members */
    {BYTES("foo=1,,bar=2, ,\t,"), true},   /* empty members */
    {BYTES(""), false},                    /* nothing to pass on */
    {BYTES(" "), false},
    {BYTES(",,"), false},
    {BYTES("foo=1,foo=2"), true},          /* kept as it is */
    {BYTES("az09_-*/@=1"), true},          /* keys */
    {BYTES("1a-2f@foo=1"), true},
    {BYTES("0=1"), true},
    {BYTES("foo@=1"), true},
    {BYTES("foo@bar@baz=1"), true},
    {BYTES("@foo=1"), false},
    {BYTES("_a=1"), false},
    {BYTES("-a=1"), false},
    {BYTES("*a=1"), false},
    {BYTES("/a=1"), false},
    {BYTES("Foo=1"), false},
    {BYTES("fOo=1"), false},
    {BYTES("foo.bar=1"), false},
    {BYTES("f\0o=1"), false},
    {BYTES("foo =1"), false},
    {BYTES("foo\t=1"), false},
    {BYTES("f\xC3\xA9=1"), false},
    {BYTES("=1"), false},
    {BYTES("foo"), false},
    {BYTES("foo=1,bar"), false},
    {BYTES("foo=1;bar=2"), false},
    {BYTES("foo="), false},                /* values */
    {BYTES("foo= "), false},
    {BYTES("foo=,bar=1"), false},
    {BYTES("foo= 1"), true},
    {BYTES("foo=a b"), true},
    {BYTES("foo=!\"#$%&'()*+-./09:;<>?@AZ[\\]^_`az{|}~"), true},
    {BYTES("foo=a=b"), false},
    {BYTES("foo=bar=baz,qux=1"), false},
    {BYTES("foo=a\tb"), false},
    {BYTES("foo=a\x7F"), false},
    {BYTES("foo=a\x1F"), false},
    {BYTES("foo=a\n"), false},
    {BYTES("foo=a\0"), false},
    {BYTES("foo=\x80"), false},
    {BYTES("foo=\xC3\xA9"), false},
};

static void each_tracestate_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(tracestate_rows); i++) {
        const char *text = guarded(tracestate_rows[i].text, tracestate_rows[i].size);
        if (lf__tracestate_valid(text, tracestate_rows[i].size) != tracestate_rows[i].good)
            fail_msg("row %zu: %s", i, tracestate_rows[i].text);
    }
    assert_false(lf__tracestate_valid(NULL, 0));
}

static bool tracestate_of(size_t key_size, size_t value_size)
{
    char text[1024];
    memset(text, 'k', key_size);
    text[key_size] = '=';
    memset(text + key_size + 1, 'v', value_size);
    size_t size = key_size + 1 + value_size;
    return lf__tracestate_valid(guarded(text, size), size);
}

static void tracestate_sizes_and_numbers_have_limits(void **state)
{
    (void)state;
    assert_true(tracestate_of(256, 1));
    assert_false(tracestate_of(257, 1));
    assert_true(tracestate_of(1, 256));
    assert_false(tracestate_of(1, 257));

    /* 512 bytes in two members; blanks count, too. */
    char text[LF__TRACESTATE_MAX + 1];
    memset(text, 'v', sizeof text);
    text[1] = '=';
    text[200] = ',';
    text[300] = '=';
    memset(text + 201, 'k', 99);
    assert_true(lf__tracestate_valid(guarded(text, LF__TRACESTATE_MAX), LF__TRACESTATE_MAX));
    assert_false(lf__tracestate_valid(guarded(text, sizeof text), sizeof text));
    text[LF__TRACESTATE_MAX] = ' ';
    assert_false(lf__tracestate_valid(guarded(text, sizeof text), sizeof text));

    lf__buf_add_text(&out, "a=1");
    for (int members = 2; members <= LF__TRACESTATE_MEMBERS; members++)
        lf__buf_add_text(&out, members % 2 == 0 ? ",b=1" : ", ");
    assert_true(lf__tracestate_valid(guarded(out.data, out.length), out.length));
    lf__buf_add_text(&out, ",");
    assert_false(lf__tracestate_valid(guarded(out.data, out.length), out.length));
}

/* ---- baggage, reading ------------------------------------------------------------------------------------------- */

/* Each row: a header, and its good members in brackets, as they stand. */
static const struct {
    const char *text;
    size_t size;
    const char *members;
} baggage_rows[] = {
    {BYTES("k=v"), "[k|v]"},
    {BYTES("key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue"),
     "[key1|value1][key2|value2][key3|value3]"},
    {BYTES("langfuse_user_id=u+1,langfuse_tags=%5B%27a%27%2C+%27b%27%5D"),
     "[langfuse_user_id|u+1][langfuse_tags|%5B%27a%27%2C+%27b%27%5D]"},
    {BYTES(" \ta\t =\t1 \t, b = 2 "), "[a|1][b|2]"},       /* blanks */
    {BYTES("a=1 ;p"), "[a|1]"},                            /* properties are not looked at */
    {BYTES("a=1;\"\x01 \xFF;;=,b=2"), "[a|1][b|2]"},
    {BYTES("a=,b= ,c=;p"), "[a|][b|][c|]"},                /* empty values are values */
    {BYTES(",a=1,, ,b=2,"), "[a|1][b|2]"},                 /* empty members are skipped */
    {BYTES("a=1,a=2,A=3"), "[a|1][a|2][A|3]"},             /* the reader decides about keys that come twice */
    {BYTES("a,b=1"), "[b|1]"},                             /* bad members are skipped */
    {BYTES("=1,b=1"), "[b|1]"},
    {BYTES(" =1,b=1"), "[b|1]"},
    {BYTES("a;p=1,b=1"), "[b|1]"},
    {BYTES("a b=1,b=1"), "[b|1]"},
    {BYTES("a\tb=1,b=1"), "[b|1]"},
    {BYTES("a=1 2,b=1"), "[b|1]"},
    {BYTES("a=1\t2,b=1"), "[b|1]"},
    {BYTES("a=\"1\",b=1"), "[b|1]"},
    {BYTES("a=\\1,b=1"), "[b|1]"},
    {BYTES("a=\x1F,b=1"), "[b|1]"},
    {BYTES("a=\x7F,b=1"), "[b|1]"},
    {BYTES("a=\0,b=1"), "[b|1]"},
    {BYTES("a=\x80,b=1"), "[b|1]"},
    {BYTES("a=\xC3\xA9,b=1"), "[b|1]"},
    {BYTES("\xC3\xA9=1,b=1"), "[b|1]"},
    {BYTES("a\0=1,b=1"), "[b|1]"},
    {BYTES("a(=1,a)=1,a/=1,a:=1,a<=1,a>=1,a?=1,a@=1,a[=1,a\\=1,a]=1,a{=1,a}=1,a\"=1,b=1"), "[b|1]"},
    {BYTES("azAZ09!#$%&'*+-.^_`|~=1"), "[azAZ09!#$%&'*+-.^_`|~|1]"},
    {BYTES("a=!#$%&'()*+-./09:<=>?@AZ[]^_`az{|}~"), "[a|!#$%&'()*+-./09:<=>?@AZ[]^_`az{|}~]"},
    {BYTES("a==,b=1=2"), "[a|=][b|1=2]"},
    {BYTES("a=%,b=%4,c=%zz"), "[a|%][b|%4][c|%zz]"},       /* bad escapes are the decoder's business */
    {BYTES(""), ""},
    {BYTES(" ,\t,"), ""},
};

static void list_members(const char *text, size_t size)
{
    lf__baggage_member member;
    size_t at = 0;
    lf__buf_clear(&out);
    while (lf__baggage_next(text, size, &at, &member)) {
        lf__buf_add_char(&out, '[');
        lf__buf_add(&out, member.key, member.key_size);
        lf__buf_add_char(&out, '|');
        lf__buf_add(&out, member.value, member.value_size);
        lf__buf_add_char(&out, ']');
    }
    /* The end stays the end. */
    assert_false(lf__baggage_next(text, size, &at, &member));
    assert_false(lf__baggage_next(text, size, &at, &member));
    lf__buf_add_char(&out, '\0');
}

static void each_baggage_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(baggage_rows); i++) {
        list_members(guarded(baggage_rows[i].text, baggage_rows[i].size), baggage_rows[i].size);
        if (strcmp(out.data, baggage_rows[i].members) != 0)
            fail_msg("row %zu: %s gave %s", i, baggage_rows[i].text, out.data);
    }
    list_members(NULL, 0);
    assert_string_equal(out.data, "");
    /* Cut at every byte: nothing behind is read. */
    static const char text[] = " a = %41 ; p = q , b=2";
    for (size_t size = 0; size <= sizeof text - 1; size++)
        list_members(guarded(text, size), size);
    assert_string_equal(out.data, "[a|%41][b|2]");
}

static size_t count_members(const lf__buf *header)
{
    lf__baggage_member member;
    size_t count = 0;
    const char *text = guarded(header->data, header->length);
    for (size_t at = 0; lf__baggage_next(text, header->length, &at, &member);)
        count++;
    return count;
}

static void baggage_beyond_the_limits_is_not_read(void **state)
{
    (void)state;
    for (int i = 0; i < LF__BAGGAGE_MEMBERS + 5; i++)
        lf__buf_add_text(&out, i == 0 ? "k=v" : ",k=v");
    assert_int_equal(count_members(&out), LF__BAGGAGE_MEMBERS);

    /* Bad and empty ones count. */
    memcpy(out.data, ",,k=v", 5);
    assert_int_equal(count_members(&out), LF__BAGGAGE_MEMBERS - 2);

    /* A header that is too long is not read at all, not even its beginning. */
    lf__buf_clear(&out);
    lf__buf_add_text(&out, "a=1,b=");
    while (out.length < LF__BAGGAGE_MAX)
        lf__buf_add_char(&out, 'v');
    assert_int_equal(count_members(&out), 2);
    lf__buf_add_char(&out, 'v');
    assert_int_equal(count_members(&out), 0);
    lf__buf_clear(&out);
    lf__buf_add_text(&out, "a=1");
    while (out.length <= LF__BAGGAGE_MAX)
        lf__buf_add_char(&out, ' ');
    assert_int_equal(count_members(&out), 0);
}

static const struct {
    const char *value;
    size_t size;
    const char *decoded;
    size_t decoded_size;
} decode_rows[] = {
    {BYTES(""), BYTES("")},
    {BYTES("plain"), BYTES("plain")},
    {BYTES("u+1"), BYTES("u 1")},
    {BYTES("%5B%27a%27%2C+%27b%27%5D"), BYTES("['a', 'b']")},
    {BYTES("%41%4a%4A%2B%25"), BYTES("AJJ+%")},
    {BYTES("%2541"), BYTES("%41")},                           /* decoded once */
    {BYTES("%00"), BYTES("\0")},
    {BYTES("%"), BYTES("%")},                                 /* bad escapes */
    {BYTES("%4"), BYTES("%4")},
    {BYTES("%4g%g4%-1% 1"), BYTES("%4g%g4%-1% 1")},
    {BYTES("%%41"), BYTES("%A")},
    {BYTES("%+1"), BYTES("% 1")},
    {BYTES("%C3%A9%E2%82%AC%F0%9F%98%80"), BYTES("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80")},
    {BYTES("\xC3%A9"), BYTES("\xC3\xA9")},
    {BYTES("%FFx%C3(%E2%82"), BYTES(FFFD "x" FFFD "(" FFFD)}, /* invalid UTF-8, written in either way */
    {BYTES("\xFF%ED%A0%80"), BYTES(FFFD FFFD FFFD FFFD)},
};

static void each_rule_of_decoding(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(decode_rows); i++) {
        lf__buf_clear(&out);
        assert_true(lf__baggage_decode(&out, guarded(decode_rows[i].value, decode_rows[i].size), decode_rows[i].size));
        assert_bytes(&out, decode_rows[i].decoded, decode_rows[i].decoded_size);
    }
    assert_true(lf__baggage_decode(&out, NULL, 0));
}

/* Values are decoded in pieces: no character may break where two of them meet. */
static void characters_survive_at_every_place_of_a_long_value(void **state)
{
    (void)state;
    static const char *const characters[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF0\x9F\x98", "\xE2\x82"};
    for (size_t which = 0; which < ROWS(characters); which++)
        for (size_t before = 240; before < 530; before++) {
            char text[1024];
            memset(text, 'x', sizeof text);
            size_t size = strlen(characters[which]);
            memcpy(text + before, characters[which], size);
            lf__buf want;
            lf__buf_init(&want, sizeof text + 8);
            lf__utf8_add(&want, text, 600);
            lf__buf_clear(&out);
            assert_true(lf__baggage_decode(&out, guarded(text, 600), 600));
            assert_bytes(&out, want.data, want.length);
            lf__buf_done(&want);
        }
}

static void decoding_without_room_appends_nothing(void **state)
{
    (void)state;
    char memory[400], value[500];
    lf__buf small;
    lf__buf_over(&small, memory, sizeof memory);
    memset(value, 'v', sizeof value);
    lf__buf_add_text(&small, "kept");
    assert_false(lf__baggage_decode(&small, value, sizeof value));
    assert_true(small.failed);
    assert_int_equal(small.length, 4);
    assert_memory_equal(memory, "kept", 4);
}

/* ---- baggage, writing ------------------------------------------------------------------------------------------- */

static void assert_header(const char *expected)
{
    assert_bytes(&out, expected, strlen(expected));
}

static void values_are_written_encoded(void **state)
{
    (void)state;
    assert_true(lf__baggage_add(&out, "a", guarded(BYTES("AZaz09-._~")), 10));
    assert_header("a=AZaz09-._~");
    assert_true(lf__baggage_add(&out, "b", guarded(BYTES(" +%,;=\"\\\0\x7F\xC3\xA9/")), 13));
    assert_header("a=AZaz09-._~,b=%20%2B%25%2C%3B%3D%22%5C%00%7F%C3%A9%2F");
    assert_true(lf__baggage_add(&out, "c", NULL, 0));
    assert_header("a=AZaz09-._~,b=%20%2B%25%2C%3B%3D%22%5C%00%7F%C3%A9%2F,c=");
}

static void every_byte_of_a_value_comes_back(void **state)
{
    (void)state;
    for (int c = 0; c < 0x80; c++) {
        char byte = (char)c;
        lf__baggage_member member;
        size_t at = 0;
        lf__buf value;
        lf__buf_init(&value, 16);
        lf__buf_clear(&out);
        assert_true(lf__baggage_add(&out, "k", &byte, 1));
        assert_true(lf__baggage_next(out.data, out.length, &at, &member));
        assert_true(lf__baggage_decode(&value, member.value, member.value_size));
        assert_bytes(&value, &byte, 1);
        lf__buf_done(&value);
    }
}

static void a_key_must_be_a_token(void **state)
{
    (void)state;
    static const char *const bad[] = {"", " ", "a b", "a=", "a,b", "a;b", "\"a\"", "a\xC3\xA9", "a\n", "a\x7F", "(a)", "a/b"};
    assert_true(lf__baggage_add(&out, "ok", "1", 1));
    for (size_t i = 0; i < ROWS(bad); i++)
        assert_false(lf__baggage_add(&out, bad[i], "v", 1));
    assert_header("ok=1");
    assert_true(lf__baggage_add(&out, "azAZ09!#$%&'*+-.^_`|~", "v", 1));
    assert_header("ok=1,azAZ09!#$%&'*+-.^_`|~=v");
}

/* Each row: a header, and what it is once k=new was added. */
static const struct {
    const char *before;
    const char *after;
} replace_rows[] = {
    {"k=old", "k=new"},
    {"k=old,b=2", "b=2,k=new"},
    {"a=1,k=old,b=2", "a=1,b=2,k=new"},
    {"a=1,k=old", "a=1,k=new"},
    {"k=1,a=1,k=2,k=3", "a=1,k=new"},
    {" k = old ; p=1 , a = 1 ; p", "a = 1 ; p,k=new"},
    {"k,a=1", "a=1,k=new"},                            /* even a bad member of that name */
    {"K=1,kk=2,ak=3,a=k", "K=1,kk=2,ak=3,a=k,k=new"},  /* other keys */
    {",a=1,, ,\t", "a=1,k=new"},                       /* empty members go */
    {" ", "k=new"},
};

static void a_key_that_is_there_is_replaced(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS(replace_rows); i++) {
        lf__buf_clear(&out);
        lf__buf_add_text(&out, replace_rows[i].before);
        assert_true(lf__baggage_add(&out, "k", "new", 3));
        assert_header(replace_rows[i].after);
    }
}

static void a_header_does_not_grow_beyond_its_limits(void **state)
{
    (void)state;
    static char value[LF__BAGGAGE_MAX + 1];
    memset(value, 'v', sizeof value);
    assert_true(lf__baggage_add(&out, "k", value, LF__BAGGAGE_MAX - 2));
    assert_int_equal(out.length, LF__BAGGAGE_MAX);
    assert_false(lf__baggage_add(&out, "k", value, LF__BAGGAGE_MAX - 1));
    assert_false(lf__baggage_add(&out, "l", NULL, 0));
    assert_int_equal(out.length, LF__BAGGAGE_MAX);
    assert_true(lf__baggage_add(&out, "k", value, LF__BAGGAGE_MAX - 6)); /* what is replaced does not count */
    assert_false(lf__baggage_add(&out, "l", "12", 2));
    assert_true(lf__baggage_add(&out, "l", "1", 1));
    assert_int_equal(out.length, LF__BAGGAGE_MAX);
    assert_false(lf__baggage_add(&out, "l", "+", 1)); /* the encoded size counts */
    assert_memory_equal(out.data + out.length - 4, ",l=1", 4);
    assert_false(out.failed);

    char key[16];
    lf__buf_clear(&out);
    for (int i = 0; i < LF__BAGGAGE_MEMBERS; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_true(lf__baggage_add(&out, key, "v", 1));
    }
    size_t full = out.length;
    assert_false(lf__baggage_add(&out, "one_more", "v", 1));
    assert_int_equal(out.length, full);
    assert_true(lf__baggage_add(&out, "k7", "other", 5));
    assert_int_equal(count_members(&out), LF__BAGGAGE_MEMBERS);
}

static void a_header_without_room_stays_as_it_is(void **state)
{
    (void)state;
    char memory[10];
    lf__buf small;
    lf__buf_over(&small, memory, sizeof memory);
    assert_true(lf__baggage_add(&small, "a", "123", 3));
    assert_true(lf__baggage_add(&small, "b", "45", 2));
    assert_true(lf__baggage_add(&small, "a", "678", 3)); /* fits since the old one goes */
    assert_bytes(&small, BYTES("b=45,a=678"));
    assert_false(lf__baggage_add(&small, "a", "6789", 4));
    assert_true(small.failed);
    assert_int_equal(small.length, 10);
    assert_memory_equal(memory, "b=45,a=678", 10);
    assert_false(lf__baggage_add(&small, "a", "", 0)); /* as every append, until the buffer is cleared */
    assert_memory_equal(memory, "b=45,a=678", 10);
}

/* ---- Tags ------------------------------------------------------------------------------------------------------- */

static bool list_tag(void *owner, const char *tag, size_t size)
{
    lf__buf *list = owner;
    return lf__buf_add_char(list, '<') && lf__buf_add(list, tag, size) && lf__buf_add_char(list, '>');
}

static const struct {
    const char *text;
    size_t size;
    const char *tags;
} tags_rows[] = {
    {BYTES(""), ""},
    {BYTES("a"), "<a>"},
    {BYTES("a,b,c d"), "<a><b><c d>"},
    {BYTES(",a,,b,"), "<a><b>"},                         /* empty items are left out */
    {BYTES(" a , b"), "< a >< b>"},                      /* blanks belong to the tag */
    {BYTES("a\\,b,c\\\\,d"), "<a,b><c\\><d>"},           /* escapes */
    {BYTES("a\\b,\\n,c\\"), "<a\\b><\\n><c\\>"},         /* none: stays */
    {BYTES("\\,"), "<,>"},
    {BYTES("\\[a],[b],\\[c]"), "<[a]><[b]><\\[c]>"},
    {BYTES("\xC3\xA9"), "<\xC3\xA9>"},
    {BYTES("[]"), ""},                                   /* Python */
    {BYTES("['a']"), "<a>"},
    {BYTES("['a', 'b']"), "<a><b>"},
    {BYTES("['a', \"b's\", 'say \"x\"', 'both \\' \"']"), "<a><b's><say \"x\"><both ' \">"},
    {BYTES("['a,b', '', 'c]']"), "<a,b><c]>"},
    {BYTES("[\t'a','b'  ,  'c' ]"), "<a><b><c>"},
    {BYTES("['\\\\', '\\n\\r\\t', '\\x41\\x7f\\xe9', '\\u20ac', '\\U0001f600']"),
     "<\\><\n\r\t><A\x7F\xC3\xA9><\xE2\x82\xAC><\xF0\x9F\x98\x80>"},
    {BYTES("['\\ud800', '\\udfffx', '\\U00110000', '\\ud83d\\ude00']"), "<" FFFD "><" FFFD "x><" FFFD "><" FFFD FFFD ">"},
    {BYTES("['\\u07ff\\u0800\\uffff\\U00010000\\U0010ffff']"),
     "<\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF>"},
    {BYTES("['\xE2\x82\xAC']"), "<\xE2\x82\xAC>"},
    {BYTES("["), "<[>"},                                 /* not quite Python: a plain list, and no tag twice */
    {BYTES("['"), "<['>"},
    {BYTES("['a"), "<['a>"},
    {BYTES("['a'"), "<['a'>"},
    {BYTES("['a',"), "<['a'>"},
    {BYTES("['a', 'b"), "<['a'>< 'b>"},
    {BYTES("['a',]"), "<['a'><]>"},
    {BYTES("['a' 'b']"), "<['a' 'b']>"},
    {BYTES("['a'''b']"), "<['a'''b']>"},
    {BYTES("['a'] "), "<['a'] >"},
    {BYTES(" ['a']"), "< ['a']>"},
    {BYTES("['a', 1]"), "<['a'>< 1]>"},
    {BYTES("[a, b]"), "<[a>< b]>"},
    {BYTES("[,]"), "<[><]>"},
    {BYTES("[] "), "<[] >"},
    {BYTES("['a\"]"), "<['a\"]>"},
    {BYTES("['\\q']"), "<['\\q']>"},
    {BYTES("['\\"), "<['\\>"},
    {BYTES("['\\x4"), "<['\\x4>"},
    {BYTES("['\\x4'"), "<['\\x4'>"},
    {BYTES("['\\x4g']"), "<['\\x4g']>"},
    {BYTES("['\\u20a']"), "<['\\u20a']>"},
    {BYTES("['\\U0001f60']"), "<['\\U0001f60']>"},
};

static void each_rule_of_tags(void **state)
{
    (void)state;
    lf__buf scratch;
    lf__buf_init(&scratch, 1024);
    for (size_t i = 0; i < ROWS(tags_rows); i++) {
        lf__buf_clear(&out);
        assert_true(lf__baggage_tags(guarded(tags_rows[i].text, tags_rows[i].size), tags_rows[i].size, &scratch, list_tag, &out));
        lf__buf_add_char(&out, '\0');
        if (strcmp(out.data, tags_rows[i].tags) != 0)
            fail_msg("row %zu: %s gave %s", i, tags_rows[i].text, out.data);
    }
    lf__buf_clear(&out);
    assert_true(lf__baggage_tags(NULL, 0, &scratch, list_tag, &out));
    assert_int_equal(out.length, 0);
    lf__buf_done(&scratch);
}

static void tags_are_written_as_a_list(void **state)
{
    (void)state;
    assert_true(lf__baggage_tags_add(&out, NULL, 0));
    assert_header("");
    assert_true(lf__baggage_tags_add(&out, guarded(BYTES("[x")), 2));
    assert_true(lf__baggage_tags_add(&out, guarded(BYTES("a,b\\")), 4));
    assert_true(lf__baggage_tags_add(&out, "", 0));
    assert_true(lf__baggage_tags_add(&out, guarded(BYTES("[y]")), 3));
    assert_header("\\[x,a\\,b\\\\,[y]");
}

/* A tag that is the text of a Python list is one tag. */
static void tags_that_look_like_python_come_back(void **state)
{
    (void)state;
    static const char *const tags[] = {"['a']", "[]", "[", "\\[", "\\", ",", "\\,", "['a', 'b']"};
    lf__buf scratch, list, want;
    lf__buf_init(&scratch, 1024);
    lf__buf_init(&list, 1024);
    lf__buf_init(&want, 1024);
    for (size_t first = 0; first < ROWS(tags); first++)
        for (size_t second = 0; second < ROWS(tags); second++) {
            lf__buf_clear(&list);
            lf__buf_clear(&want);
            lf__buf_clear(&out);
            assert_true(lf__baggage_tags_add(&list, tags[first], strlen(tags[first])));
            assert_true(lf__baggage_tags_add(&list, tags[second], strlen(tags[second])));
            list_tag(&want, tags[first], strlen(tags[first]));
            list_tag(&want, tags[second], strlen(tags[second]));
            assert_true(lf__baggage_tags(list.data, list.length, &scratch, list_tag, &out));
            assert_bytes(&out, want.data, want.length);
        }
    lf__buf_done(&scratch);
    lf__buf_done(&list);
    lf__buf_done(&want);
}

static bool two_tags(void *owner, const char *tag, size_t size)
{
    (void)tag;
    (void)size;
    return ++*(int *)owner < 2;
}

static void reading_tags_stops_when_told_or_out_of_memory(void **state)
{
    (void)state;
    static const char *const lists[] = {"a,b,c,d", "['a', 'b', 'c', 'd']"};
    char memory[4];
    for (size_t i = 0; i < ROWS(lists); i++) {
        int calls = 0;
        lf__buf scratch;
        lf__buf_init(&scratch, 1024);
        assert_false(lf__baggage_tags(lists[i], strlen(lists[i]), &scratch, two_tags, &calls));
        assert_int_equal(calls, 2);
        lf__buf_done(&scratch);
    }
    static const char *const too_long[] = {"abcd,abcde,f", "['abcd', 'abcde', 'f']"};
    for (size_t i = 0; i < ROWS(too_long); i++) {
        lf__buf scratch;
        lf__buf_over(&scratch, memory, sizeof memory);
        lf__buf_clear(&out);
        assert_false(lf__baggage_tags(too_long[i], strlen(too_long[i]), &scratch, list_tag, &out));
        assert_header("<abcd>");
    }
}

static void a_tag_that_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    char memory[8];
    lf__buf small;
    lf__buf_over(&small, memory, sizeof memory);
    assert_true(lf__baggage_tags_add(&small, "a", 1));
    assert_false(lf__baggage_tags_add(&small, "b,c,d,e", 7));
    assert_true(small.failed);
    assert_int_equal(small.length, 1);
    assert_int_equal(memory[0], 'a');
}

/* What the Python SDK sends, from header to tags; and what we send for the same. */
static void the_python_sdk_is_understood(void **state)
{
    (void)state;
    static const char header[] = "langfuse_trace_id=8a63bd4a6f0c4d3b9e2f7a1c5d8e9f00,langfuse_user_id=u+1,"
                                 "langfuse_tags=%5B%27a%27%2C+%27b%27%5D,langfuse_environment=qa,langfuse_metadata_k=v";
    lf__baggage_member member;
    lf__buf value, scratch, tags;
    lf__buf_init(&value, 1024);
    lf__buf_init(&scratch, 1024);
    lf__buf_init(&tags, 1024);
    for (size_t at = 0; lf__baggage_next(header, sizeof header - 1, &at, &member);) {
        lf__buf_clear(&value);
        assert_true(lf__baggage_decode(&value, member.value, member.value_size));
        lf__buf_add(&out, member.key, member.key_size);
        lf__buf_add_char(&out, '=');
        lf__buf_add(&out, value.data, value.length);
        lf__buf_add_char(&out, '\n');
        if (member.key_size == 13 && memcmp(member.key, "langfuse_tags", 13) == 0)
            assert_true(lf__baggage_tags(value.data, value.length, &scratch, list_tag, &tags));
    }
    assert_header("langfuse_trace_id=8a63bd4a6f0c4d3b9e2f7a1c5d8e9f00\nlangfuse_user_id=u 1\nlangfuse_tags=['a', 'b']\n"
                  "langfuse_environment=qa\nlangfuse_metadata_k=v\n");
    assert_bytes(&tags, BYTES("<a><b>"));

    lf__buf_clear(&tags);
    lf__buf_clear(&out);
    lf__baggage_tags_add(&tags, "a", 1);
    lf__baggage_tags_add(&tags, "b", 1);
    assert_true(lf__baggage_add(&out, "langfuse_user_id", "u 1", 3));
    assert_true(lf__baggage_add(&out, "langfuse_tags", tags.data, tags.length));
    assert_header("langfuse_user_id=u%201,langfuse_tags=a%2Cb");
    lf__buf_done(&value);
    lf__buf_done(&scratch);
    lf__buf_done(&tags);
}

/* ---- The fuzzer's corpus ---------------------------------------------------------------------------------------- */

static void the_corpus_has_no_finding(void **state)
{
    (void)state;
    unsigned seen[256] = {0};
    replay_corpus("tests/fuzz/corpus/trace_context", seen);
    for (int kind = '0'; kind < '7'; kind++)
        assert_true(seen[kind] >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_traceparent_rule),
        cmocka_unit_test(a_traceparent_cut_anywhere_is_refused),
        cmocka_unit_test(traceparent_ids_are_read_and_written),
        cmocka_unit_test(traceparent_agrees_with_a_slow_parser),
        cmocka_unit_test(each_tracestate_rule),
        cmocka_unit_test_setup_teardown(tracestate_sizes_and_numbers_have_limits, set_up_out, tear_down_out),
        cmocka_unit_test_setup_teardown(each_baggage_rule, set_up_out, tear_down_out),
        cmocka_unit_test_setup_teardown(baggage_beyond_the_limits_is_not_read, set_up_out, tear_down_out),
        cmocka_unit_test_setup_teardown(each_rule_of_decoding, set_up_out, tear_down_out),
        cmocka_unit_test_setup_teardown(characters_survive_at_every_place_of_a_long_value, set_up_out, tear_down_out),
        cmocka_unit_test(decoding_without_room_appends_nothing),
        cmocka_unit_test_setup_teardown(values_are_written_encoded, set_up_out, tear_down_out),
        cmocka_unit_test_setup_teardown(every_byte_of_a_value_comes_back, set_up_out, tear_down_out),
        cmocka_unit_test_setup_teardown(a_key_must_be_a_token, set_up_out, tear_down_out),
        cmocka_unit_test_setup_teardown(a_key_that_is_there_is_replaced, set_up_out, tear_down_out),
        cmocka_unit_test_setup_teardown(a_header_does_not_grow_beyond_its_limits, set_up_out, tear_down_out),
        cmocka_unit_test(a_header_without_room_stays_as_it_is),
        cmocka_unit_test_setup_teardown(each_rule_of_tags, set_up_out, tear_down_out),
        cmocka_unit_test_setup_teardown(tags_are_written_as_a_list, set_up_out, tear_down_out),
        cmocka_unit_test_setup_teardown(tags_that_look_like_python_come_back, set_up_out, tear_down_out),
        cmocka_unit_test_setup_teardown(reading_tags_stops_when_told_or_out_of_memory, set_up_out, tear_down_out),
        cmocka_unit_test(a_tag_that_does_not_fit_leaves_nothing),
        cmocka_unit_test_setup_teardown(the_python_sdk_is_understood, set_up_out, tear_down_out),
        cmocka_unit_test(the_corpus_has_no_finding),
    };
    return cmocka_run_group_tests(tests, map_guard, NULL);
}
