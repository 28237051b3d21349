/* Langfuse for C: the macros. One line in a function and its calls appear in Langfuse, with arguments, result and timing.
 *
 *     const char *answer(const char *question, int top_k)
 *     {
 *         OBSERVE(question, top_k);
 *         ...
 *         OBSERVE_RETURN(text);
 *     }
 *
 * gcc and clang; C11 and later, strict and gnu modes; C++17 and later. With -DLF_DISABLE every macro compiles to nothing.
 * Arguments are evaluated at most once, and not at all when capture or tracing is off: they must have no side effects.
 * Limits of the language, all in docs/macros.md: exit(), longjmp() and pthread_exit() leave scopes without running their
 * end, which the library notices later; a jump into a scope past the macro is an error (clang says so, gcc with
 * -Wjump-misses-init); behind a case label the macro needs braces, as every declaration does; no macros in signal handlers
 * nor between vfork and exec.
 */
#ifndef LF_OBSERVE_H
#define LF_OBSERVE_H

#include "lf_core.h"

/* ---- Values of any type ------------------------------------------------------------------------------------------- */

/* LF_VALUE(x): an lf_value of any integer or floating type, bool, char, char *, array, enum, bit-field, cJSON *, other
 * pointer (as hex), lf_value. A struct needs a converter, named before this file is included:
 *     #define LF_CAPTURE_TYPES struct point: point_value        where   lf_value point_value(struct point p);
 * or in C++ an overload  lf_value lf_capture_value(const point &p);  otherwise only its size is recorded.
 *
 * A char literal is an int in C and captured as such; `unsigned char *` is shown as an address, since it often is no text:
 * lf_strn(p, n) makes it text, lf_array(p, n) a list of numbers.
 */
struct cJSON;

static inline lf_value lf_i_v_value(lf_value value)
{
    return value;
}

static inline lf_value lf_i_v_bool(bool b)
{
    return lf_bool(b);
}

static inline lf_value lf_i_v_char(char c)
{
    lf_value value = lf_i_make(LF_KIND_CHAR, 0);
    value.as.i = LF_I_CAST(unsigned char, c);
    return value;
}

static inline lf_value lf_i_v_int(long long i)
{
    return lf_int(i);
}

static inline lf_value lf_i_v_uint(unsigned long long u)
{
    return lf_uint(u);
}

static inline lf_value lf_i_v_float(float f)
{
    lf_value value = lf_i_make(LF_KIND_FLOAT, 0);
    uint32_t bits;
    __builtin_memcpy(&bits, &f, sizeof bits);
    value.as.d = LF_I_CAST(double, f);
    if ((bits & 0x7f800000) == 0 && (bits & 0x7fffff) != 0) /* so small that -ffast-math may make it zero on the way */
        value.as.d = LF_I_CAST(double, bits & 0x7fffff) * (bits >> 31 != 0 ? -0x1p-149 : 0x1p-149);
    return value;
}

static inline lf_value lf_i_v_double(double d)
{
    return lf_double(d);
}

static inline lf_value lf_i_v_long_double(long double d)
{
    return lf_double(LF_I_CAST(double, d));
}

static inline lf_value lf_i_v_text(const char *text)
{
    return lf_text(text);
}

static inline lf_value lf_i_v_cjson(const struct cJSON *json)
{
    return lf_i_make_pointer(json == NULL ? LF_KIND_NULL : LF_KIND_CJSON, json, 0);
}

static inline lf_value lf_i_v_address(uintptr_t address)
{
    return lf_pointer(LF_I_ADDRESS_CAST(const void *, address));
}

static inline lf_value lf_i_v_opaque(size_t size)
{
    return lf_i_make(LF_KIND_OPAQUE, size);
}

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 lf_i_int128;
__extension__ typedef unsigned __int128 lf_i_uint128;

static inline lf_value lf_i_v_uint128(lf_i_uint128 u)
{
    lf_value value = lf_i_make(LF_KIND_UINT128, LF_I_CAST(uint64_t, u >> 64));
    value.as.u = LF_I_CAST(uint64_t, u);
    return value;
}

static inline lf_value lf_i_v_int128(lf_i_int128 i)
{
    lf_value value = lf_i_v_uint128(LF_I_CAST(lf_i_uint128, i));
    value.kind = LF_KIND_INT128;
    return value;
}
#define LF_I_INT128_TYPES lf_i_int128: lf_i_v_int128, lf_i_uint128: lf_i_v_uint128,
#define LF_I_INT128_BITS 128
#else
#define LF_I_INT128_TYPES
#define LF_I_INT128_BITS 0
#endif

static inline lf_value lf_i_array_of(lf_kind element, size_t element_size, const void *elements, size_t count)
{
    lf_value value = lf_i_make_pointer(LF_KIND_ARRAY, elements, count);
    value.element = LF_I_CAST(uint16_t, element);
    value.element_size = LF_I_CAST(uint32_t, element_size);
    return value;
}

static inline lf_value lf_i_secret(void)
{
    return lf_i_make(LF_KIND_SECRET, 0);
}

#ifndef __cplusplus

/* C23: gcc has nullptr since version 13, clang since 16. */
#if __STDC_VERSION__ > 201710L && ((defined(__clang_major__) && __clang_major__ >= 16) || (!defined(__clang__) && __GNUC__ >= 13))
static inline lf_value lf_i_v_nullptr(const void *nothing)
{
    (void)nothing;
    return lf_null();
}
#define LF_I_NULLPTR_TYPE __typeof__(nullptr): lf_i_v_nullptr,
#else
#define LF_I_NULLPTR_TYPE
#endif

#define LF_I_TYPES                                                                                             \
    LF_I_NULLPTR_TYPE lf_value: lf_i_v_value, bool: lf_i_v_bool, char: lf_i_v_char, signed char: lf_i_v_int, short: lf_i_v_int,  \
    int: lf_i_v_int, long: lf_i_v_int, long long: lf_i_v_int, unsigned char: lf_i_v_uint,                      \
    unsigned short: lf_i_v_uint, unsigned: lf_i_v_uint, unsigned long: lf_i_v_uint,                            \
    unsigned long long: lf_i_v_uint, LF_I_INT128_TYPES float: lf_i_v_float, double: lf_i_v_double,             \
    long double: lf_i_v_long_double, char *: lf_i_v_text, const char *: lf_i_v_text,                           \
    struct cJSON *: lf_i_v_cjson, const struct cJSON *: lf_i_v_cjson

#ifdef LF_CAPTURE_TYPES
#define LF_I_ALL_TYPES LF_I_TYPES, LF_CAPTURE_TYPES
#else
#define LF_I_ALL_TYPES LF_I_TYPES
#endif

/* A bit-field's type, as gcc sees it, is in no list, so the rest is sorted by class: 1 to 4 are integers, 5 pointers, 8
 * floating types, 18 the _BitInt of C23, others structs, vectors (-1 in older compilers) and their like. Every branch must
 * compile for every argument, hence the detours over 0.
 *
 * Each x in here is written out in full, and in LF_VALUE(LF_VALUE(...)) x is such a text itself: one x more, and every level of
 * nesting takes that much longer to compile. So nothing is asked twice: a class becomes a type by its number, as the size of an
 * array, and a set of classes is a mask. LF_OBJECT and LF_ARRAY, which do stand in each other, are taken as they are. */
#define LF_I_CLASS(x) __builtin_classify_type(x)
#define LF_I_IS_LISTED(x) (!__builtin_types_compatible_p(__typeof__(_Generic((x), LF_I_ALL_TYPES, default: 0)), int))
#define LF_I_IF(condition, a, b) __builtin_choose_expr(condition, a, b)
#define LF_I_SIZED(size) char(*)[size]

/* The classes of a mask; a class n is bit n + 1, since it may be -1. */
#define LF_I_IS_OF(classes, x) ((classes) >> (LF_I_CLASS(x) + 1) & 1)
#define LF_I_PLAIN_CLASSES (0x23c | LF_I_BITINT_CLASS) /* integers and floating types: their converters take them as they are */
#define LF_I_VALUE_CLASSES (0x27c | LF_I_BITINT_CLASS) /* and pointers */

#if defined(__BITINT_MAXWIDTH__) && __STDC_VERSION__ > 201710L && LF_I_INT128_BITS == 128 && \
    ((defined(__clang_major__) && __clang_major__ >= 18) || (!defined(__clang__) && __GNUC__ >= 14))
#define LF_I_BITINT_CLASS (1 << 19)
#define LF_I_BITINT(x) LF_I_IF(LF_I_CLASS(x) == 18, (x), 0)
/* Wider ones than 128 bits are as the compiler converts them: cut. */
#define LF_I_BITINT_CONVERTER(x)                                                                            \
    LF_I_SIZED(20): LF_I_IF((__typeof__(LF_I_BITINT(x)))-1 < 1, lf_i_v_int128, lf_i_v_uint128),
#else
#define LF_I_BITINT_CLASS 0
#define LF_I_BITINT_CONVERTER(x)
#endif

#define LF_I_CONVERTER(x)                                                                                          \
    _Generic((x), LF_I_ALL_TYPES,                                                                                  \
        default: _Generic((LF_I_SIZED(2 + LF_I_CLASS(x)))0, LF_I_SIZED(3): lf_i_v_int, LF_I_SIZED(4): lf_i_v_int,  \
                          LF_I_SIZED(5): lf_i_v_int, LF_I_SIZED(6): lf_i_v_int, LF_I_SIZED(7): lf_i_v_address,     \
                          LF_I_BITINT_CONVERTER(x) LF_I_SIZED(10): lf_i_v_long_double, default: lf_i_v_opaque))
#define LF_I_CONVERTIBLE(x)                                                                              \
    LF_I_IF(LF_I_IS_LISTED(x) || LF_I_IS_OF(LF_I_PLAIN_CLASSES, x), (x),                                 \
            LF_I_IF(LF_I_CLASS(x) == 5, (uintptr_t)LF_I_IF(LF_I_CLASS(x) == 5, (x), 0),                  \
                    sizeof(LF_I_IF(LF_I_IS_OF(LF_I_VALUE_CLASSES, x), 0, (x)))))
#define LF_VALUE(x) LF_I_CAT(LF_I_VALUE_, LF_I_IS_COMPOSITE(x))(x)
#define LF_I_VALUE_0(x) (LF_I_CONVERTER(x)(LF_I_CONVERTIBLE(x)))
#define LF_I_VALUE_1(x) x
#define LF_I_VALUE_OF(unused, x) LF_VALUE(x)

/* The value of x for a temporary: behind a comma even a bit-field is a plain value, which __auto_type takes. */
#define LF_I_COPY(x) ((void)0, (x))
/* A constant keeps what only constants have (0 is a null pointer, 1 fits a char); otherwise the temporary. */
#define LF_I_AGAIN(x, temporary) LF_I_IF(__builtin_constant_p(x), (x), temporary)

#define lf_array(elements, count)                                                                               \
    lf_i_array_of(_Generic(*(elements), bool: LF_KIND_BOOL, char: LF_KIND_CHAR, signed char: LF_KIND_INT,       \
                           short: LF_KIND_INT, int: LF_KIND_INT, long: LF_KIND_INT, long long: LF_KIND_INT,     \
                           unsigned char: LF_KIND_UINT, unsigned short: LF_KIND_UINT, unsigned: LF_KIND_UINT,   \
                           unsigned long: LF_KIND_UINT, unsigned long long: LF_KIND_UINT, float: LF_KIND_FLOAT, \
                           double: LF_KIND_DOUBLE, char *: LF_KIND_CSTRING, const char *: LF_KIND_CSTRING,      \
                           default: LF_KIND_POINTER),                                                           \
                  sizeof *(elements), (elements), (size_t)(count))

#define LF_I_LIST(...) ((const lf_value[]){LF_I_MAP(LF_I_VALUE_OF, , __VA_ARGS__)})
#define LF_I_MEMBERS(...) ((const lf_member[]){LF_I_PAIRS(__VA_ARGS__)})
#define LF_I_MEMBER(name, value) {name, value}

#else /* C++ */

extern "C++" {
#include <cstddef>
#include <exception>
#include <initializer_list>
#include <type_traits>
#include <utility>

inline lf_value lf_i_v(lf_value v) { return v; }
inline lf_value lf_i_v(bool v) { return lf_bool(v); }
inline lf_value lf_i_v(char v) { return lf_i_v_char(v); }
inline lf_value lf_i_v(float v) { return lf_i_v_float(v); }
inline lf_value lf_i_v(double v) { return lf_double(v); }
inline lf_value lf_i_v(long double v) { return lf_i_v_long_double(v); }
inline lf_value lf_i_v(const char *v) { return lf_text(v); }
inline lf_value lf_i_v(const struct cJSON *v) { return lf_i_v_cjson(v); }
inline lf_value lf_i_v(std::nullptr_t) { return lf_null(); }
#ifdef __SIZEOF_INT128__
inline lf_value lf_i_v(lf_i_int128 v) { return lf_i_v_int128(v); }
inline lf_value lf_i_v(lf_i_uint128 v) { return lf_i_v_uint128(v); }
#endif

template <class T, class = void> struct lf_i_has_converter : std::false_type {};
template <class T>
struct lf_i_has_converter<T, std::void_t<decltype(lf_capture_value(std::declval<const T &>()))>> : std::true_type {};
template <class T, class = void> struct lf_i_is_text : std::false_type {}; /* std::string, std::string_view and their like */
template <class T>
struct lf_i_is_text<
    T, std::void_t<decltype(std::declval<const T &>().size()),
                   std::enable_if_t<std::is_convertible_v<decltype(std::declval<const T &>().data()), const char *>>>>
    : std::true_type {};

template <class T> inline lf_value lf_i_convert(const T &v)
{
    if constexpr (lf_i_has_converter<T>::value)
        return lf_capture_value(v);
    else if constexpr (std::is_array_v<T>)
        return lf_i_convert(static_cast<const std::remove_extent_t<T> *>(v));
    else if constexpr (std::is_enum_v<T>)
        return lf_i_convert(static_cast<std::underlying_type_t<T>>(v));
#ifdef __SIZEOF_INT128__
    else if constexpr (std::is_same_v<T, lf_i_int128> || std::is_same_v<T, lf_i_uint128>)
        return lf_i_v(v);
#endif
    else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char>) {
        if constexpr (std::is_signed_v<T>)
            return lf_int(v);
        else
            return lf_uint(v);
    } else if constexpr (std::is_same_v<T, lf_value> || std::is_arithmetic_v<T> || std::is_null_pointer_v<T>)
        return lf_i_v(v);
    else if constexpr (std::is_same_v<T, char *> || std::is_same_v<T, const char *>)
        return lf_text(v);
    else if constexpr (std::is_same_v<T, struct cJSON *> || std::is_same_v<T, const struct cJSON *>)
        return lf_i_v_cjson(v);
    else if constexpr (std::is_pointer_v<T> || std::is_function_v<T>)
        return lf_i_v_address(reinterpret_cast<uintptr_t>(v));
    else if constexpr (lf_i_is_text<T>::value)
        return lf_strn(v.data(), v.size());
    else
        return lf_i_v_opaque(sizeof(T));
}

template <class T> inline lf_value lf_array(const T *elements, size_t count)
{
    constexpr lf_kind kind = std::is_same_v<T, bool>                                                  ? LF_KIND_BOOL
                             : std::is_same_v<T, char>                                                ? LF_KIND_CHAR
                             : std::is_same_v<T, float>                                               ? LF_KIND_FLOAT
                             : std::is_same_v<T, double>                                              ? LF_KIND_DOUBLE
                             : std::is_same_v<T, char *> || std::is_same_v<T, const char *>           ? LF_KIND_CSTRING
                             : (std::is_integral_v<T> || std::is_enum_v<T>) && std::is_unsigned_v<T>  ? LF_KIND_UINT
                             : std::is_integral_v<T> || std::is_enum_v<T>                             ? LF_KIND_INT
                                                                                                      : LF_KIND_POINTER;
    return lf_i_array_of(kind, sizeof(T), elements, count);
}

/* A scope that more exceptions leave than were under way when it was opened is left by one. */
inline void lf_i_remember_exceptions(lf_scope *scope)
{
    scope->words[3] = static_cast<uint64_t>(std::uncaught_exceptions());
}

inline void lf_i_scope_left(lf_scope *scope)
{
    if (scope->words[0] == 0)
        return;
    if (static_cast<uint64_t>(std::uncaught_exceptions()) > scope->words[3])
        lf_i_put_thrown(scope);
    lf_i_close(scope);
}

/* A name, a member of one, or a number is a word: x, x.y, x->y, -1. Nobody can tell whether these are evaluated once or twice. NULL
 * is expanded already where its text is asked for. */
enum class lf_i_text { expression, word, null };

constexpr lf_i_text lf_i_text_of(const char *text)
{
    if (__builtin_strcmp(text, "__null") == 0)
        return lf_i_text::null;
    for (const char *at = *text == '-' && text[1] >= '0' && text[1] <= '9' ? text + 1 : text; *at != '\0'; at++) {
        if (*at == '-' && at[1] == '>')
            at++;
        else if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') || *at == '_' ||
                   *at == '.'))
            return lf_i_text::expression;
    }
    return lf_i_text::word;
}

inline const lf_value *lf_i_list(const std::initializer_list<lf_value> &values) { return values.begin(); }
inline const lf_member *lf_i_members(const std::initializer_list<lf_member> &members) { return members.begin(); }
inline lf_member lf_i_member(const char *name, lf_value value) { return {name, value}; }

/* A bit-field cannot be bound to a reference to its own type; a copy can. */
#define LF_VALUE(x) lf_i_convert(x)
#define LF_I_VALUE_OF(unused, x) LF_VALUE(x)
#define LF_I_LIST(...) lf_i_list({LF_I_MAP(LF_I_VALUE_OF, , __VA_ARGS__)})
#define LF_I_MEMBERS(...) lf_i_members({LF_I_PAIRS(__VA_ARGS__)})
#define LF_I_MEMBER(name, value) lf_i_member(name, value)
}

#endif

/* There was a value, and it is not recorded. x is not evaluated. */
#define lf_secret(x) LF_I_INSTEAD_OF(LF_VALUE(x), lf_i_secret())

/* Composite values: LF_OBJECT("temperature", 0.2, "stream", true) of up to 16 pairs, LF_ARRAY(1, "two", 3.0) of up to 32
 * values. They live as long as the block (in C++: the expression) that they stand in. In C before C23 `true` is the number 1;
 * lf_bool(true) is true everywhere. */
#define LF_OBJECT(...) LF_I_COMPOSITE(LF_KIND_OBJECT, LF_I_MEMBERS(__VA_ARGS__), LF_I_COUNT_PAIRS(__VA_ARGS__))
#define LF_ARRAY(...) LF_I_COMPOSITE(LF_KIND_LIST, LF_I_LIST(__VA_ARGS__), LF_I_COUNT(__VA_ARGS__))

/* The function that makes a composite value. Its text begins with a list of eight in parentheses, by which LF_VALUE knows it. */
#define LF_I_COMPOSITE ((void)0, (void)0, (void)0, (void)0, (void)0, (void)0, (void)0, lf_i_make_pointer)
#define LF_I_IS_COMPOSITE(x) LF_I_CAT(LF_I_IS_COMPOSITE_, LF_I_IS_IN_PARENTHESES(x))(x)
#define LF_I_IS_COMPOSITE_0(x) 0
#define LF_I_IS_COMPOSITE_1(x) LF_I_FIRST(LF_I_IS_LIST_OF_8 x)
#define LF_I_IS_LIST_OF_8(...)                                                                                   \
    LF_I_64TH(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
              0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),

#define LF_I_COUNT_PAIRS(...) LF_I_CAT(LF_I_HALF_, LF_I_COUNT(__VA_ARGS__))
/* An odd number of arguments is an error already. */
#define LF_I_HALF_2 1
#define LF_I_HALF_4 2
#define LF_I_HALF_6 3
#define LF_I_HALF_8 4
#define LF_I_HALF_10 5
#define LF_I_HALF_12 6
#define LF_I_HALF_14 7
#define LF_I_HALF_16 8
#define LF_I_HALF_18 9
#define LF_I_HALF_20 10
#define LF_I_HALF_22 11
#define LF_I_HALF_24 12
#define LF_I_HALF_26 13
#define LF_I_HALF_28 14
#define LF_I_HALF_30 15
#define LF_I_HALF_32 16
#define LF_I_HALF_0 0
#define LF_I_HALF_1 0
#define LF_I_HALF_3 0
#define LF_I_HALF_5 0
#define LF_I_HALF_7 0
#define LF_I_HALF_9 0
#define LF_I_HALF_11 0
#define LF_I_HALF_13 0
#define LF_I_HALF_15 0
#define LF_I_HALF_17 0
#define LF_I_HALF_19 0
#define LF_I_HALF_21 0
#define LF_I_HALF_23 0
#define LF_I_HALF_25 0
#define LF_I_HALF_27 0
#define LF_I_HALF_29 0
#define LF_I_HALF_31 0
#define LF_I_HALF_MANY 0
#define LF_I_PAIRS(...) LF_I_CAT(LF_I_PAIRS_, LF_I_COUNT(__VA_ARGS__))(__VA_ARGS__)
#define LF_I_PAIR(k, v) LF_I_MEMBER((k), LF_VALUE(v))
#define LF_I_NOT_PAIRS LF_OBJECT_takes_pairs_of_a_name_and_a_value_up_to_16
#define LF_I_PAIRS_2(k, v) LF_I_PAIR(k, v)
#define LF_I_PAIRS_4(k, v, l, w) LF_I_PAIR(k, v), LF_I_PAIR(l, w)
#define LF_I_PAIRS_6(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_2(__VA_ARGS__)
#define LF_I_PAIRS_8(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_4(__VA_ARGS__)
#define LF_I_PAIRS_10(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_6(__VA_ARGS__)
#define LF_I_PAIRS_12(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_8(__VA_ARGS__)
#define LF_I_PAIRS_14(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_10(__VA_ARGS__)
#define LF_I_PAIRS_16(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_12(__VA_ARGS__)
#define LF_I_PAIRS_18(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_14(__VA_ARGS__)
#define LF_I_PAIRS_20(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_16(__VA_ARGS__)
#define LF_I_PAIRS_22(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_18(__VA_ARGS__)
#define LF_I_PAIRS_24(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_20(__VA_ARGS__)
#define LF_I_PAIRS_26(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_22(__VA_ARGS__)
#define LF_I_PAIRS_28(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_24(__VA_ARGS__)
#define LF_I_PAIRS_30(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_26(__VA_ARGS__)
#define LF_I_PAIRS_32(k, v, l, w, ...) LF_I_PAIR(k, v), LF_I_PAIR(l, w), LF_I_PAIRS_28(__VA_ARGS__)
#define LF_I_PAIRS_0(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_1(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_3(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_5(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_7(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_9(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_11(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_13(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_15(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_17(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_19(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_21(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_23(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_25(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_27(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_29(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_31(...) LF_I_NOT_PAIRS
#define LF_I_PAIRS_MANY(...) LF_I_NOT_PAIRS

/* ---- Parts of the macros ------------------------------------------------------------------------------------------ */

#define LF_I_COUNT_CHECKED(...) LF_I_CAT(LF_I_COUNT_OK_, LF_I_COUNT(__VA_ARGS__))
#define LF_I_COUNT_OK_0 0
#define LF_I_COUNT_OK_1 1
#define LF_I_COUNT_OK_2 2
#define LF_I_COUNT_OK_3 3
#define LF_I_COUNT_OK_4 4
#define LF_I_COUNT_OK_5 5
#define LF_I_COUNT_OK_6 6
#define LF_I_COUNT_OK_7 7
#define LF_I_COUNT_OK_8 8
#define LF_I_COUNT_OK_9 9
#define LF_I_COUNT_OK_10 10
#define LF_I_COUNT_OK_11 11
#define LF_I_COUNT_OK_12 12
#define LF_I_COUNT_OK_13 13
#define LF_I_COUNT_OK_14 14
#define LF_I_COUNT_OK_15 15
#define LF_I_COUNT_OK_16 16
#define LF_I_COUNT_OK_17 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_18 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_19 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_20 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_21 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_22 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_23 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_24 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_25 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_26 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_27 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_28 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_29 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_30 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_31 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_32 LF_I_at_most_16_arguments_can_be_captured
#define LF_I_COUNT_OK_MANY LF_I_at_most_16_arguments_can_be_captured

/* The captured arguments, or NULL when there are none or `wanted` is false: then nothing is evaluated. */
#define LF_I_CAPTURED(wanted, ...) LF_I_CAT(LF_I_CAPTURED_, LF_I_IS_EMPTY(__VA_ARGS__))(wanted, __VA_ARGS__)
#define LF_I_CAPTURED_1(wanted, ...) (LF_I_CAST(void, wanted), LF_I_CAST(const lf_value *, 0))
#define LF_I_CAPTURED_0(wanted, ...) ((wanted) ? LF_I_LIST(__VA_ARGS__) : LF_I_CAST(const lf_value *, 0))

/* Functions, so that a temporary has an address in C and in C++. */
static inline void lf_i_put_return_value(const char *around, uint64_t at, lf_value value)
{
    lf_i_put_return(around, at, &value);
}

static inline void lf_i_put_output_value(const char *around, uint64_t at, lf_value value)
{
    lf_i_put_output(around, at, &value);
}

static inline void lf_i_put_result_value(lf_scope *scope, lf_value value)
{
    lf_i_put_result(scope, &value);
}

static inline bool lf_i_wants(int mode, lf_switch said)
{
    return said == LF_DEFAULT ? mode == LF_I_ON_CAPTURING : said == LF_ON;
}

/* Without the folder: the paths of a build are nobody's business. */
#ifdef __FILE_NAME__
#define LF_I_FILE __FILE_NAME__
#else
#define LF_I_FILE ""
#endif

/* `function` NULL: the first of `names` is the observation's name. `names` of OBSERVE_WITH begin with its options. */
#define LF_I_SITE(variable, function, names, type, ...) LF_I_SITE_IN(__func__, variable, function, names, type, __VA_ARGS__)
#define LF_I_SITE_IN(around, variable, function, names, type, ...)                                                      \
    static lf_site variable = {LANGFUSE_VERSION_NUM, 0, function, LF_I_FILE, names, __LINE__, type,                         \
                               LF_I_COUNT_CHECKED(__VA_ARGS__), around, LF_I_AT, LF_I_DEPTH < 255 ? LF_I_DEPTH : 255}

/* What opens the scope variable that it is given; `lf_i_now` is what the thread should do. */
#define LF_I_OPEN(id, scope, function, names, type, ...)                                                                \
    LF_I_NO_NAME(names);                                                                                                \
    LF_I_SITE(LF_I_CAT(lf_i_site_, id), function, names, type, __VA_ARGS__);                                            \
    lf_i_open(scope, &LF_I_CAT(lf_i_site_, id), LF_I_CAPTURED(LF_I_CAT(lf_i_now_, id) == LF_I_ON_CAPTURING, __VA_ARGS__), \
              lf_i_stack_pointer());

/* The options without their parentheses. */
#define LF_I_OPTIONS(options) LF_I_CAT(LF_I_OPTIONS_, LF_I_IS_IN_PARENTHESES(options))(options)
#define LF_I_OPTIONS_1(options) LF_I_UNWRAP options
#define LF_I_OPTIONS_0(options) = LF_I_the_options_of_OBSERVE_WITH_stand_in_parentheses

#define LF_I_OPEN_WITH(id, scope, options, names, ...)                                                                  \
    LF_I_SITE(LF_I_CAT(lf_i_site_, id), __func__, names, LF_SPAN, __VA_ARGS__);                                         \
    lf_observe_options LF_I_FIELDS(id) = LF_I_ZERO;                                                                     \
    LF_I_SET_THEN(id,                                                                                                   \
                  lf_i_open_with(scope, &LF_I_CAT(lf_i_site_, id), &LF_I_FIELDS(id),                                    \
                                 LF_I_CAPTURED(lf_i_wants(LF_I_CAT(lf_i_now_, id), LF_I_FIELDS(id).capture_input),      \
                                               __VA_ARGS__),                                                            \
                                 lf_i_stack_pointer()),                                                                 \
                  LF_I_OPTIONS(options));

#define LF_I_OPEN_ATTRIBUTES(id, scope, ...)                                                                            \
    LF_I_SITE(LF_I_CAT(lf_i_site_, id), "", "", LF_TYPE_DEFAULT, );                                                     \
    lf_attributes LF_I_FIELDS(id) = LF_I_ZERO;                                                                          \
    LF_I_SET_THEN(id, lf_i_open_attributes(scope, &LF_I_CAT(lf_i_site_, id), &LF_I_FIELDS(id), lf_i_stack_pointer()),   \
                  __VA_ARGS__);

#define LF_I_OPEN_CONTEXT(id, scope, context)                                                                           \
    LF_I_SITE(LF_I_CAT(lf_i_site_, id), "", "", LF_TYPE_DEFAULT, );                                                     \
    lf_i_open_context(scope, &LF_I_CAT(lf_i_site_, id), context, lf_i_stack_pointer());

#define LF_I_OPEN_UNDER(id, scope, observation)                                                                         \
    LF_I_SITE(LF_I_CAT(lf_i_site_, id), "", "", LF_TYPE_DEFAULT, );                                                     \
    lf_i_open_under(scope, &LF_I_CAT(lf_i_site_, id), observation, lf_i_stack_pointer());

/* The one switch between on and off. Off, arguments are still compiled, so that neither they nor the macros rot
 * and nothing becomes an unused parameter; no code and no data come of it. The attribute stands behind the name: in front,
 * gcc would accept `if (x) OBSERVE();` and drop the cleanup. A scope is two variables, since what is opened must be an
 * expression of a declaration, and no initializer may write over what the library keeps in the first. */
#ifndef __cplusplus
#define LF_I_SCOPE_LEFT lf_i_scope_end
#define LF_I_REMEMBER_EXCEPTIONS(scope)
#else
#define LF_I_SCOPE_LEFT lf_i_scope_left
#define LF_I_REMEMBER_EXCEPTIONS(scope) lf_i_remember_exceptions(scope)
#endif
#ifndef LF_DISABLE
#define LF_I_ENABLED 1
#define LF_I_SCOPE(id, used, open, ...)                                                                    \
    LF_I_SCOPE_VARIABLE(id);                                                                               \
    LF_I_BLOCK_HAS_SCOPE(id)                                                                               \
    LF_I_SCOPE_OPENED(id, open, __VA_ARGS__)
#define LF_I_SCOPE_OF_NO_BLOCK(id, open, ...)                                                              \
    LF_I_SCOPE_VARIABLE(id);                                                                               \
    LF_I_SCOPE_OPENED(id, open, __VA_ARGS__)
/* `if (x) OBSERVE(x);` is an error that names the type in C, the variable in C++. */
typedef lf_scope lf_i_scope_needs_braces;
#define LF_I_SCOPE_NAME(id) LF_I_CAT(lf_i_scope_needs_braces_, id)
#define LF_I_SCOPE_VARIABLE(id) \
    lf_i_scope_needs_braces LF_I_SCOPE_NAME(id) __attribute__((cleanup(LF_I_SCOPE_LEFT), unused))
#define LF_I_SCOPE_OPENED(id, open, ...)                                                                   \
    const bool LF_I_CAT(lf_i_opened_, id) __attribute__((unused)) = __extension__({                        \
        const int LF_I_CAT(lf_i_now_, id) = lf_i_mode();                                                   \
        LF_I_SCOPE_NAME(id).words[0] = 0;                                                                  \
        if (LF_I_CAT(lf_i_now_, id) >= LF_I_ON) {                                                          \
            LF_I_REMEMBER_EXCEPTIONS(&LF_I_SCOPE_NAME(id));                                                \
            open(id, &LF_I_SCOPE_NAME(id), __VA_ARGS__)                                                    \
        }                                                                                                  \
        true;                                                                                              \
    })
#define LF_I_WHEN_ON(call) (lf_i_mode() >= LF_I_ON ? (call) : (void)0)
#else
#define LF_I_ENABLED 0
#define LF_I_SCOPE(id, used, open, ...) LF_I_UNUSED(id, LF_I_USED used)
#define LF_I_UNUSED(id, x) const bool LF_I_CAT(lf_i_unused_, id) __attribute__((unused)) = LF_I_INSTEAD_OF(x, true)
#define LF_I_WHEN_ON(call) LF_I_INSTEAD_OF(call, (void)0)
#endif
#define LF_I_UNUSED_FIELDS(type, ...) LF_I_WITH_FIELDS(type, sizeof, __VA_ARGS__)
#define LF_I_USED(...) LF_I_CAT(LF_I_USED_, LF_I_IS_EMPTY(__VA_ARGS__))(__VA_ARGS__)
#define LF_I_USED_1(...) 0
#define LF_I_USED_0(...) LF_I_LIST(__VA_ARGS__)

#define LF_I_OBSERVE(type, names, ...) LF_I_OBSERVE_(__COUNTER__, type, names, __VA_ARGS__)
#define LF_I_OBSERVE_(id, type, names, ...) LF_I_SCOPE(id, (__VA_ARGS__), LF_I_OPEN, __func__, names, type, __VA_ARGS__)

/* ---- The macros --------------------------------------------------------------------------------------------------- */

/* An observation that lasts until the enclosing scope is left: a declaration. It is named after the function; its input is
 * an object of the arguments by name. Nests by call and by scope. */
#define OBSERVE(...) LF_I_OBSERVE(LF_SPAN, #__VA_ARGS__, __VA_ARGS__)
#define OBSERVE_GENERATION(...) LF_I_OBSERVE(LF_GENERATION, #__VA_ARGS__, __VA_ARGS__)
#define OBSERVE_AGENT(...) LF_I_OBSERVE(LF_AGENT, #__VA_ARGS__, __VA_ARGS__)
#define OBSERVE_TOOL(...) LF_I_OBSERVE(LF_TOOL, #__VA_ARGS__, __VA_ARGS__)
#define OBSERVE_CHAIN(...) LF_I_OBSERVE(LF_CHAIN, #__VA_ARGS__, __VA_ARGS__)
#define OBSERVE_RETRIEVER(...) LF_I_OBSERVE(LF_RETRIEVER, #__VA_ARGS__, __VA_ARGS__)
#define OBSERVE_EVALUATOR(...) LF_I_OBSERVE(LF_EVALUATOR, #__VA_ARGS__, __VA_ARGS__)
#define OBSERVE_EMBEDDING(...) LF_I_OBSERVE(LF_EMBEDDING, #__VA_ARGS__, __VA_ARGS__)
#define OBSERVE_GUARDRAIL(...) LF_I_OBSERVE(LF_GUARDRAIL, #__VA_ARGS__, __VA_ARGS__)

/* OBSERVE_WITH((.name = "llm-call", .type = LF_GENERATION, .capture_input = LF_OFF), prompt, ...); the options are the
 * fields of lf_observe_options, in any order. */
#define OBSERVE_WITH(...) LF_I_WITH(#__VA_ARGS__, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#ifndef LF_DISABLE
#define LF_I_WITH(names, options, ...) LF_I_WITH_(__COUNTER__, names, options, __VA_ARGS__)
#define LF_I_WITH_(id, names, options, ...) LF_I_SCOPE(id, (__VA_ARGS__), LF_I_OPEN_WITH, options, names, __VA_ARGS__)
#else
#define LF_I_WITH(names, options, ...) LF_I_WITH_(__COUNTER__, options, __VA_ARGS__)
#define LF_I_WITH_(id, options, ...) \
    LF_I_UNUSED(id, ((void)LF_I_UNUSED_FIELDS(lf_observe_options, LF_I_OPTIONS(options)), LF_I_USED(__VA_ARGS__)))
#endif

/* Return x and record it as the output of the innermost open observation. x is evaluated exactly once. */
#define OBSERVE_RETURN(...) LF_I_CAT(LF_I_RETURN_, LF_I_IS_EMPTY(__VA_ARGS__))(__VA_ARGS__)
#define LF_I_RETURN_1(...) return LF_I_OBSERVE_RETURN_needs_a_value_write_a_plain_return
#define LF_I_VOID_ERROR "OBSERVE_RETURN needs a value: call the void function before, then write a plain return"
#ifndef __cplusplus
#define LF_I_RETURN_0(x)                                                       \
    do {                                                                       \
        _Static_assert(!LF_I_IS_VOID(LF_I_COPY(x)), LF_I_VOID_ERROR);          \
        __extension__ __auto_type lf_i_result = LF_I_COPY(x);                  \
        LF_I_WHEN_ON(lf_i_put_return_value(LF_I_HERE, LF_VALUE(lf_i_result))); \
        return LF_I_AGAIN(x, lf_i_result);                                     \
    } while (0)
#else
/* C++: x may be a reference or what only moves. `return x` moves a local variable, copies a bit-field, and knows that the constant
 * 1 fits a short. So a name or a number is captured, and then returned as it is. Any other expression is the argument of a
 * function that returns it: a reference where it is one, otherwise its value. */
extern "C++" {
template <class T> constexpr const T &lf_i_OBSERVE_RETURN_needs_a_value(const T &value)
{
    return value;
}
template <lf_i_text text> using lf_i_is = std::integral_constant<lf_i_text, text>;

template <class T> inline T lf_i_returned(lf_i_is<lf_i_text::expression>, const char *around, uint64_t at, T &&value)
{
    LF_I_WHEN_ON(lf_i_put_return_value(around, at, LF_VALUE(value)));
    return static_cast<T &&>(value);
}

/* What follows is of words, is only compiled, and only has to fit the function's type. */
template <class T> struct lf_i_unreached { /* a variable that cannot be copied fits a value and a reference */
    operator T() const &;
    template <class U, class = std::enable_if_t<!std::is_same_v<U, T> && std::is_convertible_v<T, U>>> operator U() const &;
    template <class U, class = std::enable_if_t<std::is_convertible_v<T *, U *>>> operator U &() const &;
};
template <class T>
std::conditional_t<std::is_class_v<T> && !std::is_abstract_v<T> && !std::is_copy_constructible_v<T>, lf_i_unreached<T>, T &>
lf_i_returned(lf_i_is<lf_i_text::word>, const char *, uint64_t, const T &);
template <class T, class = std::enable_if_t<!std::is_lvalue_reference_v<T>>>
constexpr T lf_i_returned(lf_i_is<lf_i_text::word>, const char *, uint64_t, T &&value)
{
    return static_cast<T &&>(value);
}
std::nullptr_t lf_i_returned(lf_i_is<lf_i_text::null>, ...);
}
#define LF_I_RETURN_0(...)                                                                                          \
    do {                                                                                                            \
        if constexpr (lf_i_text_of(#__VA_ARGS__) != lf_i_text::expression) {                                        \
            LF_I_WHEN_ON(lf_i_put_return_value(LF_I_HERE, LF_VALUE(lf_i_OBSERVE_RETURN_needs_a_value(__VA_ARGS__)))); \
            return __VA_ARGS__;                                                                                     \
        } else {                                                                                                    \
            return lf_i_returned(lf_i_is<lf_i_text_of(#__VA_ARGS__)>(), LF_I_HERE, __VA_ARGS__);                    \
        }                                                                                                           \
    } while (0)
#endif

/* Set the output of the innermost open observation by hand; kept even where capture is off. */
#define OBSERVE_OUTPUT(x) LF_I_WHEN_ON(lf_i_put_output_value(LF_I_HERE, LF_VALUE(x)))

/* Level ERROR and a status message, printf style: OBSERVE_ERROR("bad status %d", status). */
#define OBSERVE_ERROR(...) LF_I_WHEN_ON(lf_i_put_error(LF_I_HERE, __VA_ARGS__))

/* The rest of this scope, and what it calls, has these attributes: the current observation, and every one begun from here on.
 *     OBSERVE_ATTRIBUTES(.user_id = "u", .session_id = "s", .tags = LF_TAGS("a", "b"), .metadata = LF_OBJECT("plan", "pro"));
 * The fields are those of lf_attributes. Within another such scope the inner text wins, tags and metadata add up. */
#define LF_TAGS(...) LF_ARRAY(__VA_ARGS__)
#ifndef LF_DISABLE
#define OBSERVE_ATTRIBUTES(...) LF_I_ATTRIBUTES(__COUNTER__, __VA_ARGS__)
#define LF_I_ATTRIBUTES(id, ...) LF_I_SCOPE(id, (), LF_I_OPEN_ATTRIBUTES, __VA_ARGS__)
#else
#define OBSERVE_ATTRIBUTES(...) LF_I_ATTRIBUTES(__COUNTER__, __VA_ARGS__)
#define LF_I_ATTRIBUTES(id, ...) LF_I_UNUSED(id, LF_I_UNUSED_FIELDS(lf_attributes, __VA_ARGS__))
#endif

/* Calls of the core that only observe follow the same switch; what would return a handle returns NULL. */
#ifdef LF_DISABLE
static inline __attribute__((always_inline)) lf_observation *lf_i_no_handle(void) /* a plain NULL would be an unused value */
{
    return NULL;
}
#define LF_I_NO_HANDLE(call) LF_I_INSTEAD_OF(call, lf_i_no_handle())
#undef lf_update_current_observation
#define lf_update_current_observation(...) \
    LF_I_WHEN_ON(LF_I_WITH_FIELDS_HERE(lf_observation_fields, lf_i_put_fields, __VA_ARGS__))
#undef lf_update_current_trace
#define lf_update_current_trace(...) \
    LF_I_WHEN_ON(LF_I_WITH_FIELDS(lf_trace_fields, lf_update_current_trace_with, __VA_ARGS__))
#undef lf_start_observation
#define lf_start_observation(...) \
    LF_I_NO_HANDLE(LF_I_WITH_FIELDS(lf_observation_fields, lf_start_observation_with, __VA_ARGS__))
#undef lf_start_as_current_observation
#define lf_start_as_current_observation(...) \
    LF_I_NO_HANDLE(LF_I_WITH_FIELDS(lf_observation_fields, lf_start_as_current_observation_with, __VA_ARGS__))
#undef lf_create_event
#define lf_create_event(...) LF_I_NO_HANDLE(LF_I_WITH_FIELDS(lf_observation_fields, lf_create_event_with, __VA_ARGS__))
#undef lf_observation_update
#define lf_observation_update(...) \
    LF_I_WHEN_ON(LF_I_FOR_OBSERVATION(lf_observation_update_with, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__)))
#undef lf_observation_end
#define lf_observation_end(...) \
    LF_I_WHEN_ON(LF_I_FOR_OBSERVATION(lf_observation_end_with, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__)))
#define lf_output_append(text, size) LF_I_WHEN_ON(lf_output_append(text, size))
#define lf_observation_output_append(observation, text, size) LF_I_WHEN_ON(lf_observation_output_append(observation, text, size))
#endif

/* The rest of this scope runs in a context (lf_context_copy, lf_extract): its observations become children of the context's.
 * With NULL it is in no trace: each observation that begins here begins one of its own. */
#define OBSERVE_CONTEXT(context) LF_I_CONTEXT(__COUNTER__, context)
#define LF_I_CONTEXT(id, context) LF_I_SCOPE(id, (context), LF_I_OPEN_CONTEXT, context)

/* The rest of this scope runs below a handle: its observations become the handle's children, and lf_update_current_observation
 * updates the handle. For callbacks of an event loop, which return before the next one runs. With NULL nothing changes. */
#define OBSERVE_UNDER(observation) LF_I_UNDER(__COUNTER__, observation)
#define LF_I_UNDER(id, observation) LF_I_SCOPE(id, (observation), LF_I_OPEN_UNDER, observation)

/* End the scopes that a jump to this place has skipped: behind setjmp, in PG_CATCH, behind lua_pcall. Every scope that was
 * left below this point ends now, marked "incomplete: abandoned"; those around this point stay open. An expression without a
 * value. Threads: of the calling thread only. Blocks: never. It does nothing where no scope was skipped.
 *     if (setjmp(env) == 0) { work(); } else { OBSERVE_CAUGHT(); OBSERVE_ERROR("work failed"); }
 * docs/macros.md says what is noticed without it, and what is not. */
#define OBSERVE_CAUGHT() \
    LF_I_WHEN_ON((lf_i_stay_a_function(), lf_i_caught(__func__, LF_I_AT, lf_i_stack_pointer(), LF_I_FRAME_TOP)))

/* The decorator: wraps a whole definition, whose ordinary return statements are captured. Parameters as (type, name):
 *     OBSERVE_FN(char *, answer, (const char *, question), (int, top_k)) { return llm(question, top_k); }
 * `static` may stand in front. Recursion through the name is observed too. Types that wrap around a name (arrays, function
 * pointers) need a typedef. */
#define OBSERVE_FN(...) LF_I_FN(LF_I_OBSERVE_FN(LF_SPAN, LF_I_REST(LF_I_REST(__VA_ARGS__))), __VA_ARGS__)
#define OBSERVE_GENERATION_FN(...) LF_I_FN(LF_I_OBSERVE_FN(LF_GENERATION, LF_I_REST(LF_I_REST(__VA_ARGS__))), __VA_ARGS__)
#define OBSERVE_VOID_FN(...) LF_I_VOID_FN(LF_I_OBSERVE_FN(LF_SPAN, LF_I_REST(__VA_ARGS__)), __VA_ARGS__)
/* OBSERVE_FN_WITH((.name = "llm-call", .type = LF_GENERATION), char *, ask, (const char *, prompt)) { ... } */
#define OBSERVE_FN_WITH(...)                                                                                     \
    LF_I_FN(LF_I_OBSERVE_FN_WITH(LF_I_FIRST(__VA_ARGS__), LF_I_REST(LF_I_REST(LF_I_REST(__VA_ARGS__)))),         \
            LF_I_REST(__VA_ARGS__))

#define LF_I_PARAMETER(unused, pair) LF_I_CAT(LF_I_PARAMETER_, LF_I_IS_IN_PARENTHESES(pair))(pair)
#define LF_I_PARAMETER_0(pair) LF_I_write_each_parameter_as_a_pair_of_type_and_name_in_parentheses pair
#define LF_I_PARAMETER_1(pair) LF_I_TYPE_AND_NAME pair
#define LF_I_TYPE_AND_NAME(type, name) type name
#define LF_I_NAME(unused, pair) LF_I_CAT(LF_I_NAME_, LF_I_IS_IN_PARENTHESES(pair))(pair)
#define LF_I_NAME_0(pair) 0
#define LF_I_NAME_1(pair) LF_I_SECOND pair
#define LF_I_SECOND(type, name) name
#define LF_I_NAMES(...) LF_I_MAP(LF_I_NAME, , __VA_ARGS__)
#ifndef __cplusplus
#define LF_I_PASSED(...) LF_I_NAMES(__VA_ARGS__)
#else /* a parameter by value may be one that only moves */
#define LF_I_PASS(unused, pair) static_cast<decltype(LF_I_NAME(, pair)) &&>(LF_I_NAME(, pair))
#define LF_I_PASSED(...) LF_I_MAP(LF_I_PASS, , __VA_ARGS__)
#endif
#define LF_I_PARAMETERS(...) LF_I_CAT(LF_I_PARAMETERS_, LF_I_IS_EMPTY(__VA_ARGS__))(__VA_ARGS__)
#define LF_I_PARAMETERS_1(...) void
#define LF_I_PARAMETERS_0(...) LF_I_MAP(LF_I_PARAMETER, , __VA_ARGS__)
#define LF_I_OBSERVE_FN(type, ...) LF_I_OBSERVE_FN_(type, LF_I_TEXT(LF_I_NAMES(__VA_ARGS__)), LF_I_NAMES(__VA_ARGS__))
#define LF_I_OBSERVE_FN_(type, names, ...) LF_I_OBSERVE(type, names, __VA_ARGS__)
#define LF_I_OBSERVE_FN_WITH(options, ...) \
    LF_I_WITH("()," LF_I_TEXT(LF_I_NAMES(__VA_ARGS__)), options, LF_I_NAMES(__VA_ARGS__))

/* An exception's text becomes the status message, then the exception goes on. Nothing else is caught: pthread_exit and
 * cancellation unwind through here. */
#if defined(__cplusplus) && defined(__cpp_exceptions)
#define LF_I_TRY try
#define LF_I_TELL_AND_RETHROW                                                                         \
    catch (const std::exception &lf_i_thrown) { OBSERVE_ERROR("%s", lf_i_thrown.what()); throw; }     \
    catch (const char *lf_i_thrown) { OBSERVE_ERROR("%s", lf_i_thrown); throw; }
#else
#define LF_I_TRY
#define LF_I_TELL_AND_RETHROW
#endif

/* The first declaration takes the user's `static`; the definition then inherits it. */
#define LF_I_FN(observe, ...) \
    LF_I_FN_(observe, LF_I_FIRST(__VA_ARGS__), LF_I_FIRST(LF_I_REST(__VA_ARGS__)), LF_I_REST(LF_I_REST(__VA_ARGS__)))
#define LF_I_VOID_FN(observe, ...) LF_I_VOID_FN_(observe, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#ifndef LF_DISABLE
#define LF_I_FN_(observe, type, name, ...)                                                 \
    type name(LF_I_PARAMETERS(__VA_ARGS__));                                               \
    static type LF_I_CAT(lf_i_body_, name)(LF_I_PARAMETERS(__VA_ARGS__));                  \
    type name(LF_I_PARAMETERS(__VA_ARGS__))                                                \
    {                                                                                      \
        observe;                                                                           \
        LF_I_TRY { OBSERVE_RETURN(LF_I_CAT(lf_i_body_, name)(LF_I_PASSED(__VA_ARGS__))); } \
        LF_I_TELL_AND_RETHROW                                                              \
    }                                                                                      \
    static type LF_I_CAT(lf_i_body_, name)(LF_I_PARAMETERS(__VA_ARGS__))
#define LF_I_VOID_FN_(observe, name, ...)                                                  \
    void name(LF_I_PARAMETERS(__VA_ARGS__));                                               \
    static void LF_I_CAT(lf_i_body_, name)(LF_I_PARAMETERS(__VA_ARGS__));                  \
    void name(LF_I_PARAMETERS(__VA_ARGS__))                                                \
    {                                                                                      \
        observe;                                                                           \
        LF_I_TRY { LF_I_CAT(lf_i_body_, name)(LF_I_PASSED(__VA_ARGS__)); }                 \
        LF_I_TELL_AND_RETHROW                                                              \
    }                                                                                      \
    static void LF_I_CAT(lf_i_body_, name)(LF_I_PARAMETERS(__VA_ARGS__))
#else
#define LF_I_FN_(observe, type, name, ...) type name(LF_I_PARAMETERS(__VA_ARGS__))
#define LF_I_VOID_FN_(observe, name, ...) void name(LF_I_PARAMETERS(__VA_ARGS__))
#endif

/* Observe one call of a function that you cannot edit: char *text = OBSERVE_CALL(llm_complete, prompt, 256);
 * Named after the function; keys of the input as for OBSERVE. Each argument is evaluated exactly once, on or off. */
#ifdef LF_DISABLE
#define OBSERVE_CALL(...) LF_I_FIRST(__VA_ARGS__)(LF_I_REST(__VA_ARGS__))
#else
#define OBSERVE_CALL(...) LF_I_CALL(__COUNTER__, #__VA_ARGS__, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#endif

#ifndef __cplusplus
#define LF_I_CALL(id, names, fn, ...) LF_I_CALL_(id, names, fn, __VA_ARGS__)
#define LF_I_CALL_(id, names, fn, ...)                                                                              \
    __extension__({                                                                                                 \
        LF_I_STATIC_ASSERT(LF_I_COUNT_CHECKED(__VA_ARGS__) >= 0, "");                                               \
        LF_I_EACH(LF_I_CALL_COPY, LF_I_NOTHING, id, __VA_ARGS__)                                                    \
        LF_I_SCOPE_OF_NO_BLOCK(id, LF_I_OPEN_CALL, names, LF_I_EACH(LF_I_CALL_TEMPORARY, LF_I_COMMA, id, __VA_ARGS__)); \
        LF_I_CALL_RESULT(id, LF_I_CAT(lf_i_result_, id), fn(LF_I_EACH(LF_I_CALL_PASS, LF_I_COMMA, id, __VA_ARGS__))) \
    })
/* In no function, as far as jumps are concerned: nothing but the call is in this scope. */
#define LF_I_OPEN_CALL(id, scope, names, ...)                                                                           \
    LF_I_SITE_IN(LF_I_NO_TEXT, LF_I_CAT(lf_i_site_, id), LF_I_NO_TEXT, names, LF_SPAN, __VA_ARGS__);              \
    lf_i_open(scope, &LF_I_CAT(lf_i_site_, id), LF_I_CAPTURED(LF_I_CAT(lf_i_now_, id) == LF_I_ON_CAPTURING, __VA_ARGS__), \
              lf_i_stack_pointer());
#define LF_I_CALL_COPY(id, n, x) __auto_type lf_i_a##id##_##n = LF_I_COPY(x);
#define LF_I_CALL_TEMPORARY(id, n, x) lf_i_a##id##_##n
#define LF_I_CALL_PASS(id, n, x) LF_I_AGAIN(x, lf_i_a##id##_##n)
/* A void function has no result to record: 0 stands in for it, and the value of the whole is that 0. The value is written as an
 * assignment, since a plain variable is an unused value to clang where nobody uses it and the call stands in another macro. */
#define LF_I_IS_VOID(call) __builtin_types_compatible_p(__typeof__(call), void)
#define LF_I_CALL_RESULT(id, result, call)                                                              \
    __auto_type result = LF_I_IF(LF_I_IS_VOID(call), ((void)(call), 0), (call));                        \
    if (!LF_I_IS_VOID(call))                                                                            \
        LF_I_WHEN_ON(lf_i_put_result_value(&LF_I_SCOPE_NAME(id), LF_VALUE(result)));                    \
    result = result;

/* m(id, position, argument) for each argument, with separator() between. */
#define LF_I_EACH(m, separator, id, ...) LF_I_CAT(LF_I_EACH_, LF_I_COUNT(__VA_ARGS__))(m, separator, id, __VA_ARGS__)
#define LF_I_EACH_0(m, s, id, ...)
#define LF_I_EACH_1(m, s, id, a) m(id, 1, a)
#define LF_I_EACH_2(m, s, id, a, ...) m(id, 2, a) s() LF_I_EACH_1(m, s, id, __VA_ARGS__)
#define LF_I_EACH_3(m, s, id, a, ...) m(id, 3, a) s() LF_I_EACH_2(m, s, id, __VA_ARGS__)
#define LF_I_EACH_4(m, s, id, a, ...) m(id, 4, a) s() LF_I_EACH_3(m, s, id, __VA_ARGS__)
#define LF_I_EACH_5(m, s, id, a, ...) m(id, 5, a) s() LF_I_EACH_4(m, s, id, __VA_ARGS__)
#define LF_I_EACH_6(m, s, id, a, ...) m(id, 6, a) s() LF_I_EACH_5(m, s, id, __VA_ARGS__)
#define LF_I_EACH_7(m, s, id, a, ...) m(id, 7, a) s() LF_I_EACH_6(m, s, id, __VA_ARGS__)
#define LF_I_EACH_8(m, s, id, a, ...) m(id, 8, a) s() LF_I_EACH_7(m, s, id, __VA_ARGS__)
#define LF_I_EACH_9(m, s, id, a, ...) m(id, 9, a) s() LF_I_EACH_8(m, s, id, __VA_ARGS__)
#define LF_I_EACH_10(m, s, id, a, ...) m(id, 10, a) s() LF_I_EACH_9(m, s, id, __VA_ARGS__)
#define LF_I_EACH_11(m, s, id, a, ...) m(id, 11, a) s() LF_I_EACH_10(m, s, id, __VA_ARGS__)
#define LF_I_EACH_12(m, s, id, a, ...) m(id, 12, a) s() LF_I_EACH_11(m, s, id, __VA_ARGS__)
#define LF_I_EACH_13(m, s, id, a, ...) m(id, 13, a) s() LF_I_EACH_12(m, s, id, __VA_ARGS__)
#define LF_I_EACH_14(m, s, id, a, ...) m(id, 14, a) s() LF_I_EACH_13(m, s, id, __VA_ARGS__)
#define LF_I_EACH_15(m, s, id, a, ...) m(id, 15, a) s() LF_I_EACH_14(m, s, id, __VA_ARGS__)
#define LF_I_EACH_16(m, s, id, a, ...) m(id, 16, a) s() LF_I_EACH_15(m, s, id, __VA_ARGS__)

#else /* C++ */

extern "C++" {
template <class... A> inline void lf_i_open_call(lf_scope *scope, lf_site *site, uintptr_t stack_pointer, const A &...arguments)
{
    const int mode = lf_i_mode();
    scope->words[0] = 0;
    if (mode < LF_I_ON)
        return;
    lf_i_remember_exceptions(scope);
    if constexpr (sizeof...(A) == 0)
        lf_i_open(scope, site, nullptr, stack_pointer);
    else
        lf_i_open(scope, site, mode == LF_I_ON_CAPTURING ? lf_i_list({LF_VALUE(arguments)...}) : nullptr, stack_pointer);
}

template <class F, class... A> inline decltype(auto) lf_i_call(lf_site &site, F fn, A &&...arguments)
{
    lf_scope scope __attribute__((cleanup(lf_i_scope_left), unused));
    lf_i_open_call(&scope, &site, lf_i_stack_pointer(), arguments...);
    LF_I_TRY
    {
        if constexpr (std::is_void_v<decltype(fn(std::forward<A>(arguments)...))>) {
            fn(std::forward<A>(arguments)...);
        } else {
            decltype(auto) result = fn(std::forward<A>(arguments)...);
            LF_I_WHEN_ON(lf_i_put_result_value(&scope, LF_VALUE(result)));
            if constexpr (std::is_reference_v<decltype(result)>)
                return static_cast<decltype(result)>(result);
            else
                return result;
        }
    }
    LF_I_TELL_AND_RETHROW
}
}

/* A constant that is passed on is none any more, and 1 could be too large for a short. g++ before version 12 takes no pragma in an
 * argument. */
#if defined(__clang__) || __GNUC__ >= 12
#define LF_I_WITHOUT_CONVERSION_WARNINGS                                                                           \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wconversion\"")                              \
    _Pragma("GCC diagnostic ignored \"-Wsign-conversion\"") _Pragma("GCC diagnostic ignored \"-Wfloat-conversion\"")
#define LF_I_WITH_CONVERSION_WARNINGS _Pragma("GCC diagnostic pop")
#else
#define LF_I_WITHOUT_CONVERSION_WARNINGS
#define LF_I_WITH_CONVERSION_WARNINGS
#endif

/* The site is in no function: OBSERVE_CAUGHT must not take it for a scope around itself. It has a lambda of its own, so that
 * the whole is a call, whose result may be a reference. */
#define LF_I_CALL(id, names, fn, ...)                                                                              \
    lf_i_call(                                                                                                     \
        []() -> lf_site & {                                                                                        \
            LF_I_SITE_IN(LF_I_NO_TEXT, LF_I_CAT(lf_i_site_, id), LF_I_NO_TEXT, names, LF_SPAN, __VA_ARGS__);       \
            return LF_I_CAT(lf_i_site_, id);                                                                       \
        }(),                                                                                                       \
        [&](auto &&...LF_I_CAT(lf_i_a, id)) -> decltype(auto) {                                                    \
            LF_I_WITHOUT_CONVERSION_WARNINGS                                                                       \
            return fn(static_cast<decltype(LF_I_CAT(lf_i_a, id))>(LF_I_CAT(lf_i_a, id))...);                       \
            LF_I_WITH_CONVERSION_WARNINGS                                                                          \
        }                                                                                                          \
        LF_I_CAT(LF_I_TRAILING_, LF_I_IS_EMPTY(__VA_ARGS__))(__VA_ARGS__))
#define LF_I_TRAILING_1(...)
#define LF_I_TRAILING_0(...) , __VA_ARGS__

#endif

#endif
