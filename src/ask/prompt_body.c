#include "prompt_body.h"

#include <cjson/cJSON.h>
#include <string.h>

/* ---- References ---- */

static void body_free(lf__prompt_body *body)
{
    lf__template_free(&body->template);
    for (size_t i = 0; i < body->message_count; i++)
        lf__template_free(&body->messages[i].content);
    lf__free(body->messages);
    lf__free((void *)body->labels);
    lf__free((void *)body->tags);
    for (size_t i = 0; i < body->variable_count; i++)
        lf__free((void *)(uintptr_t)body->variables[i]);
    lf__free((void *)body->variables);
    cJSON_Delete(body->json);
    cJSON_free(body->made_text);
    lf__free(body);
}

void lf__prompt_body_drop(lf__prompt_body *body)
{
    /* Pairs with itself: what other threads read of the body is read before it goes. */
    if (body != NULL && atomic_fetch_sub_explicit(&body->references, 1, memory_order_acq_rel) == 1)
        body_free(body);
}

/* ---- Taking apart ---- */

static const char *body_string(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static const char **body_list(const cJSON *array, bool *no_memory)
{
    size_t count = 0;
    const char **list = lf__alloc(((size_t)cJSON_GetArraySize(array) + 1) * sizeof *list);
    *no_memory |= list == NULL;
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
        if (list != NULL && cJSON_IsString(item))
            list[count++] = item->valuestring;
    return list;
}

static bool body_parse_message(lf__prompt_message *message, const cJSON *item, bool *bad)
{
    const char *type = body_string(item, "type"), *content = body_string(item, "content");
    if (type != NULL && strcmp(type, "placeholder") == 0) {
        message->placeholder = body_string(item, "name");
        *bad |= message->placeholder == NULL;
        return true;
    }
    message->role = body_string(item, "role");
    *bad |= message->role == NULL || content == NULL;
    return *bad || lf__template_parse(&message->content, content, strlen(content));
}

static bool body_parse_messages(lf__prompt_body *body, const cJSON *list, bool *bad)
{
    body->messages = lf__alloc(((size_t)cJSON_GetArraySize(list) + 1) * sizeof *body->messages);
    if (body->messages == NULL)
        return false;
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
        if (!body_parse_message(&body->messages[body->message_count++], item, bad))
            return false;
    body->is_chat = true;
    body->json_messages = list;
    body->made_text = cJSON_PrintUnformatted(list);
    body->text = body->made_text;
    return body->text != NULL;
}

/* Room for one more and the NULL. It doubles when the count is 0 or a power of two: an allocator may copy each time. */
static bool body_make_room_for_name(lf__prompt_body *body)
{
    size_t count = body->variable_count;
    if ((count & (count - 1)) != 0)
        return true;
    const char **names = lf__realloc((void *)body->variables, (2 * count + 2) * sizeof *names);
    if (names != NULL)
        body->variables = names;
    return names != NULL;
}

/* Add the names of all places, in their order. */
static bool body_collect_names(lf__prompt_body *body, const lf__template *template)
{
    const char *name;
    size_t size;
    for (size_t at = 0; lf__template_names(template, &at, &name, &size);) {
        if (!body_make_room_for_name(body))
            return false;
        char *copy = lf__alloc(size + 1);
        if (copy == NULL)
            return false;
        memcpy(copy, name, size);
        body->variables[body->variable_count++] = copy;
        body->variables[body->variable_count] = NULL;
    }
    return true;
}

static bool body_collect_variables(lf__prompt_body *body)
{
    body->variables = lf__alloc(sizeof *body->variables);
    bool ok = body->variables != NULL && (body->is_chat || body_collect_names(body, &body->template));
    for (size_t i = 0; ok && i < body->message_count; i++)
        ok = body->messages[i].placeholder != NULL || body_collect_names(body, &body->messages[i].content);
    return ok;
}

/* Take body->json apart. False: no memory, or *bad. */
static bool body_read(lf__prompt_body *body, bool *bad)
{
    const cJSON *prompt = cJSON_GetObjectItemCaseSensitive(body->json, "prompt");
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(body->json, "version");
    bool no_memory = false;
    body->name = body_string(body->json, "name");
    body->version = cJSON_IsNumber(version) ? version->valueint : 0;
    body->commit_message = body_string(body->json, "commitMessage");
    body->config = cJSON_GetObjectItemCaseSensitive(body->json, "config");
    body->labels = body_list(cJSON_GetObjectItemCaseSensitive(body->json, "labels"), &no_memory);
    body->tags = body_list(cJSON_GetObjectItemCaseSensitive(body->json, "tags"), &no_memory);
    if (body->config == NULL)
        body->config = cJSON_AddObjectToObject(body->json, "config");
    if (body->name == NULL || !cJSON_IsNumber(version) || (!cJSON_IsString(prompt) && !cJSON_IsArray(prompt))) {
        *bad = true;
        return false;
    }
    if (cJSON_IsArray(prompt)) {
        no_memory |= !body_parse_messages(body, prompt, bad);
    } else {
        body->text = prompt->valuestring;
        no_memory |= !lf__template_parse(&body->template, body->text, strlen(body->text));
    }
    return !*bad && !no_memory && body->config != NULL && body_collect_variables(body);
}

/* ---- Memory ---- */

static size_t body_text_cost(const char *text)
{
    return text == NULL ? 0 : lf__alloc_cost(strlen(text) + 1);
}

/* Add what the nodes of a tree take, and its texts. cJSON bounds the depth. */
static void body_count_tree(const cJSON *json, size_t *out_nodes, size_t *out_texts)
{
    for (const cJSON *item = json; item != NULL; item = item->next) {
        *out_nodes += lf__alloc_cost(sizeof *item);
        *out_texts += body_text_cost(item->string) + body_text_cost(item->valuestring);
        body_count_tree(item->child, out_nodes, out_texts);
    }
}

static size_t body_cost_of_list(const cJSON *array)
{
    return lf__alloc_cost(((size_t)cJSON_GetArraySize(array) + 1) * sizeof(char *));
}

static size_t body_cost_of_variables(const lf__prompt_body *body)
{
    size_t room = 1, cost = 0;
    while (room < body->variable_count)
        room *= 2;
    for (size_t i = 0; i < body->variable_count; i++)
        cost += body_text_cost(body->variables[i]);
    return cost + lf__alloc_cost((2 * room + 2) * sizeof *body->variables);
}

/* A tree of small parts takes many times its text. Texts count as at least `size`, that of the JSON: cJSON allocates for a text
 * what it takes with its escapes. */
static size_t body_cost(const lf__prompt_body *body, size_t size)
{
    size_t nodes = 0, texts = 0, cost = lf__alloc_cost(sizeof *body);
    body_count_tree(body->json, &nodes, &texts);
    cost += nodes + (texts > size ? texts : size) + body_text_cost(body->made_text) + lf__template_bytes(&body->template) +
            body_cost_of_list(cJSON_GetObjectItemCaseSensitive(body->json, "labels")) +
            body_cost_of_list(cJSON_GetObjectItemCaseSensitive(body->json, "tags")) + body_cost_of_variables(body);
    if (body->messages != NULL)
        cost += lf__alloc_cost((body->message_count + 1) * sizeof *body->messages);
    for (size_t i = 0; i < body->message_count; i++)
        cost += lf__template_bytes(&body->messages[i].content);
    return cost;
}

/* Takes `json`. */
static lf__prompt_body *body_new(cJSON *json, size_t size, bool *bad)
{
    lf__prompt_body *body = json == NULL ? NULL : lf__alloc(sizeof *body);
    if (body == NULL) {
        cJSON_Delete(json);
        return NULL;
    }
    body->references = 1;
    body->json = json;
    body->fetched_ns = lf__monotonic_ns();
    if (body_read(body, bad)) {
        body->bytes = body_cost(body, size);
        return body;
    }
    body_free(body);
    return NULL;
}

lf__prompt_body *lf__prompt_body_parse(const char *text, size_t size, bool *bad)
{
    cJSON *json = cJSON_ParseWithLength(text, size);
    *bad = !cJSON_IsObject(json);
    if (!*bad)
        return body_new(json, size, bad);
    cJSON_Delete(json);
    return NULL;
}

lf__prompt_body *lf__prompt_body_make(const char *name, int version, const char *label, const char *text, const char *messages,
                                      size_t messages_size, bool *bad)
{
    *bad = false;
    cJSON *json = cJSON_CreateObject();
    cJSON *prompt = text != NULL ? cJSON_CreateString(text) : cJSON_ParseWithLength(messages, messages_size);
    *bad = text == NULL && !cJSON_IsArray(prompt);
    bool ok = prompt != NULL && !*bad && cJSON_AddStringToObject(json, "name", name) != NULL &&
              cJSON_AddNumberToObject(json, "version", version) != NULL;
    cJSON *labels = ok ? cJSON_AddArrayToObject(json, "labels") : NULL;
    ok = ok && labels != NULL && cJSON_AddItemToObject(json, "prompt", prompt);
    cJSON *item = ok && label != NULL ? cJSON_CreateString(label) : NULL;
    if (item != NULL)
        cJSON_AddItemToArray(labels, item);
    if (!ok) {
        cJSON_Delete(prompt);
        cJSON_Delete(json);
        return NULL;
    }
    return body_new(json, strlen(name), bad);
}
