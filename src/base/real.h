/* What a double is, told by its bits. A program may build us as a part of itself with -ffast-math: then isnan and its like are
 * constants, comparisons take NaN for whatever suits, and the processor takes the smallest numbers for zero. So what may be
 * anything is handed on as bits, and becomes a double when it is known to be a number.
 */
#ifndef LF_SRC_REAL_H
#define LF_SRC_REAL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef enum lf__real {
    LF__REAL_ZERO,
    LF__REAL_TINY, /* below the normal numbers */
    LF__REAL_NORMAL,
    LF__REAL_INFINITE,
    LF__REAL_NAN
} lf__real;

enum { LF__REAL_MANTISSA_BITS = 52, LF__REAL_EXPONENT_MAX = 0x7ff, LF__REAL_EXPONENT_OF_1 = 1023 };

static inline uint64_t lf__real_bits(double d)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return bits;
}

static inline double lf__real_from_bits(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static inline int lf__real_exponent(uint64_t bits)
{
    return (int)(bits >> LF__REAL_MANTISSA_BITS & LF__REAL_EXPONENT_MAX);
}

static inline uint64_t lf__real_mantissa(uint64_t bits)
{
    return bits & (((uint64_t)1 << LF__REAL_MANTISSA_BITS) - 1);
}

static inline bool lf__real_is_negative(uint64_t bits)
{
    return bits >> 63 != 0;
}

static inline lf__real lf__real_class(uint64_t bits)
{
    int exponent = lf__real_exponent(bits);
    bool bare = lf__real_mantissa(bits) == 0;
    if (exponent == LF__REAL_EXPONENT_MAX)
        return bare ? LF__REAL_INFINITE : LF__REAL_NAN;
    return exponent != 0 ? LF__REAL_NORMAL : bare ? LF__REAL_ZERO : LF__REAL_TINY;
}

static inline bool lf__real_is_finite(uint64_t bits)
{
    return lf__real_exponent(bits) != LF__REAL_EXPONENT_MAX;
}

/* Is it a whole number of at most 2^53 either way? */
static inline bool lf__real_is_whole(uint64_t bits, int64_t *out)
{
    int before = lf__real_exponent(bits) - LF__REAL_EXPONENT_OF_1, behind = LF__REAL_MANTISSA_BITS - before; /* the point */
    uint64_t digits = lf__real_mantissa(bits) | (uint64_t)1 << LF__REAL_MANTISSA_BITS;
    *out = 0;
    if (lf__real_class(bits) == LF__REAL_ZERO)
        return true;
    if (before < 0 || behind < -1 || (behind == -1 && lf__real_mantissa(bits) != 0) ||
        (behind > 0 && (digits & (((uint64_t)1 << behind) - 1)) != 0))
        return false;
    int64_t value = (int64_t)(behind < 0 ? digits << 1 : digits >> behind);
    *out = lf__real_is_negative(bits) ? -value : value;
    return true;
}

/* The bits of the double that a float is. The smallest floats are normal numbers as doubles. */
static inline uint64_t lf__real_of_float(uint32_t bits)
{
    enum { MANTISSA_BITS = 23, EXPONENT_MAX = 0xff, EXPONENT_OF_1 = 127 };
    uint64_t sign = (uint64_t)(bits >> 31) << 63, mantissa = bits & (((uint32_t)1 << MANTISSA_BITS) - 1);
    uint64_t exponent = bits >> MANTISSA_BITS & EXPONENT_MAX;
    if (exponent == 0)
        return sign | lf__real_bits((double)mantissa * 0x1p-149);
    exponent = exponent == EXPONENT_MAX ? LF__REAL_EXPONENT_MAX : exponent + (uint64_t)(LF__REAL_EXPONENT_OF_1 - EXPONENT_OF_1);
    return sign | exponent << LF__REAL_MANTISSA_BITS | mantissa << (LF__REAL_MANTISSA_BITS - MANTISSA_BITS);
}

#endif
