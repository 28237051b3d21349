/* Every kind of value, as an argument, as an output and inside of arrays and objects. What is sent must not depend on byte order,
 * on the width of long and pointers, nor on whether char is signed.
 */
#include "portable.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

static NOINLINE void integers(void)
{
    int8_t i8 = INT8_MIN;
    int16_t i16 = INT16_MIN;
    int32_t i32 = INT32_MIN;
    int64_t i64 = INT64_MIN, exact = -9007199254740991;
    uint8_t u8 = UINT8_MAX;
    uint16_t u16 = UINT16_MAX;
    uint32_t u32 = UINT32_MAX;
    uint64_t u64 = UINT64_MAX;
    OBSERVE(i8, i16, i32, i64, exact, u8, u16, u32, u64);
    long l = -2000000000;
    unsigned long ul = 4000000000u;
    size_t size = 3000000000u;
    short s = -3;
    OBSERVE_OUTPUT(LF_ARRAY(l, ul, size, s, -1, 1u, 0));
}

static NOINLINE void truths(bool yes, bool no)
{
    OBSERVE(yes, no);
    bool several[] = {true, false, true};
    OBSERVE_OUTPUT(LF_OBJECT("yes", yes, "no", no, "several", lf_array(several, 3)));
}

static NOINLINE bool truth(bool which)
{
    OBSERVE(which);
    OBSERVE_RETURN(which);
}

static NOINLINE void reals(void)
{
    float f = 0.1f, large_f = 3.4e38f;
    double d = 0.1, large = 1.7e308, small = 2.5e-300, third = 1.0 / 3.0, whole = 12345678.0;
    long double ld = 0.5L;
    OBSERVE(f, large_f, d, large, small, third, whole, ld);
    float floats[] = {1.5f, -0.25f, 16777216.0f};
    double doubles[] = {1e22, -2.5, 0.0};
    OBSERVE_OUTPUT(LF_ARRAY(lf_array(floats, 3), lf_array(doubles, 3), f, d, ld));
}

static NOINLINE void no_numbers(double nan, double infinite)
{
    float nan_f = (float)nan, infinite_f = (float)infinite;
    OBSERVE(nan, infinite, nan_f, infinite_f);
    double several[] = {nan, -infinite, 1.0};
    OBSERVE_OUTPUT(lf_array(several, 3));
}

static NOINLINE void characters(void)
{
    char c = 'x', quote = '"', zero = '\0';
    signed char sc = -5;
    unsigned char uc = 250;
    OBSERVE(c, quote, zero, sc, uc);
    char several[] = {'a', 'b', '\n'};
    OBSERVE_OUTPUT(lf_array(several, 3));
}

static NOINLINE void texts(void)
{
    const char *text = "plain", *none = NULL, *empty = "";
    const char *escapes = "12345678\"9\\a\tb\nc\x01"
                          "d\x7f",
               *long_one = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"";
    const char *words = "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", *broken = "a\xff"
                                                                                      "b\xc3";
    OBSERVE(text, none, empty, escapes, long_one, words, broken);
    lf_update_current_observation(.metadata = LF_OBJECT("nul", lf_strn("a\0b", 3), "json", lf_json("{\"k\": [1, 2.50, true]}"),
                                                        "no json", lf_json("{nonsense"), "secret", lf_secret(text)));
    OBSERVE_OUTPUT("1234567\"");
}

static NOINLINE void arrays(void)
{
    int8_t i8[] = {-128, 127};
    int16_t i16[] = {-300, 300};
    int32_t i32[] = {-70000, 70000};
    int64_t i64[] = {-5000000000, 5000000000};
    uint8_t u8[] = {0, 255};
    uint16_t u16[] = {1, 65535};
    uint32_t u32[] = {2, 4294967295u};
    uint64_t u64[] = {3, 5000000000u};
    const char *words[] = {"one", NULL, "three"};
    OBSERVE_WITH((.name = "arrays as they are"), lf_array(i8, 2), lf_array(i16, 2), lf_array(i32, 2), lf_array(i64, 2),
                 lf_array(u8, 2), lf_array(u16, 2), lf_array(u32, 2), lf_array(u64, 2), lf_array(words, 3));
    OBSERVE_OUTPUT(LF_ARRAY(lf_array(i8, 2), lf_array(i16, 2), lf_array(i32, 2), lf_array(i64, 2), lf_array(u8, 2),
                            lf_array(u16, 2), lf_array(u32, 2), lf_array(u64, 2), lf_array(words, 3)));
}

static NOINLINE void addresses(void)
{
    void *low = (void *)(uintptr_t)0x1234, *high = (void *)(uintptr_t)0xfedcba98u, *none = NULL;
    OBSERVE(low, high, none);
    OBSERVE_OUTPUT(LF_OBJECT("low", low, "high", high, "none", none));
}

static NOINLINE void structures(void)
{
    struct pair {
        int16_t a, b, c;
    } pair = {1, 2, 3};
    struct bits {
        unsigned narrow : 3;
        int negative : 4;
    } bits = {5, -3};
    enum colour { RED = 2, BLUE = 7 } colour = BLUE;
    OBSERVE(pair, bits.narrow, bits.negative, colour);
    OBSERVE_OUTPUT(LF_OBJECT("nested", LF_OBJECT("list", LF_ARRAY(1, "two", 3.5, LF_OBJECT("four", true)), "null", lf_null())));
}

static NOINLINE void trees(void)
{
    cJSON *tree = cJSON_Parse("{\"a\": [1, 2.5, -3e10, true, null, \"\\u00e9\"], \"b\": {\"c\": 9007199254740991}}");
    OBSERVE(tree);
    OBSERVE_OUTPUT(LF_OBJECT("tree", tree, "beside", 1));
    cJSON_Delete(tree);
}

/* Where there is no 128-bit integer the text that one is sent as stands in its place. */
static NOINLINE void wide(void)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef __int128 lasting;
    __extension__ typedef unsigned __int128 natural;
    natural most = ~(natural)0;
    lasting least = -(lasting)(most >> 1) - 1, small = -7;
#else
    const char *most = "340282366920938463463374607431768211455", *least = "-170141183460469231731687303715884105728";
    int small = -7;
#endif
    OBSERVE(most, least, small);
}

static NOINLINE void numbers_of_a_model(void)
{
    OBSERVE_GENERATION();
    lf_value parameters = LF_OBJECT("temperature", 0.7, "top_k", 40, "stream", lf_bool(true));
    lf_update_current_observation(.model = "m", .model_parameters = parameters,
                                  .usage_details = LF_OBJECT("input", (int64_t)5000000000, "output", 2),
                                  .cost_details = LF_OBJECT("input", 0.0001, "output", 2e-7), .level = LF_LEVEL_WARNING,
                                  .status_message = "careful", .version = "v1");
}

int main(void)
{
    volatile double zero = 0.0; /* so that nothing is known when compiling */
    volatile bool yes = true, no = false;
    integers();
    truths(yes, no);
    truth(yes);
    truth(no);
    reals();
    no_numbers(strtod("nan", NULL) + zero, strtod("inf", NULL) + zero);
    characters();
    texts();
    arrays();
    addresses();
    structures();
    trees();
    wide();
    numbers_of_a_model();
    return portable_end();
}
