/* Functions with every macro, and with -DPLAIN the same functions without: with -DLF_DISABLE both are the same code. */
#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#ifdef PLAIN
#define M(...)
#define RETURN(x) return x
#define CALL(f, ...) f(__VA_ARGS__)
#define INT_FUNCTION(name, type, parameter) int name(type parameter)
#else
#include "llama.h"

#include "langfuse/curl.h"
#include "langfuse/llama.h"
#include "langfuse/model.h"
#include "langfuse/prompt.h"
#include "langfuse/score.h"
#include "observe.h"
#define M(...) __VA_ARGS__;
#define RETURN(x) OBSERVE_RETURN(x)
#define CALL(...) OBSERVE_CALL(__VA_ARGS__)
#define INT_FUNCTION(name, type, parameter) OBSERVE_FN(int, name, (type, parameter))
#endif

struct pair {
    double x, y;
};
int outside(int a, const char *text);
void outside_void(int a);
#ifndef PLAIN
struct llama_context *llama_outside(int a);
const lf_prompt *prompt_outside(int a); /* prompts themselves stay: a program without tracing needs them, too */
#endif

int scopes(int a, const char *text);
int scopes(int a, const char *text)
{
    M(OBSERVE(a, text, outside(a, text)))
    M(OBSERVE_GENERATION(a))
    M(OBSERVE_AGENT())
    M(OBSERVE_TOOL(text))
    M(OBSERVE_CHAIN(a + 1))
    M(OBSERVE_RETRIEVER(a))
    M(OBSERVE_EVALUATOR(a))
    M(OBSERVE_EMBEDDING(a))
    M(OBSERVE_GUARDRAIL(a))
    M(OBSERVE_WITH((.name = text, .type = LF_TOOL), outside(a, text)))
    M(OBSERVE_LLAMA(llama_outside(a), text, outside(a, text)))
    M(OBSERVE_CONTEXT(NULL))
    M(OBSERVE_CAUGHT())
    M(OBSERVE_ATTRIBUTES(.user_id = text, .tags = LF_TAGS("a", text), .prompt_version = outside(a, text)))
    M(OBSERVE_ATTRIBUTES())
    for (int i = 0; i < a; i++) {
        M(OBSERVE(i))
        if (outside(i, text) == 3)
            break;
    }
    RETURN(outside(a, text) + 1);
}

struct pair of_struct(double x);
struct pair of_struct(double x)
{
    M(OBSERVE(x))
    struct pair pair = {x, 2 * x};
    RETURN(pair);
}

const char *of_text(bool yes);
const char *of_text(bool yes)
{
    M(OBSERVE(yes))
    if (yes)
        RETURN("yes");
    RETURN("no");
}

void observing_calls(int a, const char *text, size_t size);
void observing_calls(int a, const char *text, size_t size)
{
    M(OBSERVE(a))
    M(OBSERVE_OUTPUT(outside(a, text)))
    M(OBSERVE_ERROR("status %d", outside(a, text)))
    M(lf_output_append(text + outside(a, text), size))
    M(lf_update_current_observation())
    M(lf_update_current_observation(.name = text, .usage_details = LF_OBJECT("input", outside(a, text)), .version = "1"))
    M(lf_update_current_observation(.prompt = prompt_outside(a)))
    M(lf_update_current_trace())
    M(lf_update_current_trace(.name = text, .tags = LF_TAGS(text), .public_ = outside(a, text) > 0 ? LF_ON : LF_OFF))
    M(lf_observation *handle = lf_start_observation(.name = text, .prompt_version = outside(a, text)))
    M(lf_start_as_current_observation(.name = text, .parent = handle))
    M(lf_create_event(.name = text, .input = LF_OBJECT("a", outside(a, text))))
    M(lf_observation_update(handle, .version = text, .prompt_version = outside(a, text)))
    M(lf_observation_output_append(handle, text, size))
    M(lf_observation_end(handle))
    M(lf_observation_end(handle, .prompt_version = outside(a, text)))
    M(lf_create_score(.name = text, .value = outside(a, text), .observation = handle))
    M(lf_score_current_observation(.name = text, .value = outside(a, text)))
    M(lf_score_current_trace(.name = text))
    outside_void(a);
}

CURLcode transfer(CURL *curl, const char *text);
CURLcode transfer(CURL *curl, const char *text)
{
    M(lf_curl_set(curl, .name = text, .prompt = prompt_outside(outside(1, text))))
    M(lf_model_call *call = lf_model_begin(.url = text, .body_size = (size_t)outside(2, text)))
    M(lf_model_end(call, .http_status = outside(3, text)))
    curl_easy_setopt(curl, CURLOPT_URL, text);
    return curl_easy_perform(curl);
}

INT_FUNCTION(decorated, int, n)
{
    return n > 0 ? outside(n, "x") : 3;
}

int called(int a);
int called(int a)
{
    CALL(outside_void, a);
    return CALL(outside, a, "text") + CALL(outside, 1, NULL);
}
