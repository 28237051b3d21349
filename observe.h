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
 * Arguments are evaluated at most once, and not at all when capture or tracing is off: no side effects in them, please.
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
 * lf_strn(p, n) and lf_array(p, n) say what is meant.
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
    value.as.i = (unsigned char)c;
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
    value.as.d = (double)f;
    if ((bits & 0x7f800000) == 0 && (bits & 0x7fffff) != 0) /* so small that -ffast-math may make it zero on the way */
        value.as.d = (double)(bits & 0x7fffff) * (bits >> 31 != 0 ? -0x1p-149 : 0x1p-149);
    return value;
}

static inline lf_value lf_i_v_double(double d)
{
    return lf_double(d);
}

static inline lf_value lf_i_v_long_double(long double d)
{
    return lf_double((double)d);
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
    return lf_pointer((const void *)address);
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
    lf_value value = lf_i_make(LF_KIND_UINT128, (uint64_t)(u >> 64));
    value.as.u = (uint64_t)u;
    return value;
}

static inline lf_value lf_i_v_int128(lf_i_int128 i)
{
    lf_value value = lf_i_v_uint128((lf_i_uint128)i);
    value.kind = LF_KIND_INT128;
    return value;
}
#define LF_I_INT128_TYPES lf_i_int128: lf_i_v_int128, lf_i_uint128: lf_i_v_uint128,
#else
#define LF_I_INT128_TYPES
#endif

static inline lf_value lf_i_array_of(lf_kind element, size_t element_size, const void *elements, size_t count)
{
    lf_value value = lf_i_make_pointer(LF_KIND_ARRAY, elements, count);
    value.element = (uint16_t)element;
    value.element_size = (uint32_t)element_size;
    return value;
}

static inline lf_value lf_i_secret(void)
{
    return lf_i_make(LF_KIND_SECRET, 0);
}

#ifndef __cplusplus

#define LF_I_TYPES                                                                                             \
    lf_value: lf_i_v_value, bool: lf_i_v_bool, char: lf_i_v_char, signed char: lf_i_v_int, short: lf_i_v_int,  \
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

/* What gcc calls a bit-field's type is in no list, so the rest is sorted by class: 1 to 4 are integers, 5 pointers, 8
 * floating types, others structs. Every branch must compile for every argument, hence the detours over 0.
 *
 * Each x in here is written out in full, and in LF_OBJECT("a", LF_OBJECT("b", ...)) x is such a text itself: one x more, and
 * every level of nesting takes that much longer to compile. So nothing is asked twice: a class becomes a type by its number,
 * as the size of an array, and a set of classes is a mask. */
#define LF_I_CLASS(x) __builtin_classify_type(x)
#define LF_I_IS_LISTED(x) (!__builtin_types_compatible_p(__typeof__(_Generic((x), LF_I_ALL_TYPES, default: 0)), int))
#define LF_I_IF(condition, a, b) __builtin_choose_expr(condition, a, b)
#define LF_I_SIZED(size) char(*)[size]

#define LF_I_CONVERTER(x)                                                                                          \
    _Generic((x), LF_I_ALL_TYPES,                                                                                  \
        default: _Generic((LF_I_SIZED(1 + LF_I_CLASS(x)))0, LF_I_SIZED(2): lf_i_v_int, LF_I_SIZED(3): lf_i_v_int,  \
                          LF_I_SIZED(4): lf_i_v_int, LF_I_SIZED(5): lf_i_v_int, LF_I_SIZED(6): lf_i_v_address,     \
                          LF_I_SIZED(9): lf_i_v_long_double, default: lf_i_v_opaque))
#define LF_I_PLAIN_CLASSES 0x11e /* integers and floating types: what their converters take as it is */
#define LF_I_CONVERTIBLE(x)                                                                              \
    LF_I_IF(LF_I_IS_LISTED(x) || (LF_I_PLAIN_CLASSES >> LF_I_CLASS(x) & 1), (x),                         \
            LF_I_IF(LF_I_CLASS(x) == 5, (uintptr_t)LF_I_IF(LF_I_CLASS(x) == 5, (x), 0),                  \
                    sizeof(LF_I_IF(LF_I_CLASS(x) > 8, (x), 0))))
#define LF_VALUE(x) (LF_I_CONVERTER(x)(LF_I_CONVERTIBLE(x)))

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

#define LF_I_LIST(...) ((const lf_value[]){LF_I_MAP(LF_VALUE, __VA_ARGS__)})
#define LF_I_MEMBERS(...) ((const lf_member[]){LF_I_PAIRS(__VA_ARGS__)})
#define LF_I_STATIC_ASSERT _Static_assert

#else /* C++ */

extern "C++" {
#include <cstddef>
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
struct lf_i_is_text<T, std::void_t<decltype(std::declval<const T &>().size()),
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

inline const lf_value *lf_i_list(const std::initializer_list<lf_value> &values) { return values.begin(); }
inline const lf_member *lf_i_members(const std::initializer_list<lf_member> &members) { return members.begin(); }

/* A bit-field cannot be bound to a reference to its own type; a copy can. */
#define LF_VALUE(x) lf_i_convert(x)
#define LF_I_LIST(...) lf_i_list({LF_I_MAP(LF_VALUE, __VA_ARGS__)})
#define LF_I_MEMBERS(...) lf_i_members({LF_I_PAIRS(__VA_ARGS__)})
#define LF_I_STATIC_ASSERT static_assert
}

#endif

/* A value was there; which, is not recorded. x is not evaluated. */
#define lf_secret(x) ((void)sizeof(LF_VALUE(x)), lf_i_secret())

/* Composite values, up to 16 arguments: LF_OBJECT("temperature", 0.2, "stream", true), LF_ARRAY(1, "two", 3.0). They live
 * as long as the block (in C++: the expression) that they stand in. */
#define LF_OBJECT(...) \
    lf_i_make_pointer(LF_KIND_OBJECT, LF_I_MEMBERS(__VA_ARGS__), LF_I_CAT(LF_I_HALF_, LF_I_COUNT(__VA_ARGS__)))
#define LF_ARRAY(...) lf_i_make_pointer(LF_KIND_LIST, LF_I_LIST(__VA_ARGS__), LF_I_COUNT(__VA_ARGS__))

#define LF_I_PAIRS(...) LF_I_CAT(LF_I_PAIRS_, LF_I_COUNT(__VA_ARGS__))(__VA_ARGS__)
#define LF_I_PAIR(k, v) {(k), LF_VALUE(v)}
#define LF_I_PAIRS_2(k, v) LF_I_PAIR(k, v)
#define LF_I_PAIRS_4(k, v, ...) LF_I_PAIR(k, v), LF_I_PAIRS_2(__VA_ARGS__)
#define LF_I_PAIRS_6(k, v, ...) LF_I_PAIR(k, v), LF_I_PAIRS_4(__VA_ARGS__)
#define LF_I_PAIRS_8(k, v, ...) LF_I_PAIR(k, v), LF_I_PAIRS_6(__VA_ARGS__)
#define LF_I_PAIRS_10(k, v, ...) LF_I_PAIR(k, v), LF_I_PAIRS_8(__VA_ARGS__)
#define LF_I_PAIRS_12(k, v, ...) LF_I_PAIR(k, v), LF_I_PAIRS_10(__VA_ARGS__)
#define LF_I_PAIRS_14(k, v, ...) LF_I_PAIR(k, v), LF_I_PAIRS_12(__VA_ARGS__)
#define LF_I_PAIRS_16(k, v, ...) LF_I_PAIR(k, v), LF_I_PAIRS_14(__VA_ARGS__)
#define LF_I_HALF_2 1
#define LF_I_HALF_4 2
#define LF_I_HALF_6 3
#define LF_I_HALF_8 4
#define LF_I_HALF_10 5
#define LF_I_HALF_12 6
#define LF_I_HALF_14 7
#define LF_I_HALF_16 8

/* ---- Parts of the macros ------------------------------------------------------------------------------------------ */

#define LF_I_TEXT(...) LF_I_TEXT_(__VA_ARGS__)
#define LF_I_TEXT_(...) #__VA_ARGS__
#define LF_I_UNWRAP(...) __VA_ARGS__
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
#define LF_I_COUNT_OK_MANY LF_I_at_most_16_arguments_can_be_captured

/* The captured arguments, or NULL when there are none or `wanted` is false: then nothing is evaluated. */
#define LF_I_CAPTURED(wanted, ...) LF_I_CAT(LF_I_CAPTURED_, LF_I_IS_EMPTY(__VA_ARGS__))(wanted, __VA_ARGS__)
#define LF_I_CAPTURED_1(wanted, ...) ((void)(wanted), (const lf_value *)0)
#define LF_I_CAPTURED_0(wanted, ...) ((wanted) ? LF_I_LIST(__VA_ARGS__) : (const lf_value *)0)

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

/* `function` NULL: the first of `names` is the observation's name. `names` of OBSERVE_WITH begin with its options. */
#define LF_I_SITE(variable, function, names, type, ...) LF_I_SITE_IN(__func__, variable, function, names, type, __VA_ARGS__)
#define LF_I_SITE_IN(around, variable, function, names, type, ...)                                                      \
    static lf_site variable = {LF_I_SITE_VERSION, 0, function, __FILE__, names, __LINE__, type,                         \
                               LF_I_COUNT_CHECKED(__VA_ARGS__), around, LF_I_AT, LF_I_DEPTH < 255 ? LF_I_DEPTH : 255}

/* What opens the scope variable that it is given; `lf_i_now` is what the thread should do. */
#define LF_I_OPEN(id, scope, function, names, type, ...)                                                                \
    LF_I_SITE(LF_I_CAT(lf_i_site_, id), function, names, type, __VA_ARGS__);                                            \
    lf_i_open(scope, &LF_I_CAT(lf_i_site_, id), LF_I_CAPTURED(LF_I_CAT(lf_i_now_, id) == LF_I_ON_CAPTURING, __VA_ARGS__), \
              lf_i_stack_pointer());

#define LF_I_OPEN_WITH(id, scope, options, names, ...)                                                                  \
    LF_I_SITE(LF_I_CAT(lf_i_site_, id), __func__, names, LF_SPAN, __VA_ARGS__);                                         \
    lf_observe_options lf_i_fields = LF_I_ZERO;                                                                         \
    LF_I_SET_THEN(lf_i_open_with(scope, &LF_I_CAT(lf_i_site_, id), &lf_i_fields,                                        \
                                 LF_I_CAPTURED(lf_i_wants(LF_I_CAT(lf_i_now_, id), lf_i_fields.capture_input), __VA_ARGS__), \
                                 lf_i_stack_pointer()),                                                                 \
                  LF_I_UNWRAP options);

#define LF_I_OPEN_ATTRIBUTES(id, scope, ...)                                                                            \
    LF_I_SITE(LF_I_CAT(lf_i_site_, id), "", "", LF_TYPE_DEFAULT, );                                                     \
    lf_attributes lf_i_fields = LF_I_ZERO;                                                                              \
    LF_I_SET_THEN(lf_i_open_attributes(scope, &LF_I_CAT(lf_i_site_, id), &lf_i_fields, lf_i_stack_pointer()), __VA_ARGS__);

#define LF_I_OPEN_CONTEXT(id, scope, context)                                                                           \
    LF_I_SITE(LF_I_CAT(lf_i_site_, id), "", "", LF_TYPE_DEFAULT, );                                                     \
    lf_i_open_context(scope, &LF_I_CAT(lf_i_site_, id), context, lf_i_stack_pointer());

/* The one switch between on and off. Off, arguments are still compiled, in sizeof, so that neither they nor the macros rot
 * and nothing becomes an unused parameter; no code and no data come of it. The attribute stands behind the name: in front,
 * gcc would accept `if (x) OBSERVE();` and drop the cleanup. A scope is two variables, since what is opened must be an
 * expression of a declaration, and no initializer may write over what the library keeps in the first. */
#ifndef LF_DISABLE
#define LF_I_ENABLED 1
#define LF_I_SCOPE(id, used, open, ...)                                                                    \
    LF_I_BLOCK_HAS_SCOPE(id)                                                                               \
    lf_scope LF_I_CAT(lf_i_scope_, id) __attribute__((cleanup(lf_i_scope_end), unused));                   \
    const bool LF_I_CAT(lf_i_opened_, id) __attribute__((unused)) = __extension__({                        \
        const int LF_I_CAT(lf_i_now_, id) = lf_i_mode();                                                   \
        LF_I_CAT(lf_i_scope_, id).words[0] = 0;                                                            \
        if (LF_I_CAT(lf_i_now_, id) >= LF_I_ON) {                                                          \
            open(id, &LF_I_CAT(lf_i_scope_, id), __VA_ARGS__)                                              \
        }                                                                                                  \
        true;                                                                                              \
    })
#define LF_I_WHEN_ON(call) (lf_i_mode() >= LF_I_ON ? (call) : (void)0)
#else
#define LF_I_ENABLED 0
#define LF_I_SCOPE(id, used, open, ...) LF_I_STATIC_ASSERT(sizeof(LF_I_USED used) != 0, "")
#define LF_I_WHEN_ON(call) ((void)sizeof((call), 0))
#endif
#define LF_I_USED(...) LF_I_CAT(LF_I_USED_, LF_I_IS_EMPTY(__VA_ARGS__))(__VA_ARGS__)
#define LF_I_USED_1(...) char
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
#define LF_I_WITH(names, options, ...)                                                                     \
    LF_I_STATIC_ASSERT(sizeof(__extension__({                                                              \
                                  lf_observe_options lf_i_fields = LF_I_ZERO;                              \
                                  LF_I_SET_THEN(sizeof(lf_i_fields), LF_I_UNWRAP options);                 \
                              })) + sizeof(LF_I_USED(__VA_ARGS__)) != 0, "")
#endif

/* Return x and record it as the output of the innermost open observation. x is evaluated exactly once. */
#ifndef __cplusplus
#define OBSERVE_RETURN(x)                                           \
    do {                                                            \
        __extension__ __auto_type lf_i_result = LF_I_COPY(x);       \
        LF_I_WHEN_ON(lf_i_put_return_value(LF_I_HERE, LF_VALUE(lf_i_result))); \
        return LF_I_AGAIN(x, lf_i_result);                          \
    } while (0)
#else
#define OBSERVE_RETURN(x)                                           \
    do {                                                            \
        auto lf_i_result = (x);                                     \
        LF_I_WHEN_ON(lf_i_put_return_value(LF_I_HERE, LF_VALUE(lf_i_result))); \
        return lf_i_result;                                         \
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
#define OBSERVE_ATTRIBUTES(...)                                                        \
    LF_I_STATIC_ASSERT(sizeof(__extension__({                                          \
                                  lf_attributes lf_i_fields = LF_I_ZERO;               \
                                  LF_I_SET_THEN(sizeof(lf_i_fields), __VA_ARGS__);     \
                              })) != 0, "")
#endif

/* Calls of the core that only observe follow the same switch; what would return a handle returns NULL. */
#ifdef LF_DISABLE
static inline __attribute__((always_inline)) lf_observation *lf_i_no_handle(void) /* a plain NULL would be an unused value */
{
    return NULL;
}
#define LF_I_NO_HANDLE(call) ((void)sizeof(call), lf_i_no_handle())
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

/* The rest of this scope runs in a copied context (lf_context_copy): its observations become children of the copied one. */
#define OBSERVE_CONTEXT(context) LF_I_CONTEXT(__COUNTER__, context)
#define LF_I_CONTEXT(id, context) LF_I_SCOPE(id, (context), LF_I_OPEN_CONTEXT, context)

/* Where control lands that left scopes without their ends: behind setjmp, in PG_CATCH, behind lua_pcall. Every scope that was
 * left below this point ends now, marked "incomplete: abandoned"; those around this point stay open. An expression without a
 * value. Threads: of the calling thread only. Blocks: never. Nothing happens where nothing was left, and when tracing is off.
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

#define LF_I_PARAMETER(pair) LF_I_PARAMETER_ pair
#define LF_I_PARAMETER_(type, name) type name
#define LF_I_NAME(pair) LF_I_NAME_ pair
#define LF_I_NAME_(type, name) name
#define LF_I_NAMES(...) LF_I_MAP(LF_I_NAME, __VA_ARGS__)
#define LF_I_PARAMETERS(...) LF_I_CAT(LF_I_PARAMETERS_, LF_I_IS_EMPTY(__VA_ARGS__))(__VA_ARGS__)
#define LF_I_PARAMETERS_1(...) void
#define LF_I_PARAMETERS_0(...) LF_I_MAP(LF_I_PARAMETER, __VA_ARGS__)
#define LF_I_OBSERVE_FN(type, ...) LF_I_OBSERVE_FN_(type, LF_I_TEXT(LF_I_NAMES(__VA_ARGS__)), LF_I_NAMES(__VA_ARGS__))
#define LF_I_OBSERVE_FN_(type, names, ...) LF_I_OBSERVE(type, names, __VA_ARGS__)
#define LF_I_OBSERVE_FN_WITH(options, ...) \
    LF_I_WITH("()," LF_I_TEXT(LF_I_NAMES(__VA_ARGS__)), options, LF_I_NAMES(__VA_ARGS__))

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
        OBSERVE_RETURN(LF_I_CAT(lf_i_body_, name)(LF_I_NAMES(__VA_ARGS__)));               \
    }                                                                                      \
    static type LF_I_CAT(lf_i_body_, name)(LF_I_PARAMETERS(__VA_ARGS__))
#define LF_I_VOID_FN_(observe, name, ...)                                                  \
    void name(LF_I_PARAMETERS(__VA_ARGS__));                                               \
    static void LF_I_CAT(lf_i_body_, name)(LF_I_PARAMETERS(__VA_ARGS__));                  \
    void name(LF_I_PARAMETERS(__VA_ARGS__))                                                \
    {                                                                                      \
        observe;                                                                           \
        LF_I_CAT(lf_i_body_, name)(LF_I_NAMES(__VA_ARGS__));                               \
    }                                                                                      \
    static void LF_I_CAT(lf_i_body_, name)(LF_I_PARAMETERS(__VA_ARGS__))
#else
#define LF_I_FN_(observe, type, name, ...) type name(LF_I_PARAMETERS(__VA_ARGS__))
#define LF_I_VOID_FN_(observe, name, ...) void name(LF_I_PARAMETERS(__VA_ARGS__))
#endif

/* Observe one call of a function that you cannot edit: char *text = OBSERVE_CALL(llm_complete, prompt, 256);
 * Named after the function; input by argument text. Each argument is evaluated exactly once, on or off. */
#ifdef LF_DISABLE
#define OBSERVE_CALL(...) LF_I_FIRST(__VA_ARGS__)(LF_I_REST(__VA_ARGS__))
#else
#define OBSERVE_CALL(...) LF_I_CALL(__COUNTER__, #__VA_ARGS__, LF_I_FIRST(__VA_ARGS__), LF_I_REST(__VA_ARGS__))
#endif

#ifndef __cplusplus
#define LF_I_CALL(id, names, fn, ...) LF_I_CALL_(id, names, fn, __VA_ARGS__)
#define LF_I_CALL_(id, names, fn, ...)                                                                              \
    __extension__({                                                                                                 \
        LF_I_EACH(LF_I_CALL_COPY, LF_I_NOTHING, id, __VA_ARGS__)                                                    \
        LF_I_SCOPE(id, (), LF_I_OPEN, (const char *)0, names, LF_SPAN,                                              \
                   LF_I_EACH(LF_I_CALL_TEMPORARY, LF_I_COMMA, id, __VA_ARGS__));                                    \
        LF_I_CALL_RESULT(id, LF_I_CAT(lf_i_result_, id), fn(LF_I_EACH(LF_I_CALL_PASS, LF_I_COMMA, id, __VA_ARGS__))) \
    })
#define LF_I_CALL_COPY(id, n, x) __auto_type lf_i_a##id##_##n = LF_I_COPY(x);
#define LF_I_CALL_TEMPORARY(id, n, x) lf_i_a##id##_##n
#define LF_I_CALL_PASS(id, n, x) LF_I_AGAIN(x, lf_i_a##id##_##n)
#define LF_I_NOTHING()
/* A void function has no result to record: 0 stands in for it, and the value of the whole is that 0. */
#define LF_I_IS_VOID(call) __builtin_types_compatible_p(__typeof__(call), void)
#define LF_I_CALL_RESULT(id, result, call)                                                              \
    __auto_type result = LF_I_IF(LF_I_IS_VOID(call), ((call), 0), (call));                              \
    if (!LF_I_IS_VOID(call))                                                                            \
        LF_I_WHEN_ON(lf_i_put_result_value(&LF_I_CAT(lf_i_scope_, id), LF_VALUE(result)));              \
    result;

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
    if constexpr (sizeof...(A) == 0)
        lf_i_open(scope, site, nullptr, stack_pointer);
    else
        lf_i_open(scope, site, mode == LF_I_ON_CAPTURING ? lf_i_list({LF_VALUE(arguments)...}) : nullptr, stack_pointer);
}

template <class F, class... A> inline decltype(auto) lf_i_call(lf_site *site, F fn, A &&...arguments)
{
    lf_scope scope __attribute__((cleanup(lf_i_scope_end), unused));
    lf_i_open_call(&scope, site, lf_i_stack_pointer(), arguments...);
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
}

/* It stands in no function: OBSERVE_CAUGHT must not take it for a scope around itself. */
#define LF_I_CALL(id, names, fn, ...)                                                                            \
    __extension__({                                                                                              \
        LF_I_SITE_IN((const char *)0, LF_I_CAT(lf_i_site_, id), (const char *)0, names, LF_SPAN, __VA_ARGS__);   \
        lf_i_call(&LF_I_CAT(lf_i_site_, id),                                                                                    \
                  [&](auto &&...lf_i_p) -> decltype(auto) { return fn(static_cast<decltype(lf_i_p)>(lf_i_p)...); } \
                  LF_I_CAT(LF_I_TRAILING_, LF_I_IS_EMPTY(__VA_ARGS__))(__VA_ARGS__));                            \
    })
#define LF_I_TRAILING_1(...)
#define LF_I_TRAILING_0(...) , __VA_ARGS__

#endif

#endif
