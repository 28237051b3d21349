/* Prompts: written, fetched and filled in, linked to the generations that use them, promoted and rolled back by a label; and
 * what happens when nobody answers. Without keys it runs, too, with the fallback. */
#include "langfuse/prompt.h"
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What an editor does; mostly somebody does it in Langfuse's user interface ------------------------------------ */

static void tell(const char *what, const lf_error *error)
{
    fprintf(stderr, "prompt: %s: %s\n", what, error->message);
}

/* The label decides which version programs get. A new version without it changes nothing for them. */
static int publish(const char *text, lf_value labels, const char *why)
{
    lf_error error;
    lf_prompt *made = lf_create_prompt(.name = "movie-critic", .prompt = text, .labels = labels, .tags = LF_TAGS("demo"),
                                       .config = LF_OBJECT("model", "tiny-1", "temperature", 0.2), .commit_message = why,
                                       .error = &error);
    if (made == NULL) {
        tell("nothing is created", &error);
        return 0;
    }
    int version = made->version;
    lf_prompt_free(made);
    return version;
}

static void put_into_production(int version)
{
    lf_error error;
    if (version > 0 &&
        lf_update_prompt(.name = "movie-critic", .version = version, .new_labels = LF_TAGS("production"), .error = &error) != LF_OK)
        tell("not promoted", &error);
}

/* ---- What the program does ---------------------------------------------------------------------------------------- */

static const char *source_name(lf_prompt_source source)
{
    static const char *const names[] = {"fresh", "cached", "stale", "fallback"};
    return names[source];
}

/* A stand-in for a model. */
static const char *complete(const char *text)
{
    return strstr(text, "short") != NULL ? "Sand." : "A long film about sand and the people in it.";
}

/* With a fallback lf_get_prompt gives nothing only when memory is out. `.prompt` links the generation to the version. */
static void review(const char *movie)
{
    OBSERVE_GENERATION(movie);
    lf_prompt *prompt = lf_get_prompt("movie-critic", .fallback = "What do you think of {{movie}}?");
    char *text = lf_prompt_compile(prompt, .variables = LF_OBJECT("movie", movie));
    if (text != NULL) {
        const char *answer = complete(text);
        lf_update_current_observation(.prompt = prompt, .model = "tiny-1", .input = LF_VALUE(text), .output = LF_VALUE(answer));
        printf("version %d, %s: %s %s\n", prompt->version, source_name(prompt->source), text, answer);
    }
    free(text);
    lf_prompt_free(prompt);
}

/* A chat: messages with variables, and a place where the conversation so far goes. */
static void chat(const char *movie)
{
    OBSERVE_GENERATION(movie);
    lf_value system = LF_OBJECT("role", "system", "content", "You know all about {{movie}}.");
    lf_value question = LF_OBJECT("role", "user", "content", "Is {{movie}} worth it?");
    lf_prompt *prompt = lf_get_prompt("movie-chat", .fallback_messages = LF_ARRAY(system, question));
    lf_value asked = LF_OBJECT("role", "user", "content", "Who made it?");
    lf_value answered = LF_OBJECT("role", "assistant", "content", "Denis Villeneuve.");
    char *messages = lf_prompt_compile(prompt, .variables = LF_OBJECT("movie", movie),
                                       .placeholders = LF_OBJECT("history", LF_ARRAY(asked, answered)));
    if (messages != NULL) {
        lf_update_current_observation(.prompt = prompt, .input = lf_json(messages), .output = LF_VALUE("Yes."));
        printf("version %d, %s: %s\n", prompt->version, source_name(prompt->source), messages);
    }
    free(messages);
    lf_prompt_free(prompt);
}

static void publish_chat(void)
{
    lf_error error;
    lf_value system = LF_OBJECT("role", "system", "content", "You are a critic of {{movie}}.");
    lf_value history = LF_OBJECT("type", "placeholder", "name", "history");
    lf_value question = LF_OBJECT("role", "user", "content", "Should I see {{movie}}?");
    lf_prompt *made = lf_create_prompt(.name = "movie-chat", .messages = LF_ARRAY(system, history, question),
                                       .labels = LF_TAGS("production"), .error = &error);
    if (made == NULL)
        tell("nothing is created", &error);
    lf_prompt_free(made);
}

static void demo(void)
{
    OBSERVE();
    int first = publish("As a critic: what do you think of {{movie}}?", LF_TAGS("production"), "as the manual has it");
    review("Dune"); /* asks the server */
    review("Dune"); /* from memory */
    int second = publish("As a critic, in short: what about {{movie}}?", LF_TAGS("staging"), "shorter");
    review("Dune"); /* the new version is not in production */
    put_into_production(second);
    review("Dune");
    put_into_production(first); /* rolled back */
    review("Dune");
    publish_chat();
    chat("Dune");
}

int main(void)
{
    demo();
    return EXIT_SUCCESS;
}
