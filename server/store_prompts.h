/* Storage of prompts, their versions and what they refer to. What a label or a version means is not decided here.
 *
 * Everything stands between store_begin and store_end, so that reading, deciding and writing are one step that nothing comes
 * between. Texts live in the arena that is given. False always means that the database failed.
 */
#ifndef LOCAL_STORE_PROMPTS_H
#define LOCAL_STORE_PROMPTS_H

#include "prompt.h"
#include "store.h"

/* The store for the calls up to store_end. To write it is this thread's alone; to read it stays as it is, whatever others write.
 * NULL: the database failed, and there is nothing to end. */
store *store_begin(store *s, bool write);
bool store_end(store *used, bool keep); /* false also when what was written could not be kept */

/* The version of that number or, when it is 0, the one with that label. */
bool store_find_prompt(store *s, arena *a, text name, int64_t version, text label, prompt *out, bool *out_found);

/* All versions of a name, oldest first, without content and config. */
bool store_prompt_versions(store *s, arena *a, text name, prompt **out_versions, size_t *out_count);

bool store_add_prompt(store *s, const prompt *p, const prompt_reference *references, size_t count);
bool store_update_prompt(store *s, const prompt *p); /* its labels, tags and time */
bool store_remove_prompt(store *s, text id);

/* A prompt that refers to a name. They come in the order in which the references were stored. */
typedef struct store_dependent {
    text parent_name, wanted;
    int64_t parent_version, version; /* `version` is 0 for a reference by label */
} store_dependent;

bool store_prompt_dependents(store *s, arena *a, text child_name, store_dependent **out_list, size_t *out_count);

typedef struct store_prompt_query {
    text name, label, tag;  /* empty: any */
    int64_t version;        /* 0: any */
    int64_t from_ms, to_ms; /* updated at or after, and before */
    size_t limit, offset;   /* of names */
} store_prompt_query;

/* The versions that match, without content, of a page of names, by name and version; and how many names there are in all. */
bool store_list_prompts(store *s, arena *a, const store_prompt_query *query, prompt **out_versions, size_t *out_count,
                        int64_t *out_total);

#endif
