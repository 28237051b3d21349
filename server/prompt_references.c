#include "prompt.h"

#include <string.h>

enum { REFERENCES_MAX_DEPTH = 5 }; /* prompts within prompts */

/* A few prompts that refer to each other many times could grow without end. */
enum { REFERENCES_MAX_EDGES = 1000, REFERENCES_MAX_RESOLVED = 16 << 20 };

/* ---- References ---- */

#define REFERENCES_OPENING "@@@langfusePrompt:"
#define REFERENCES_CLOSING "@@@"

/* What stands between the first "=" of a part and its second, as the real server cuts it. NULL without "=". */
static text references_value_of(text part)
{
    text_take(&part, "=");
    return text_take(&part, "=");
}

/* name=N|label=L or name=N|version=V */
static bool references_read_reference(text inside, prompt_reference *out)
{
    text first = text_take(&inside, "|"), second = text_take(&inside, "|");
    if (!text_starts(first, "name=") || second.size == 0 || inside.at != NULL)
        return false;
    out->name = references_value_of(first);
    out->wanted = references_value_of(second);
    out->by_version = text_starts(second, "version=");
    out->version = 0;
    if (out->name.size == 0 || out->wanted.at == NULL)
        return false;
    return out->by_version ? text_to_int(out->wanted, &out->version) : text_starts(second, "label=");
}

prompt_reference *prompt_references(arena *a, text content, size_t *out_count)
{
    prompt_reference *list = NULL, *added;
    text rest = content;
    *out_count = 0;
    for (text_take(&rest, REFERENCES_OPENING); rest.at != NULL; text_take(&rest, REFERENCES_OPENING)) {
        prompt_reference found = {.at = (size_t)(rest.at - content.at) - strlen(REFERENCES_OPENING)};
        text inside = text_take(&rest, REFERENCES_CLOSING);
        if (rest.at == NULL || !references_read_reference(inside, &found))
            continue;
        found.size = (size_t)(rest.at - content.at) - found.at;
        added = arena_add(a, &list, sizeof *added, out_count);
        if (added == NULL)
            break;
        *added = found;
    }
    return list;
}

/* ---- Resolving ---- */

/* The prompts from the root to the one at hand. */
typedef struct references_chain {
    const prompt *at;
    const struct references_chain *above;
    unsigned level;
} references_chain;

static bool references_is_circular(const references_chain *c)
{
    const references_chain *root = c;
    for (const references_chain *above = c->above; above != NULL; above = above->above) {
        if (text_equal(above->at->id, c->at->id))
            return true;
        root = above;
    }
    return root != c && text_equal(root->at->name, c->at->name); /* another version of the root is a circle, too */
}

static void references_refuse_circle(prompt_graph *g, const prompt *p)
{
    buf words = {0};
    buf_string(&words, "Circular dependency detected involving prompt '");
    buf_text(&words, p->name);
    buf_format(&words, "' version %lld", (long long)p->version);
    g->problem = buf_move(&words, g->arena);
}

static void references_refuse_reference(prompt_graph *g, const char *why, const prompt_reference *r)
{
    buf words = {0};
    buf_string(&words, why);
    buf_text(&words, r->name);
    buf_string(&words, r->by_version ? " - version " : " - label ");
    buf_text(&words, r->wanted);
    g->problem = buf_move(&words, g->arena);
}

static bool references_find_child(prompt_graph *g, const prompt *parent, const prompt_reference *r, prompt *out)
{
    bool found = false;
    if (g->edge_count == REFERENCES_MAX_EDGES || !g->lookup(g->context, g->arena, r, out, &found)) {
        g->failed = true;
        return false;
    }
    if (!found || !text_is(out->type, PROMPT_TEXT)) {
        references_refuse_reference(g, found ? "Prompt dependency is not a text prompt: " : "Prompt dependency not found: ", r);
        return false;
    }
    prompt_edge *added = arena_add(g->arena, &g->edges, sizeof *added, &g->edge_count);
    if (added != NULL)
        *added = (prompt_edge){parent->id, out->id, out->name, out->version};
    return added != NULL;
}

/* Works on JSON, so that the text of a child needs no escaping: it is the child's JSON without the quotes. */
static text references_resolve(prompt_graph *g, const references_chain *c)
{
    size_t count, done = 0;
    buf out = {.ceiling = REFERENCES_MAX_RESOLVED};
    text content = c->at->content;
    if (c->level >= REFERENCES_MAX_DEPTH)
        g->problem = TEXT("Maximum nesting depth exceeded (5)");
    else if (references_is_circular(c))
        references_refuse_circle(g, c->at);
    if (g->problem.size > 0)
        return TEXT("");
    const prompt_reference *list = prompt_references(g->arena, content, &count);
    for (size_t i = 0; i < count && g->problem.size == 0 && !g->failed; i++) {
        prompt child;
        if (!references_find_child(g, c->at, &list[i], &child))
            break;
        const references_chain below = {&child, c, c->level + 1};
        text resolved = references_resolve(g, &below);
        buf_put(&out, content.at + done, list[i].at - done);
        if (resolved.size > 2)
            buf_put(&out, resolved.at + 1, resolved.size - 2);
        done = list[i].at + list[i].size;
    }
    if (count > 0)
        buf_put(&out, content.at + done, content.size - done);
    text result = count > 0 ? buf_move(&out, g->arena) : content;
    g->failed |= g->arena->failed;
    buf_free(&out);
    return result;
}

text prompt_resolve(prompt_graph *g, const prompt *root)
{
    const references_chain top = {root, NULL, 0};
    return references_resolve(g, &top);
}
