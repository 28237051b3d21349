/* A chat in the terminal, with two tools, on any server that speaks OpenAI's protocol (llama.cpp, vLLM, Ollama, ...):
 *
 *     OPENAI_BASE_URL=http://127.0.0.1:8080/v1 chat        also OPENAI_API_KEY, OPENAI_MODEL
 *
 * Each line of stdin is a turn, and each turn a trace; the session holds them together. The answer is printed as it arrives;
 * Ctrl-C stops it. Exit status: 0 all turns were answered, 1 one was not. Only the OBSERVE and lf_ lines know of Langfuse.
 */
#define _GNU_SOURCE /* getline */
#include "langfuse/openai.h"
#include "observe.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ROUNDS = 5 /* of tools in a turn */, MAX_MESSAGES = 200 /* that the model is told */, MAX_NESTING = 100 };

static const char tools[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"clock\",\"description\":\"The date and time now\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{}}}},"
    "{\"type\":\"function\",\"function\":{\"name\":\"calculate\",\"description\":\"The value of an arithmetic expression\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"expression\":{\"type\":\"string\",\"description\":\"such as "
    "(1 + 2) * 3.5 / 4\"}},\"required\":[\"expression\"]}}}]";

/* ---- Tools --------------------------------------------------------------------------------------------------------- */

typedef char result[128];

static void tell_time(result out)
{
    OBSERVE_TOOL();
    time_t now = time(NULL);
    struct tm local;
    if (!localtime_r(&now, &local) || strftime(out, sizeof(result), "%A, %Y-%m-%d %H:%M:%S %Z", &local) == 0)
        snprintf(out, sizeof(result), "unknown");
    OBSERVE_OUTPUT(out);
}

typedef struct reader {
    const char *at;
    int depth;
    bool bad;
} reader;

static double read_sum(reader *r);

static char next_of(reader *r)
{
    while (isspace((unsigned char)*r->at))
        r->at++;
    return *r->at;
}

static double read_factor(reader *r)
{
    char c = next_of(r);
    double value = 0;
    if (++r->depth > MAX_NESTING) {
        r->bad = true;
    } else if (c == '-' || c == '(') {
        r->at++;
        value = c == '-' ? -read_factor(r) : read_sum(r);
        if (c == '(' && next_of(r) != ')')
            r->bad = true;
        r->at += c == '(' && !r->bad;
    } else {
        char *end;
        value = isdigit((unsigned char)c) || c == '.' ? strtod(r->at, &end) : (end = (char *)(uintptr_t)r->at, 0);
        r->bad |= end == r->at;
        r->at = end;
    }
    r->depth--;
    return value;
}

static double read_product(reader *r)
{
    double value = read_factor(r);
    for (char c; !r->bad && (c = next_of(r), c == '*' || c == '/');) {
        r->at++;
        double other = read_factor(r);
        value = c == '*' ? value * other : value / other;
    }
    return value;
}

static double read_sum(reader *r)
{
    double value = read_product(r);
    for (char c; !r->bad && (c = next_of(r), c == '+' || c == '-');) {
        r->at++;
        double other = read_product(r);
        value += c == '+' ? other : -other;
    }
    return value;
}

static void calculate(const char *expression, result out)
{
    OBSERVE_TOOL(expression);
    reader r = {.at = expression ? expression : ""};
    double value = read_sum(&r);
    if (r.bad || next_of(&r) != '\0') {
        OBSERVE_ERROR("no expression: %s", expression ? expression : "none");
        snprintf(out, sizeof(result), "That is no arithmetic expression.");
    } else {
        snprintf(out, sizeof(result), "%.12g", value);
    }
    OBSERVE_OUTPUT(out);
}

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

/* What the tool says. The model may name one that is not there, with arguments that are none. */
static void run_tool(const cJSON *function, result out)
{
    const char *name = text_of(function, "name");
    cJSON *arguments = cJSON_Parse(text_of(function, "arguments"));
    if (strcmp(name, "clock") == 0)
        tell_time(out);
    else if (strcmp(name, "calculate") == 0)
        calculate(text_of(arguments, "expression"), out);
    else
        snprintf(out, sizeof(result), "There is no tool %.50s.", name);
    cJSON_Delete(arguments);
}

/* ---- The conversation ---------------------------------------------------------------------------------------------- */

static bool add_message(cJSON *messages, const char *role, const char *content, const char *call_id)
{
    cJSON *message = cJSON_CreateObject();
    bool good = cJSON_AddStringToObject(message, "role", role) && cJSON_AddStringToObject(message, "content", content) &&
                (!call_id || cJSON_AddStringToObject(message, "tool_call_id", call_id));
    if (good && cJSON_AddItemToArray(messages, message))
        return true;
    cJSON_Delete(message);
    return false;
}

/* The oldest turns go; the first message is that of the system, the second one of the user. */
static void forget_old(cJSON *messages)
{
    while (cJSON_GetArraySize(messages) > MAX_MESSAGES)
        do
            cJSON_DeleteItemFromArray(messages, 1);
        while (cJSON_GetArraySize(messages) > 1 && strcmp(text_of(cJSON_GetArrayItem(messages, 1), "role"), "user") != 0);
}

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* Ctrl-C stops an answer; at the prompt, and the second time, it ends the program. */
static void handle_interrupts(bool on)
{
    struct sigaction action = {.sa_handler = on ? interrupt : SIG_DFL, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    interrupted = 0;
    sigaction(SIGINT, &action, NULL);
}

static bool print_piece(void *data, const char *text, size_t size)
{
    (void)data;
    return !interrupted && fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0;
}

static lf_reply *ask_model(const cJSON *messages)
{
    lf_error error;
    const char *model = getenv("OPENAI_MODEL");
    lf_reply *reply = lf_openai_chat(.model = model && *model ? model : "gpt-4o-mini", .messages = LF_VALUE(messages),
                                     .tools = lf_json(tools), .on_text = print_piece, .timeout_ms = 300000, .error = &error);
    if (!reply)
        fprintf(stderr, "chat: %s\n", error.message);
    return reply;
}

/* The answer of the model joins the conversation, and what the tools say that it calls. */
static bool add_reply(cJSON *messages, const lf_reply *reply)
{
    const cJSON *call;
    if (reply->is_cancelled) /* half a call of a tool is none */
        return add_message(messages, "assistant", reply->text, NULL);
    bool good = cJSON_AddItemToArray(messages, cJSON_Duplicate(reply->message, true));
    cJSON_ArrayForEach(call, reply->tool_calls) {
        result said = "";
        run_tool(cJSON_GetObjectItemCaseSensitive(call, "function"), said);
        good = good && add_message(messages, "tool", said, text_of(call, "id"));
    }
    return good;
}

/* One line, until the model has said what it wants to say. */
static bool take_turn(cJSON *messages, const char *line)
{
    OBSERVE_AGENT(line);
    bool good = add_message(messages, "user", line, NULL), goes_on = good;
    for (int round = 0; goes_on && round < MAX_ROUNDS; round++) {
        lf_reply *reply = ask_model(messages);
        good = reply && add_reply(messages, reply);
        goes_on = good && reply->tool_calls && !reply->is_cancelled;
        if (!goes_on && good)
            OBSERVE_OUTPUT(reply->text);
        lf_reply_free(reply);
    }
    if (!good)
        OBSERVE_ERROR("no answer");
    puts("");
    return good;
}

int main(void)
{
    const bool by_hand = isatty(STDIN_FILENO);
    char session[LF_TRACE_ID_SIZE], *line = NULL;
    size_t room = 0;
    int status = 0;
    cJSON *messages = cJSON_CreateArray();
    bool good = add_message(messages, "system", "You are a helpful assistant. Be brief.", NULL);
    lf_create_trace_id(NULL, session); /* any id will do */
    OBSERVE_ATTRIBUTES(.session_id = session, .trace_name = "chat");
    while (good && (!by_hand || (fputs("> ", stdout) >= 0 && fflush(stdout) == 0)) && getline(&line, &room, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (!*line)
            continue;
        int before = cJSON_GetArraySize(messages);
        handle_interrupts(true);
        if (!take_turn(messages, line)) {
            status = 1;
            while (cJSON_GetArraySize(messages) > before) /* as if it had not been asked */
                cJSON_DeleteItemFromArray(messages, before);
        }
        handle_interrupts(false);
        forget_old(messages);
    }
    free(line);
    cJSON_Delete(messages);
    return good ? status : 1;
}
