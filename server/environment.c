#include "environment.h"

#include <string.h>

/* libcurl reads the first of the two that is set; other clients read the other one. */
static const char *const environment_no_proxy[] = {"no_proxy", "NO_PROXY"};

static const char *const environment_loopback[] = {"127.0.0.1", "localhost"};

static bool environment_is(const char *entry, text name)
{
    return strlen(entry) > name.size && memcmp(entry, name.at, name.size) == 0 && entry[name.size] == '=';
}

static const char *environment_find(char *const *base, const char *name)
{
    text wanted = text_of(name);
    for (size_t i = 0; base[i] != NULL; i++)
        if (environment_is(base[i], wanted))
            return base[i] + wanted.size + 1;
    return NULL;
}

const char *environment_get(char *const *base, const char *name)
{
    const char *value = environment_find(base, name);
    return value != NULL && *value != '\0' ? value : NULL;
}

bool environment_can_preload(const char *path)
{
    return *path != '\0' && strpbrk(path, " :\t\n") == NULL;
}

static void environment_set(environment_changes *c, const char *name, text value)
{
    if (c->count < sizeof c->list / sizeof *c->list)
        c->list[c->count++] = (environment_change){name, value};
}

/* ---- The plan ---- */

/* What the other name of the variable lists is kept, too: the one that is set hides it. */
static text environment_with_loopback(arena *a, const char *own, const char *other)
{
    buf list = {0};
    text kept = text_of(own != NULL ? own : other);
    buf_text(&list, kept);
    for (size_t i = 0; i < sizeof environment_loopback / sizeof *environment_loopback; i++) {
        text host = text_of(environment_loopback[i]);
        if (text_is(text_trim(kept), "*") || text_lists(kept, host))
            continue;
        if (list.size > 0)
            buf_char(&list, ',');
        buf_text(&list, host);
    }
    return buf_move(&list, a);
}

static void environment_plan_proxies(arena *a, char *const *base, environment_changes *out)
{
    const char *lower = environment_get(base, environment_no_proxy[0]), *upper = environment_get(base, environment_no_proxy[1]);
    environment_set(out, environment_no_proxy[0], environment_with_loopback(a, lower, upper));
    environment_set(out, environment_no_proxy[1], environment_with_loopback(a, upper, lower));
}

/* Libraries of LD_PRELOAD stand between colons or blanks. */
static bool environment_preloads(text list, text path)
{
    while (list.size > 0) {
        size_t size = 0;
        while (size < list.size && list.at[size] != ':' && list.at[size] != ' ')
            size++;
        if (text_equal((text){list.at, size}, path))
            return true;
        list = text_from(list, size < list.size ? size + 1 : size);
    }
    return false;
}

static void environment_plan_preload(arena *a, char *const *base, const char *path, environment_changes *out)
{
    text there = text_of(environment_get(base, "LD_PRELOAD"));
    buf list = {0};
    if (environment_preloads(there, text_of(path)))
        return;
    buf_string(&list, path);
    if (there.size > 0) {
        buf_char(&list, ':');
        buf_text(&list, there);
    }
    environment_set(out, "LD_PRELOAD", buf_move(&list, a));
}

void environment_plan(arena *a, char *const *base, const environment_wish *wish, environment_changes *out)
{
    *out = (environment_changes){.count = 0};
    environment_set(out, "LANGFUSE_BASE_URL", text_of(wish->base_url));
    if (environment_find(base, "LANGFUSE_HOST") != NULL) /* older SDKs read this one */
        environment_set(out, "LANGFUSE_HOST", text_of(wish->base_url));
    environment_set(out, "LANGFUSE_PUBLIC_KEY", text_of(wish->public_key));
    environment_set(out, "LANGFUSE_SECRET_KEY", text_of(wish->secret_key));
    if (environment_find(base, "LANGFUSE_OTEL_TRACES_EXPORT_PATH") != NULL) /* a path of another server */
        environment_set(out, "LANGFUSE_OTEL_TRACES_EXPORT_PATH", TEXT_NONE);
    environment_plan_proxies(a, base, out);
    if (wish->preload != NULL)
        environment_plan_preload(a, base, wish->preload, out);
    if (wish->children)
        environment_set(out, "LANGFUSE_CURL_CHILDREN", TEXT("true"));
}

/* ---- As an environment ---- */

static bool environment_changes_it(const environment_changes *changes, const char *entry)
{
    for (size_t i = 0; i < changes->count; i++)
        if (environment_is(entry, text_of(changes->list[i].name)))
            return true;
    return false;
}

static char *environment_entry(arena *a, const environment_change *change)
{
    size_t name = strlen(change->name);
    char *entry = arena_take(a, name + change->value.size + 2);
    if (entry == NULL)
        return NULL;
    memcpy(entry, change->name, name);
    entry[name] = '=';
    if (change->value.size > 0)
        memcpy(entry + name + 1, change->value.at, change->value.size);
    return entry;
}

char **environment_apply(arena *a, char *const *base, const environment_changes *changes)
{
    size_t count = 0, used = 0;
    while (base[count] != NULL)
        count++;
    char **out = arena_take(a, (count + changes->count + 1) * sizeof *out);
    for (size_t i = 0; out != NULL && i < count; i++)
        if (!environment_changes_it(changes, base[i]))
            out[used++] = base[i];
    for (size_t i = 0; out != NULL && i < changes->count; i++)
        if (changes->list[i].value.at != NULL)
            out[used++] = environment_entry(a, &changes->list[i]);
    return a->failed ? NULL : out;
}

/* ---- As lines ---- */

static bool environment_is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("_./:,=@%+-", c) != NULL);
}

void environment_quote(buf *out, text word)
{
    size_t plain = 0;
    while (plain < word.size && environment_is_plain(word.at[plain]))
        plain++;
    if (plain == word.size && plain > 0) {
        buf_text(out, word);
        return;
    }
    buf_char(out, '\'');
    for (size_t i = 0; i < word.size; i++) {
        if (word.at[i] == '\'')
            buf_string(out, "'\\''");
        else
            buf_char(out, word.at[i]);
    }
    buf_char(out, '\'');
}

void environment_write(buf *out, const environment_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const environment_change *change = &changes->list[i];
        buf_format(out, change->value.at != NULL ? "export %s=" : "unset %s", change->name);
        if (change->value.at != NULL)
            environment_quote(out, change->value);
        buf_char(out, '\n');
    }
}
