/* Langfuse for C: the macro kit that the public headers share. Programs do not use it. It includes nothing.
 *
 * Names that begin with lf_i_ or LF_I_ belong to the macros. A program that uses them itself breaks with a later version.
 */
#ifndef LF_MACROS_H
#define LF_MACROS_H

#if defined(__GNUC__)
#define LF_API __attribute__((visibility("default")))
#define LF_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define LF_I_DEPRECATED(text) __attribute__((deprecated(text)))
/* The linker's name of a function whose arguments have changed: a program that was compiled against the old ones does not link,
 * or is refused by the loader, instead of being misread. */
#define LF_I_SYMBOL(name) __asm__(LF_I_STRING(__USER_LABEL_PREFIX__) name)
#else
#error "Langfuse for C needs gcc or clang"
#endif

/* What will go away: the compiler warns for at least two minor versions before it does. LF_KEEP_DEPRECATED silences that. */
#ifdef LF_KEEP_DEPRECATED
#define LF_DEPRECATED(text)
#else
#define LF_DEPRECATED(text) LF_I_DEPRECATED(text)
#endif

/* Clang before version 22 warns in C++ of every copy of a struct with a deprecated field. */
#if defined(__cplusplus) && defined(__clang_major__) && __clang_major__ < 22
#define LF_DEPRECATED_FIELD(text)
#else
#define LF_DEPRECATED_FIELD(text) LF_DEPRECATED(text)
#endif

/* Around inline functions of ours that name a deprecated field. */
#define LF_I_WITHOUT_DEPRECATION_WARNINGS \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wdeprecated-declarations\"")
#define LF_I_WITH_DEPRECATION_WARNINGS _Pragma("GCC diagnostic pop")

/* From version 22 on clang warns of every __COUNTER__ with -Wpedantic, also where a macro is the argument of a macro, which no
 * pragma in the macro reaches. */
#if defined(__clang_major__) && __clang_major__ >= 22
#pragma clang diagnostic ignored "-Wc2y-extensions"
#endif

#ifdef __cplusplus
#define LF_I_ZERO {}
#define LF_I_STATIC_ASSERT static_assert
#define LF_I_CAST(type, x) static_cast<type>(x)
#define LF_I_ADDRESS_CAST(type, x) reinterpret_cast<type>(x)
#else
#define LF_I_ZERO {0}
#define LF_I_STATIC_ASSERT _Static_assert
#define LF_I_CAST(type, x) ((type)(x))
#define LF_I_ADDRESS_CAST(type, x) ((type)(x))
#endif

#define LF_I_NO_TEXT LF_I_CAST(const char *, 0)
/* `value`; x is compiled, and never evaluated. It stands in no sizeof: C++17 takes no lambda there, and clang says of a static
 * function that is named only there that it is not needed. */
#define LF_I_INSTEAD_OF(x, value) (0 ? ((void)(x), value) : value)

/* ---- Text ----------------------------------------------------------------------------------------------------------- */

#define LF_I_CAT(a, b) LF_I_CAT_(a, b)
#define LF_I_CAT_(a, b) a##b
#define LF_I_STRING(x) LF_I_STRING_(x)
#define LF_I_STRING_(x) #x
#define LF_I_TEXT(...) LF_I_TEXT_(__VA_ARGS__)
#define LF_I_TEXT_(...) #__VA_ARGS__
#define LF_I_UNWRAP(...) __VA_ARGS__
#define LF_I_NOTHING()
#define LF_I_COMMA(...) ,

/* ---- Lists of arguments --------------------------------------------------------------------------------------------- */

#define LF_I_64TH(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, _18, _19, _20, _21, _22, \
                  _23, _24, _25, _26, _27, _28, _29, _30, _31, _32, _33, _34, _35, _36, _37, _38, _39, _40, _41, _42, \
                  _43, _44, _45, _46, _47, _48, _49, _50, _51, _52, _53, _54, _55, _56, _57, _58, _59, _60, _61, _62, \
                  _63, n, ...)                                                                                        \
    n
#define LF_I_HAS_COMMA(...) \
    LF_I_64TH(__VA_ARGS__, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, \
              1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0)
/* 1: the text begins with a parenthesis. */
#define LF_I_IS_IN_PARENTHESES(x) LF_I_HAS_COMMA(LF_I_COMMA x)

/* Is the list empty? Without __VA_OPT__, which strict C11 does not have: an empty list, and only that, has no comma by itself,
 * none behind a macro that yields one for parentheses, none before (), but one between both. */
#define LF_I_IS_EMPTY(...)                                                                                      \
    LF_I_IS_EMPTY_(LF_I_HAS_COMMA(__VA_ARGS__), LF_I_HAS_COMMA(LF_I_COMMA __VA_ARGS__),                         \
                   LF_I_HAS_COMMA(__VA_ARGS__()), LF_I_HAS_COMMA(LF_I_COMMA __VA_ARGS__()))
#define LF_I_IS_EMPTY_(a, b, c, d) LF_I_HAS_COMMA(LF_I_CAT_5(LF_I_EMPTY_CASE_, a, b, c, d))
#define LF_I_CAT_5(a, b, c, d, e) a##b##c##d##e
#define LF_I_EMPTY_CASE_0001 ,

/* How many arguments: 0 to 32, or MANY. */
#define LF_I_COUNT(...) LF_I_CAT(LF_I_COUNT_, LF_I_IS_EMPTY(__VA_ARGS__))(__VA_ARGS__)
#define LF_I_COUNT_1(...) 0
#define LF_I_COUNT_0(...) \
    LF_I_64TH(__VA_ARGS__, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, \
              MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, 32, 31, 30, 29, 28, \
              27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)

/* The first argument, the others; of at least one. */
#define LF_I_FIRST(...) LF_I_FIRST_(__VA_ARGS__, )
#define LF_I_FIRST_(a, ...) a
#define LF_I_REST(...) LF_I_CAT(LF_I_REST_, LF_I_HAS_COMMA(__VA_ARGS__))(__VA_ARGS__)
#define LF_I_REST_0(a)
#define LF_I_REST_1(a, ...) __VA_ARGS__

/* m(with, x) for each argument, separated by commas. Four at a time, since each step reads what is left once more. */
#define LF_I_MAP(m, with, ...) LF_I_CAT(LF_I_MAP_, LF_I_COUNT(__VA_ARGS__))(m, with, __VA_ARGS__)
#define LF_I_MAP_0(m, with, ...)
#define LF_I_MAP_1(m, with, a) m(with, a)
#define LF_I_MAP_2(m, with, a, b) m(with, a), m(with, b)
#define LF_I_MAP_3(m, with, a, b, c) m(with, a), m(with, b), m(with, c)
#define LF_I_MAP_4(m, with, a, b, c, d) m(with, a), m(with, b), m(with, c), m(with, d)
#define LF_I_MAP_5(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_1(m, with, __VA_ARGS__)
#define LF_I_MAP_6(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_2(m, with, __VA_ARGS__)
#define LF_I_MAP_7(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_3(m, with, __VA_ARGS__)
#define LF_I_MAP_8(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_4(m, with, __VA_ARGS__)
#define LF_I_MAP_9(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_5(m, with, __VA_ARGS__)
#define LF_I_MAP_10(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_6(m, with, __VA_ARGS__)
#define LF_I_MAP_11(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_7(m, with, __VA_ARGS__)
#define LF_I_MAP_12(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_8(m, with, __VA_ARGS__)
#define LF_I_MAP_13(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_9(m, with, __VA_ARGS__)
#define LF_I_MAP_14(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_10(m, with, __VA_ARGS__)
#define LF_I_MAP_15(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_11(m, with, __VA_ARGS__)
#define LF_I_MAP_16(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_12(m, with, __VA_ARGS__)
#define LF_I_MAP_17(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_13(m, with, __VA_ARGS__)
#define LF_I_MAP_18(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_14(m, with, __VA_ARGS__)
#define LF_I_MAP_19(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_15(m, with, __VA_ARGS__)
#define LF_I_MAP_20(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_16(m, with, __VA_ARGS__)
#define LF_I_MAP_21(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_17(m, with, __VA_ARGS__)
#define LF_I_MAP_22(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_18(m, with, __VA_ARGS__)
#define LF_I_MAP_23(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_19(m, with, __VA_ARGS__)
#define LF_I_MAP_24(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_20(m, with, __VA_ARGS__)
#define LF_I_MAP_25(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_21(m, with, __VA_ARGS__)
#define LF_I_MAP_26(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_22(m, with, __VA_ARGS__)
#define LF_I_MAP_27(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_23(m, with, __VA_ARGS__)
#define LF_I_MAP_28(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_24(m, with, __VA_ARGS__)
#define LF_I_MAP_29(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_25(m, with, __VA_ARGS__)
#define LF_I_MAP_30(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_26(m, with, __VA_ARGS__)
#define LF_I_MAP_31(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_27(m, with, __VA_ARGS__)
#define LF_I_MAP_32(m, with, a, b, c, d, ...) m(with, a), m(with, b), m(with, c), m(with, d), LF_I_MAP_28(m, with, __VA_ARGS__)
#define LF_I_MAP_MANY(m, with, ...) LF_I_at_most_32_arguments_can_be_given_here

/* The error of OBSERVE("name") and of lf_start_observation("name"). gcc computes strncmp of literals where it takes no literal's
 * first character for a constant. */
#define LF_I_NAME_ERROR \
    "a name is an option or a field: OBSERVE_WITH((.name = \"...\"), values), lf_start_observation(.name = \"...\")"
#if defined(__cplusplus)
#define LF_I_NO_NAME(text) static_assert((text)[0] != '"', LF_I_NAME_ERROR)
#elif defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wgcc-compat"
static inline void lf_i_no_name(const char *text) __attribute__((unused, diagnose_if(text[0] == '"', LF_I_NAME_ERROR, "error")));
#pragma clang diagnostic pop
static inline void lf_i_no_name(const char *text)
{
    (void)text;
}
#define LF_I_NO_NAME(text) (void)sizeof((lf_i_no_name(text), 0))
#else
#define LF_I_NO_NAME(text) __extension__ _Static_assert(__builtin_strncmp(text, "\"", 1) != 0, LF_I_NAME_ERROR)
#endif

/* ---- Calls with named fields ---------------------------------------------------------------------------------------- */

/* call(&fields), the fields set as `.name = value, ...` says. Assignments rather than an initializer, so that the same text
 * works in C and in C++17, in any order; one expression, so that temporaries of C++ live until the call is over. `id` makes the
 * variable's name one of its own: calls stand in the arguments of calls. */
#define LF_I_FIELDS(id) LF_I_CAT(lf_i_fields_, id)
#define LF_I_SET(id, assignment) LF_I_FIELDS(id) assignment
#define LF_I_SET_THEN(id, call, ...) LF_I_CAT(LF_I_SET_THEN_, LF_I_IS_EMPTY(__VA_ARGS__))(id, call, __VA_ARGS__)
#define LF_I_SET_THEN_1(id, call, ...) (LF_I_SAY_SIZE(id), (call))
#define LF_I_SET_THEN_0(id, call, ...) \
    (LF_I_SAY_SIZE(id), LF_I_DANGLES LF_I_MAP(LF_I_SET, id, __VA_ARGS__), LF_I_DANGLES_NOT (call))

/* Clang takes the text of a temporary in .name = (a + b).c_str() for gone before the call. It is not: both are one expression. */
#if defined(__cplusplus) && defined(__clang__)
#if __has_warning("-Wdangling-assignment-gsl")
#define LF_I_DANGLES _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wdangling-assignment-gsl\"")
#define LF_I_DANGLES_NOT _Pragma("clang diagnostic pop")
#endif
#endif
#ifndef LF_I_DANGLES
#define LF_I_DANGLES
#define LF_I_DANGLES_NOT
#endif

/* Every struct of fields begins with its size. One more than the size says that a macro wrote it: there what was not said is
 * marked as such, and 0 is a value like others. In a struct that a program fills by hand 0 is what was not said. */
#define LF_I_SAY_SIZE(id) LF_I_FIELDS(id).struct_size = sizeof(LF_I_FIELDS(id)) | 1

/* The call, whose arguments have this text. */
#define LF_I_NAMED(text, call) __extension__({ LF_I_NO_NAME(text); call; })

#define LF_I_WITH_FIELDS(type, function, ...) LF_I_WITH_FIELDS_(__COUNTER__, type, function, __VA_ARGS__)
#define LF_I_WITH_FIELDS_(id, type, function, ...)                    \
    __extension__({                                                   \
        type LF_I_FIELDS(id) = LF_I_ZERO;                             \
        LF_I_SET_THEN(id, function(&LF_I_FIELDS(id)), __VA_ARGS__);   \
    })

/* Where zero is a value: unsay(&fields) marks what is not said. */
#define LF_I_WITH_FIELDS_UNSAID(type, unsay, function, ...) \
    LF_I_WITH_FIELDS_UNSAID_(__COUNTER__, type, unsay, function, __VA_ARGS__)
#define LF_I_WITH_FIELDS_UNSAID_(id, type, unsay, function, ...)      \
    __extension__({                                                   \
        type LF_I_FIELDS(id) = LF_I_ZERO;                             \
        unsay(&LF_I_FIELDS(id));                                      \
        LF_I_SET_THEN(id, function(&LF_I_FIELDS(id)), __VA_ARGS__);   \
    })

#endif
