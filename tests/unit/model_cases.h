/* Cases of tests/models: NAME.body is the body of a reply as a server sent it, NAME.case.json says what the call was and what must come of
 * it. tests/README.md has the members.
 */
#ifndef TESTS_MODEL_CASES_H
#define TESTS_MODEL_CASES_H

#include "../../src/base/json.h"
#include "../../src/model/reply.h"
#include "../../src/model/request.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct model_case {
    char name[128];
    char *body;
    size_t body_size;
    cJSON *json;
    const cJSON *expected;
    const char *url;
    char *request; /* its body; "" where it has none */
    lf__api api;
    lf__reply_end end;
    char media_type[32]; /* as the request tells it */
} model_case;

static char *model_case_read(const char *path, size_t *out_size)
{
    FILE *stream = fopen(path, "rb");
    if (stream == NULL)
        return NULL;
    char *bytes = NULL;
    size_t size = 0, room = 0;
    for (size_t got = 1; got > 0; size += got) {
        if (room - size < 4096)
            bytes = realloc(bytes, (room += 1 << 16) + 1);
        got = fread(bytes + size, 1, room - size, stream);
    }
    fclose(stream);
    bytes[size] = '\0';
    *out_size = size;
    return bytes;
}

/* What libcurl's result becomes. */
static lf__reply_end model_case_end(const cJSON *json)
{
    int code = (int)cJSON_GetNumberValue(cJSON_GetObjectItem(json, "curl_code"));
    lf__reply_end end = {.http_status = (int)cJSON_GetNumberValue(cJSON_GetObjectItem(json, "http_status"))};
    end.cancelled = code == 23 || code == 42;
    end.error = code == 0 || end.cancelled ? NULL : code == 18 ? "CURLE_PARTIAL_FILE (18)" : "the connection broke";
    end.unread = cJSON_IsTrue(cJSON_GetObjectItem(json, "unread"));
    return end;
}

static bool model_case_open(model_case *out, const char *folder, const char *file)
{
    char path[512];
    size_t size;
    const char *dot = strstr(file, ".case.json");
    *out = (model_case){0};
    snprintf(out->name, sizeof out->name, "%.*s", (int)(dot - file), file);
    snprintf(path, sizeof path, "%s/%s", folder, file);
    char *text = model_case_read(path, &size);
    snprintf(path, sizeof path, "%s/%s.body", folder, out->name);
    out->body = model_case_read(path, &out->body_size);
    out->json = text == NULL ? NULL : cJSON_Parse(text);
    free(text);
    if (out->body == NULL || out->json == NULL)
        return false;
    out->expected = cJSON_GetObjectItem(out->json, "expected");
    out->url = cJSON_GetStringValue(cJSON_GetObjectItem(out->json, "url"));
    out->request = cJSON_PrintUnformatted(cJSON_GetObjectItem(out->json, "request"));
    out->end = model_case_end(out->json);
    out->api = lf__api_of(lf__text_of(out->url), lf__text_of(out->request));
    lf__request request;
    (void)lf__request_read(&request, out->api, lf__text_of(out->url), lf__text_of(out->request), 1 << 20);
    snprintf(out->media_type, sizeof out->media_type, "%s", request.media_type);
    lf__request_done(&request);
    return out->expected != NULL && out->url != NULL && out->request != NULL;
}

static void model_case_close(model_case *it)
{
    free(it->body);
    free(it->request);
    cJSON_Delete(it->json);
}

static int model_case_is(const struct dirent *entry)
{
    const char *dot = strstr(entry->d_name, ".case.json");
    return dot != NULL && dot[strlen(".case.json")] == '\0';
}

/* Every case of a folder, in the order of their names. Returns how many there are; 0: there is no folder. */
static int model_cases_each(const char *folder, void (*run)(const model_case *))
{
    struct dirent **entries;
    int count = scandir(folder, &entries, model_case_is, alphasort);
    for (int i = 0; i < count; i++) {
        model_case it;
        if (!model_case_open(&it, folder, entries[i]->d_name)) {
            fprintf(stderr, "%s/%s cannot be read\n", folder, entries[i]->d_name);
            exit(1);
        }
        run(&it);
        model_case_close(&it);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return count < 0 ? 0 : count;
}

#endif
