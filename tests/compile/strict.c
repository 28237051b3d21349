/* No warning in a user's build: every macro (macros.c), and macros in the arguments of macros. Compiled with the warnings that
 * strict projects switch on, at -O0 and -O2, since some warnings need the optimiser. The same text compiles as C++ (strict.cpp). */
#ifndef __cplusplus
#include "macros.c"
#endif

#include <ctype.h>
#include <math.h>
#include <string.h>

static int twice(int n)
{
    return 2 * n;
}

static const char *shorter(const char *words)
{
    return words[0] != '\0' ? words + 1 : words;
}

static lf_observation *handle_of(int n)
{
    return n > 0 ? lf_start_observation(.prompt_version = n) : NULL;
}

/* Calls with fields in the fields of calls. */
lf_observation *fields_in_fields(const char *name, int n);
lf_observation *fields_in_fields(const char *name, int n)
{
    OBSERVE_GENERATION(name, n);
    lf_update_current_observation(.prompt = lf_get_prompt(name, .version = n), .output = LF_VALUE(lf_get_prompt("q")->prompt));
    lf_update_current_observation(.input = LF_OBJECT("id", lf_create_event(.name = name), "prompt", lf_get_prompt("q")->version),
                                  .prompt = lf_create_prompt(.name = name, .prompt = "p", .config = LF_OBJECT("n", twice(n))));
    lf_update_current_trace(.name = lf_get_prompt("n")->name,
                            .input = LF_ARRAY(lf_create_score(.name = name, .value = n), 1, name));
    OBSERVE_ATTRIBUTES(.prompt = lf_get_prompt("q"));
    OBSERVE_ATTRIBUTES(.prompt = lf_get_prompt(lf_get_prompt("which")->prompt, .label = lf_get_prompt("label")->prompt),
                       .metadata = LF_OBJECT("started", lf_start_observation(.name = name)));
    OBSERVE_WITH((.name = lf_get_prompt("named")->name, .trace_id = lf_prompt_compile(lf_get_prompt("t"))), lf_create_event());
    OBSERVE_UNDER(lf_start_observation(.parent = lf_start_observation(.parent = lf_create_event(.name = "root"))));
    OBSERVE_CONTEXT(lf_observation_context(lf_start_observation(.name = shorter(name))));
    lf_create_score(.name = "s", .value = lf_get_prompt("v")->version, .observation = lf_start_as_current_observation(.name = "o"),
                    .comment = lf_prompt_compile(lf_get_prompt("c"), .variables = LF_OBJECT("n", lf_score_current_trace())));
    lf_observation_update(lf_start_observation(.name = "u"), .parent = lf_create_event(), .input = LF_VALUE(lf_create_score()));
    lf_observation_end(lf_start_observation(.parent = lf_start_observation()), .output = LF_VALUE(handle_of(n)));
    OBSERVE_OUTPUT(lf_prompt_compile(lf_get_prompt("a", .fallback = lf_get_prompt("b")->prompt)));
    OBSERVE_ERROR("%s %d", lf_get_prompt("e")->prompt, lf_update_prompt(.name = name, .new_labels = LF_TAGS(name)));
    OBSERVE_CAUGHT(), lf_output_append(lf_get_prompt("o")->prompt, sizeof(lf_prompt));
    OBSERVE_RETURN(lf_start_observation(.parent = lf_start_observation(.parent = lf_start_observation())));
}

/* All fields, and as many as a call takes. */
void all_fields(const char *s, int n, lf_value v, const lf_prompt *p, lf_observation *o, lf_client *client, lf_error *error);
void all_fields(const char *s, int n, lf_value v, const lf_prompt *p, lf_observation *o, lf_client *client, lf_error *error)
{
    lf_start_observation(.name = s, .type = LF_TOOL, .level = LF_LEVEL_DEBUG, .input = v, .output = v, .metadata = v,
                         .status_message = s, .version = s, .model = s, .model_parameters = v, .usage_details = v,
                         .cost_details = v, .usage = v, .prompt = p, .prompt_name = s, .prompt_version = n,
                         .completion_start_time_ns = n, .end_time_ns = 2, .parent = o, .trace_id = s, .parent_observation_id = s,
                         .id = s, .start_time_ns = n, .client = client, .name = s, .name = s, .name = s, .name = s, .name = s,
                         .name = s, .name = s, .name = s);
    lf_update_current_trace(.name = s, .user_id = s, .session_id = s, .version = s, .release = s, .tags = v, .metadata = v,
                            .input = v, .output = v, .public_ = LF_ON, .trace_id = s, .client = client);
    OBSERVE_ATTRIBUTES(.user_id = s, .session_id = s, .version = s, .trace_name = s, .environment = s, .tags = v, .metadata = v,
                       .prompt = p, .prompt_name = s, .prompt_version = n, .as_baggage = LF_ON);
    OBSERVE_WITH((.name = s, .type = LF_GENERATION, .capture_input = LF_ON, .capture_output = LF_OFF, .trace_id = s,
                  .parent_observation_id = s, .client = client),
                 s, n);
    lf_create_score(.name = s, .value = n, .string_value = s, .data_type = LF_SCORE_TEXT, .trace_id = s, .observation_id = s,
                    .observation = o, .session_id = s, .dataset_run_id = s, .comment = s, .config_id = s, .metadata = v, .id = s,
                    .environment = s, .timestamp_ns = n, .client = client);
    lf_prompt_free(lf_get_prompt(s, .version = n, .label = s, .cache_ttl_ms = n, .fallback = s, .fallback_messages = v,
                                 .timeout_ms = n, .max_retries = n, .client = client, .error = error));
    lf_prompt_free(lf_create_prompt(.name = s, .prompt = s, .messages = v, .labels = v, .tags = v, .config = v, .commit_message = s,
                                    .timeout_ms = n, .client = client, .error = error));
    lf_update_prompt(.name = s, .version = n, .new_labels = v, .timeout_ms = n, .client = client, .error = error);
    free(lf_prompt_compile_messages(p, .variables = v, .placeholders = v));
}

/* Objects and lists in each other, as large as they may be. */
lf_value values_in_values(const char *s, int n);
lf_value values_in_values(const char *s, int n)
{
    OBSERVE(LF_OBJECT(s, n), LF_ARRAY(s, n), LF_VALUE(LF_VALUE(n)));
    OBSERVE_OUTPUT(LF_OBJECT("a", LF_TAGS(s, "b")));
    /* As deep as requests to models are, in no time. */
    OBSERVE_OUTPUT(LF_OBJECT(
        "messages", LF_ARRAY(LF_OBJECT("role", "user", "content",
                                       LF_ARRAY(LF_OBJECT("type", "image_url", "image_url",
                                                          LF_OBJECT("url", s, "sizes", LF_ARRAY(n, LF_OBJECT("n", n)))))))));
    lf_update_current_observation(.input = LF_OBJECT("a", 1, "b", 2u, "c", 3L, "d", 4UL, "e", 5.0f, "f", 6.0, "g", '7', "h", "8",
                                                     "i", s, "j", n, "k", &n, "l", NULL, "m", lf_null(), "n", n > 0, "o", sizeof n,
                                                     "p", LF_OBJECT("q", LF_ARRAY(n))),
                                  .output = LF_ARRAY(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,
                                                     23, 24, 25, 26, 27, 28, 29, 30, 31, s),
                                  .metadata = LF_OBJECT("secret", lf_secret(s), "text", lf_strn(s, 1), "array", lf_array(s, 1)));
    OBSERVE_RETURN(LF_VALUE(s));
}

/* Observed calls in observed calls, in everything that takes a value. */
int calls_in_calls(const char *s, int n, double d);
int calls_in_calls(const char *s, int n, double d)
{
    OBSERVE(OBSERVE_CALL(twice, n), OBSERVE_CALL(shorter, s), OBSERVE_CALL(strlen, s));
    OBSERVE_TOOL(OBSERVE_CALL(abs, n), OBSERVE_CALL(fabs, d), OBSERVE_CALL(isdigit, 'x'));
    OBSERVE_ATTRIBUTES(.user_id = OBSERVE_CALL(shorter, s), .metadata = LF_OBJECT("n", OBSERVE_CALL(twice, 1)));
    OBSERVE_WITH((.name = OBSERVE_CALL(shorter, s), .trace_id = s), OBSERVE_CALL(twice, n));
    OBSERVE_CALL(note, OBSERVE_CALL(shorter, shorter(s)));
    OBSERVE_CALL(free, OBSERVE_CALL(calloc, strlen(s), sizeof n));
    OBSERVE_OUTPUT(OBSERVE_CALL(strlen, "abc"));
    OBSERVE_ERROR("%d %s", OBSERVE_CALL(twice, n), OBSERVE_CALL(shorter, s));
    lf_update_current_observation(.prompt_version = OBSERVE_CALL(twice, n), .input = LF_VALUE(OBSERVE_CALL(abs, n)),
                                  .parent = OBSERVE_CALL(handle_of, n), .output = LF_ARRAY(OBSERVE_CALL(strlen, "x"), n));
    if (OBSERVE_CALL(strcmp, s, "x") != 0 && OBSERVE_CALL(abs, n) > 1)
        OBSERVE_RETURN(OBSERVE_CALL(abs, n));
    OBSERVE_RETURN(OBSERVE_CALL(twice, OBSERVE_CALL(twice, n)));
}

static float narrow(size_t n, short s, unsigned char c, float f)
{
    return (s > c ? f : -f) + (n > 1 ? 1 : 0);
}

/* Constants that fit. Those of an observed call are no constants to g++ before version 12. */
float constants(float f);
float constants(float f)
{
    OBSERVE(f, narrow(1, 2, 'c', 0.5));
#if !defined(__cplusplus) || defined(__clang__) || __GNUC__ >= 12
    OBSERVE_OUTPUT(OBSERVE_CALL(narrow, 1, 2, 'c', 0.5));
#endif
    if (f > 1)
        OBSERVE_RETURN(narrow(1, -1, 255, 1));
    OBSERVE_RETURN(0.25);
}

size_t returns_size(const char *s);
size_t returns_size(const char *s)
{
    OBSERVE(s);
    OBSERVE_RETURN(OBSERVE_CALL(strlen, s) + strlen(s));
}

short returns_narrow(int n);
short returns_narrow(int n)
{
    OBSERVE(n);
    if (n > 0)
        OBSERVE_RETURN(1);
    OBSERVE_RETURN('a');
}

const void *returns_const(const int *p);
const void *returns_const(const int *p)
{
    OBSERVE(p, *p);
    if (*p > 0)
        OBSERVE_RETURN(p);
    OBSERVE_RETURN(NULL);
}

/* Qualified data: no cast may lose a qualifier. */
void qualified(const volatile int *cv, const char *const *list, const lf_value *v, const struct cJSON *json,
               const lf_observation *o, void *const *p, const char letters[4], const int numbers[3]);
void qualified(const volatile int *cv, const char *const *list, const lf_value *v, const struct cJSON *json,
               const lf_observation *o, void *const *p, const char letters[4], const int numbers[3])
{
    OBSERVE(cv, *cv, list, list[0], v, *v, json, o, p, *p, letters, numbers, lf_array(list, 1), lf_array(numbers, 3));
    OBSERVE_OUTPUT(lf_pointer(cv));
    OBSERVE_OUTPUT(list[0]);
    lf_update_current_observation(.input = *v, .output = LF_VALUE(*cv), .metadata = LF_OBJECT(list[0], list[1]), .parent = o);
    OBSERVE_CALL(note, list[0]);
    OBSERVE_CALL(note, letters);
}

/* Wide and unusual types. */
typedef int four_ints __attribute__((vector_size(16)));
typedef float two_floats __attribute__((vector_size(8)));

four_ints vectors(four_ints v, two_floats f);
four_ints vectors(four_ints v, two_floats f)
{
    OBSERVE(v, f, v[0], f[1], v + 1);
    OBSERVE_OUTPUT(v);
    OBSERVE_RETURN(v * 2);
}

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 long_long_long;
__extension__ typedef unsigned __int128 unsigned_long_long_long;

long_long_long int128(long_long_long i, unsigned_long_long_long u);
long_long_long int128(long_long_long i, unsigned_long_long_long u)
{
    OBSERVE(i, u, i + 1, lf_array(&i, 1));
    OBSERVE_OUTPUT(LF_OBJECT("i", i, "u", u));
    if (u > 1)
        OBSERVE_RETURN(-1);
    OBSERVE_RETURN(i * 2);
}
#endif

/* clang has them in every mode, as an extension; gcc since version 14 in C23. */
#if defined(__BITINT_MAXWIDTH__) && (defined(__clang__) || __STDC_VERSION__ > 201710L)
__extension__ typedef _BitInt(7) seven_bits;
__extension__ typedef unsigned _BitInt(100) hundred_bits;
__extension__ typedef _BitInt(128) many_bits;

seven_bits bit_int(seven_bits a, hundred_bits b, many_bits c);
seven_bits bit_int(seven_bits a, hundred_bits b, many_bits c)
{
    OBSERVE(a, b, c, &b);
    OBSERVE_OUTPUT(LF_OBJECT("a", a, "b", b, "c", c));
    OBSERVE_RETURN(a);
}
#endif

#if defined(__cplusplus) || (__STDC_VERSION__ > 201710L && \
                             ((defined(__clang_major__) && __clang_major__ >= 16) || (!defined(__clang__) && __GNUC__ >= 13)))
const char *null_pointers(const char *s);
const char *null_pointers(const char *s)
{
    OBSERVE(s, nullptr);
    OBSERVE_OUTPUT(nullptr);
    OBSERVE_CONTEXT(nullptr);
    OBSERVE_UNDER(nullptr);
    lf_update_current_observation(.name = nullptr, .input = LF_OBJECT("a", nullptr), .parent = nullptr);
    OBSERVE_CALL(free, nullptr);
    if (s == nullptr)
        OBSERVE_RETURN(nullptr);
    OBSERVE_RETURN(s);
}
#endif

/* Names of the user's, which no macro shadows. */
int names_of_users(int site, int scope, int value, int values, int fields, int id, int names, int options, int type, int result);
int names_of_users(int site, int scope, int value, int values, int fields, int id, int names, int options, int type, int result)
{
    OBSERVE(site, scope, value, values, fields, id, names, options, type, result);
    OBSERVE_WITH((.name = "n"), OBSERVE_CALL(twice, site), OBSERVE_CALL(twice, scope));
    OBSERVE_OUTPUT(LF_OBJECT("value", value, "values", values));
    lf_observation_update(handle_of(id), .input = LF_ARRAY(names, options), .prompt = lf_get_prompt("q", .version = type));
    lf_create_score(.name = "s", .value = fields);
    OBSERVE_RETURN(OBSERVE_CALL(twice, result) + OBSERVE_CALL(abs, site));
}

/* Declarations as others write them: in one line, in blocks, in the macros of others, a static decorator in front. */
#define OTHERS_SCOPE(...) OBSERVE(__VA_ARGS__)
#define OTHERS_STATEMENTS(...) __VA_ARGS__

void macros_of_others(int n);
void macros_of_others(int n)
{
    OTHERS_SCOPE(n, twice(n));
    OTHERS_STATEMENTS(OBSERVE(n); OBSERVE_TOOL(n); OBSERVE_OUTPUT(n);)
    for (int i = 0; i < n; i++) {
        OTHERS_STATEMENTS(OBSERVE(i); {
            OBSERVE_AGENT(i);
            lf_update_current_observation(.name = "n");
        })
        OTHERS_STATEMENTS(OBSERVE_CAUGHT();)
    }
    OTHERS_STATEMENTS(OBSERVE_CALL(note, OBSERVE_CALL(shorter, "x"));)
}

OBSERVE_FN_WITH((.name = lf_get_prompt("n")->name, .type = LF_TOOL), int, decorated_calls, (const char *, s), (int, n))
{
    return OBSERVE_CALL(twice, n) + (s[0] != '\0');
}

OBSERVE_GENERATION_FN(const char *, decorated_twice, (const char *, s), (const char *const *, list))
{
    return OBSERVE_CALL(shorter, list[0] != NULL ? list[0] : s);
}

static OBSERVE_VOID_FN(decorated_quietly, (int, n), (lf_value, v))
{
    OBSERVE_CHAIN(n);
    OBSERVE_OUTPUT(v);
}

void uses_decorated(const char *s, const char *const *list);
void uses_decorated(const char *s, const char *const *list)
{
    decorated_quietly(OBSERVE_CALL(decorated_calls, s, 1), LF_VALUE(OBSERVE_CALL(decorated_twice, s, list)));
    OBSERVE_CALL(decorated_quietly, 1, LF_VALUE(s));
}
