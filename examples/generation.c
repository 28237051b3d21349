/* A model call as Langfuse likes to see it: model, parameters, streamed output, tokens and cost, inside of an agent. */
#include "observe.h"

#include <stdio.h>
#include <string.h>

typedef struct usage {
    int input_tokens, output_tokens;
} usage;

typedef void on_token(const char *token, void *data);

/* A real program would call its model here, over HTTP or in the process, and hand on the tokens as they come. */
static usage stream_model(const char *prompt, double temperature, on_token *receive, void *data)
{
    static const char *const tokens[] = {"The ", "capital ", "of ", "France ", "is ", "Paris", "."};
    const int count = sizeof tokens / sizeof *tokens;
    (void)temperature;
    for (int i = 0; i < count; i++)
        receive(tokens[i], data);
    return (usage){.input_tokens = (int)strlen(prompt) / 4 + 1, .output_tokens = count};
}

/* The first piece tells Langfuse when the answer began; together they are the output of the generation. */
static void show_token(const char *token, void *data)
{
    lf_output_append(token, strlen(token));
    fputs(token, data);
}

static void chat(const char *prompt, FILE *out)
{
    const double temperature = 0.2;
    const double dollars_per_input_token = 0.15e-6, dollars_per_output_token = 0.60e-6;
    OBSERVE_GENERATION(prompt);
    lf_update_current_observation(.model = "gpt-4o-mini",
                                  .model_parameters = LF_OBJECT("temperature", temperature, "stream", lf_bool(true)));

    usage used = stream_model(prompt, temperature, show_token, out);

    lf_update_current_observation(.usage_details = LF_OBJECT("input", used.input_tokens, "output", used.output_tokens),
                                  .cost_details = LF_OBJECT("input", used.input_tokens * dollars_per_input_token, "output",
                                                            used.output_tokens * dollars_per_output_token),
                                  .metadata = LF_OBJECT("finish_reason", "stop"));
}

static int assistant(const char *question)
{
    OBSERVE_AGENT(question);
    lf_update_current_observation(.version = "1", .metadata = LF_OBJECT("audience", "newcomers", "attempt", 1));
    char prompt[256];
    snprintf(prompt, sizeof prompt, "Answer in one sentence: %s", question);
    chat(prompt, stdout);
    putchar('\n');
    OBSERVE_RETURN(0);
}

int main(void)
{
    return assistant("What is the capital of France?");
}
