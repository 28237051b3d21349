/* Prompts: what a valid one is, its labels and tags, the references in its text, and its JSON. Pure. */
#ifndef LOCAL_PROMPT_H
#define LOCAL_PROMPT_H

#include "issues.h"

/* One version of a prompt. */
typedef struct prompt {
    text id, name, type;       /* "text" or "chat" */
    text content, config;      /* JSON */
    text commit_message;       /* NULL: none */
    const json *labels, *tags; /* arrays of strings */
    int64_t version, created_ms, updated_ms;
} prompt;

#define PROMPT_TEXT "text"
#define PROMPT_PRODUCTION "production"
#define PROMPT_LATEST "latest"

/* The body of a request that creates a version: adds what is wrong with it to `problems`. When nothing is, *out has all that a body
 * says; its `tags` are NULL when the body has none. */
void prompt_check(arena *a, const json *body, issues *problems, prompt *out);

/* The labels of a request that changes those of a version. */
void prompt_check_labels(const json *body, issues *problems);

/* The names that are both a variable and a placeholder of a chat, between commas; empty when there are none. */
text prompt_ambiguous_names(arena *a, text content);

/* ---- Lists of strings ---- */

bool prompt_lists(const json *list, text item);
const json *prompt_list_of(arena *a, text item);
const json *prompt_join(arena *a, const json *first, const json *second); /* each item once, those of `first` before the others */
const json *prompt_without(arena *a, const json *list, const json *unwanted); /* `list` itself when nothing has to go */
bool prompt_same_items(const json *left, const json *right); /* in any order */

/* ---- References: @@@langfusePrompt:name=N|label=L@@@ and ...|version=V@@@ ---- */

typedef struct prompt_reference {
    text name, wanted; /* `wanted` is the label, or the version in digits */
    bool by_version;
    int64_t version;
    size_t at, size; /* where it stands in the content */
} prompt_reference;

/* What looks like a reference and is none stays text. `content` is JSON, and the parts borrow from it. */
prompt_reference *prompt_references(arena *a, text content, size_t *out_count);

typedef struct prompt_edge {
    text parent_id, child_id, child_name;
    int64_t child_version;
} prompt_edge;

/* Finds the prompt that a reference means. False when the storage failed; *out_found says whether there is one. */
typedef bool prompt_lookup(void *context, arena *a, const prompt_reference *wanted, prompt *out, bool *out_found);

typedef struct prompt_graph {
    arena *arena;
    prompt_lookup *lookup;
    void *context;
    prompt_edge *edges; /* in the order in which they were found */
    size_t edge_count;
    text problem; /* why the references cannot be resolved; empty: they can */
    bool failed;  /* the storage failed, or memory ran out */
} prompt_graph;

/* The content of `root` with every reference replaced, in the graph's arena. Look at `failed` and `problem` afterwards. */
text prompt_resolve(prompt_graph *g, const prompt *root);

/* ---- JSON ---- */

typedef enum prompt_activity { PROMPT_NOT_SAID, PROMPT_SAID } prompt_activity;

/* The members of a prompt, without the braces. `isActive` is told when a prompt is read, and null where it is written. */
void prompt_put(buf *out, const prompt *p, prompt_activity activity);
void prompt_put_graph(buf *out, const prompt *root, const prompt_graph *g); /* null when there are no references */

#endif
