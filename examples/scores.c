/* Scores: what a program, a model or a person thinks of an answer. While it runs, at its end, and days later by its ids. */
#include "langfuse/score.h"
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Checks of the program itself, where the answer is made: they judge the innermost open observation. */
static const char *complete(const char *question)
{
    OBSERVE_GENERATION(question);
    const char *text = strstr(question, "France") ? "Paris" : "I do not know.";
    lf_score_current_observation(.name = "brevity", .value = 1.0 - (double)strlen(text) / 100);
    lf_score_current_observation(.name = "tone", .string_value = "neutral");
    OBSERVE_RETURN(text);
}

/* A second model as the judge: an observation of its own, and its verdict on the whole trace. */
static void judge(const char *question, const char *text)
{
    OBSERVE_EVALUATOR(question, text);
    const bool right = strcmp(text, "Paris") == 0;
    lf_score_current_trace(.name = "correct", .value = right, .data_type = LF_SCORE_BOOLEAN,
                           .metadata = LF_OBJECT("judge", "rule"));
    lf_score_current_trace(.name = "reason", .string_value = right ? "the capital is Paris" : "no answer",
                           .data_type = LF_SCORE_TEXT);
    OBSERVE_OUTPUT(right);
}

/* What a later judgement needs; put it next to the answer in your database. */
typedef struct place {
    char trace_id[LF_TRACE_ID_SIZE], observation_id[LF_OBSERVATION_ID_SIZE];
} place;

static place ask(const char *question)
{
    OBSERVE_AGENT(question);
    place p;
    lf_current_trace_id(p.trace_id);
    lf_current_observation_id(p.observation_id);
    const char *text = complete(question);
    judge(question, text);
    OBSERVE_OUTPUT(text);
    return p;
}

/* Later, perhaps in another program. A second click replaces the first, since its score has the same id and the same time: that of
 * the answer, which the program knows at both clicks. (Two programs, and a server before 4.59: docs/scores.md.) */
static void on_click(const place *p, bool liked, int64_t answered_ns)
{
    char id[64];
    snprintf(id, sizeof id, "click-%s", p->observation_id);
    lf_create_score(.name = "user-feedback", .value = liked, .data_type = LF_SCORE_BOOLEAN, .id = id, .timestamp_ns = answered_ns,
                    .trace_id = p->trace_id, .observation_id = p->observation_id,
                    .comment = liked ? "helpful" : "not what I asked");
}

/* The server stores a correction under this name, whatever it is called. */
static void on_correction(const place *p, const char *text)
{
    lf_create_score(.name = "output", .string_value = text, .data_type = LF_SCORE_CORRECTION, .trace_id = p->trace_id,
                    .observation_id = p->observation_id);
}

int main(void)
{
    place first = ask("What is the capital of France?");
    place second = ask("What is the capital of Atlantis?");
    on_click(&first, false, 1767268800000000000); /* 2026-01-01 12:00:00 UTC */
    on_click(&first, true, 1767268800000000000);  /* changed their mind */
    on_correction(&second, "There is none.");
    lf_create_score(.name = "satisfaction", .value = 4, .session_id = "session_abc", .comment = "survey after the chat");

    /* Nobody has to look at the status; it says what was wrong with a score, not whether the server has it. */
    if (lf_create_score(.name = "of nothing", .value = 1) == LF_ERR_ARGUMENT)
        puts("a score needs a trace, a session or a dataset run");
    return EXIT_SUCCESS;
}
