/* What the bits of a number say is what arithmetic says of it, where it can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/base/real.h"

#include <float.h>
#include <math.h>

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed ^ *seed >> 29;
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void every_number_has_its_class(void **state)
{
    (void)state;
    assert_int_equal(lf__real_class(lf__real_bits(0.0)), LF__REAL_ZERO);
    assert_int_equal(lf__real_class((uint64_t)1 << 63), LF__REAL_ZERO);
    assert_int_equal(lf__real_class(1), LF__REAL_TINY);
    assert_int_equal(lf__real_class(lf__real_bits(DBL_MIN) - 1), LF__REAL_TINY);
    assert_int_equal(lf__real_class(lf__real_bits(DBL_MIN)), LF__REAL_NORMAL);
    assert_int_equal(lf__real_class(lf__real_bits(-DBL_MAX)), LF__REAL_NORMAL);
    assert_int_equal(lf__real_class(lf__real_bits(DBL_MAX) + 1), LF__REAL_INFINITE);
    assert_int_equal(lf__real_class(UINT64_C(0xfff0000000000000)), LF__REAL_INFINITE);
    assert_int_equal(lf__real_class(UINT64_C(0xfff0000000000001)), LF__REAL_NAN);
    assert_int_equal(lf__real_class(UINT64_C(0x7ff8000000000000)), LF__REAL_NAN);
}

static void assert_whole(double value, int64_t expected)
{
    int64_t whole = 7;
    assert_true(lf__real_is_whole(lf__real_bits(value), &whole));
    assert_int_equal(whole, expected);
}

static void assert_not_whole(uint64_t bits)
{
    int64_t whole;
    assert_false(lf__real_is_whole(bits, &whole));
}

static void whole_numbers_are_told(void **state)
{
    (void)state;
    assert_whole(0.0, 0);
    assert_whole(-0.0, 0);
    assert_whole(1.0, 1);
    assert_whole(-3.0, -3);
    assert_whole(9007199254740991.0, 9007199254740991);
    assert_whole(9007199254740992.0, 9007199254740992);
    assert_whole(-9007199254740992.0, -9007199254740992);
    assert_not_whole(lf__real_bits(9007199254740994.0));
    assert_not_whole(lf__real_bits(0.5));
    assert_not_whole(lf__real_bits(-1.5));
    assert_not_whole(lf__real_bits(4503599627370495.5));
    assert_not_whole(lf__real_bits(1e300));
    assert_not_whole(1);
    assert_not_whole(UINT64_C(0x7ff0000000000000));
    assert_not_whole(UINT64_C(0x7ff8000000000000));
    uint64_t seed = 1;
    for (int i = 0; i < 100000; i++) {
        int64_t n = (int64_t)next_random(&seed) >> (11 + i % 53);
        assert_whole((double)n, n);
        if (n < INT64_C(1) << 51 && n >= -(INT64_C(1) << 51))
            assert_not_whole(lf__real_bits((double)n + 0.5));
    }
}

static void floats_are_the_doubles_they_convert_to(void **state)
{
    (void)state;
    assert_int_equal(lf__real_of_float(0x7f800000), UINT64_C(0x7ff0000000000000));
    assert_int_equal(lf__real_of_float(0xffc00000), UINT64_C(0xfff8000000000000));
    assert_int_equal(lf__real_of_float(0x80000000), (uint64_t)1 << 63);
    assert_int_equal(lf__real_of_float(1), lf__real_bits(0x1p-149));
    assert_int_equal(lf__real_of_float(0x807fffff), lf__real_bits(-0x1.fffffcp-127));
    uint64_t seed = 1;
    for (int i = 0; i < 100000; i++) {
        uint32_t bits = (uint32_t)next_random(&seed);
        float value;
        memcpy(&value, &bits, sizeof value);
        if ((bits & 0x7f800000) != 0x7f800000 && (bits & 0x7f800000) != 0)
            assert_int_equal(lf__real_of_float(bits), lf__real_bits((double)value));
        bits &= 0x807fffff;
        double tiny = (double)(bits & 0x7fffff) * 0x1p-149;
        assert_int_equal(lf__real_of_float(bits), lf__real_bits(tiny) | (uint64_t)(bits >> 31) << 63);
    }
    assert_int_equal(lf__real_of_float(float_bits(FLT_MAX)), lf__real_bits((double)FLT_MAX));
    assert_int_equal(lf__real_of_float(float_bits(FLT_MIN)), lf__real_bits((double)FLT_MIN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_has_its_class),
        cmocka_unit_test(whole_numbers_are_told),
        cmocka_unit_test(floats_are_the_doubles_they_convert_to),
    };
    return cmocka_run_group_tests_name("real", tests, NULL, NULL);
}
