#include "project.h"

#include "../base/guest.h"
#include "rest.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    PROJECT_ID_MAX = 128,
    PROJECT_URL_ID = 1024 /* more than an id may have */
};

static size_t project_host(const char *base_url, const char **out_host)
{
    const char *host = strstr(base_url, "://");
    *out_host = host == NULL ? base_url : host + 3;
    return strcspn(*out_host, "/:");
}

/* Keys of one region are unknown in the others. Writes the others' names when the server is one of them, else nothing. */
static void project_other_regions(char *out, size_t room, const char *base_url)
{
    static const struct {
        const char *name, *host;
    } regions[] = {{"EU", "cloud.langfuse.com"},
                   {"US", "us.cloud.langfuse.com"},
                   {"Japan", "jp.cloud.langfuse.com"},
                   {"HIPAA", "hipaa.cloud.langfuse.com"}};
    static const char domain[] = "cloud.langfuse.com";
    const char *host;
    size_t size = project_host(base_url, &host), length = 0;
    out[0] = '\0';
    if (size < sizeof domain - 1 || strncasecmp(host + size - (sizeof domain - 1), domain, sizeof domain - 1) != 0 ||
        (size > sizeof domain - 1 && host[size - sizeof domain] != '.'))
        return;
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++) {
        if (strlen(regions[i].host) == size && strncasecmp(regions[i].host, host, size) == 0)
            continue;
        int more = snprintf(out + length, room - length, "%s%s https://%s",
                            length == 0 ? "; they may be of another region: " : ", ", regions[i].name, regions[i].host);
        if (more < 0 || (size_t)more >= room - length)
            break;
        length += (size_t)more;
    }
}

static lf_status project_explain_keys(const lf__config *config, int http_status, lf_error *error)
{
    char regions[LF_ERROR_TEXT_SIZE];
    project_other_regions(regions, sizeof regions, config->base_url);
    if (http_status == 403)
        return lf__rest_fail(error, LF_ERR_UNAUTHORIZED, 403,
                             "%.80s: the public key %.8s... may not ask for its project; is it a key of an organization?",
                             config->base_url, config->public_key == NULL ? "(none)" : config->public_key);
    return lf__rest_fail(error, LF_ERR_UNAUTHORIZED, http_status, "%.60s does not know these keys (public key %.8s...)%s",
                         config->base_url, config->public_key == NULL ? "(none)" : config->public_key, regions);
}

static lf_status project_explain_stranger(const lf__config *config, int http_status, const char *what, lf_error *error)
{
    return lf__rest_fail(error, LF_ERR_REFUSED, http_status,
                         "%.100s is not a Langfuse server: it answered HTTP %d with %s;"
                         " check LANGFUSE_BASE_URL",
                         config->base_url, http_status, what);
}

/* The id in {"data":[{"id":...}]}. */
static lf_status project_read_id(const lf__config *config, const lf__rest_answer *answer, char *id, size_t room, lf_error *error)
{
    cJSON *json = cJSON_ParseWithLengthOpts(answer->body, answer->size, NULL, 0);
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(json, "data");
    const cJSON *project = cJSON_GetArrayItem(data, 0);
    const cJSON *found = cJSON_GetObjectItemCaseSensitive(project, "id");
    lf_status status = LF_OK;
    if (json == NULL)
        status = project_explain_stranger(
            config, answer->status, memchr(answer->body, '<', answer->size) != NULL ? "a web page" : "something that is not JSON",
            error);
    else if (!cJSON_IsArray(data) || (project != NULL && (!cJSON_IsString(found) || found->valuestring[0] == '\0')))
        status = project_explain_stranger(config, answer->status, "JSON of another kind", error);
    else if (project == NULL)
        status = lf__rest_fail(error, LF_ERR_REFUSED, answer->status, "%.100s: the keys belong to no project", config->base_url);
    else if (strlen(found->valuestring) >= room)
        status = lf__rest_fail(error, LF_ERR_ARGUMENT, answer->status, "the id of the project is longer than %zu bytes", room - 1);
    else
        memcpy(id, found->valuestring, strlen(found->valuestring) + 1);
    cJSON_Delete(json);
    return status;
}

lf_status lf__project_ask(const lf__config *config, int timeout_ms, char *id, size_t room, lf_error *error)
{
    lf_error local;
    lf_error *told = error != NULL ? error : &local;
    lf__rest_answer answer = {0};
    lf__rest_request request = {.method = LF__HTTP_GET, .path = "api/public/projects", .timeout_ms = timeout_ms};
    lf_status status = lf__rest_call(config, &request, &answer, told);
    if (status == LF_ERR_UNAUTHORIZED)
        return project_explain_keys(config, told->http_status, error);
    if (status == LF_ERR_REFUSED && (told->http_status == 404 || told->http_status == 405))
        return project_explain_stranger(config, told->http_status, "nothing there", error);
    if (status != LF_OK)
        return status;
    LF__KEEP_ERRNO;
    status = project_read_id(config, &answer, id, room, error);
    if (status == LF_OK && error != NULL)
        *error = (lf_error){.status = LF_OK};
    lf__free(answer.body);
    return status;
}

lf_status lf__project_check(const lf__config *config, int timeout_ms, lf_error *error)
{
    char id[PROJECT_ID_MAX];
    if (config == NULL)
        return lf__rest_fail(error, LF_ERR_DISABLED, 0, "tracing is off: no keys, switched off, or shut down");
    return lf__project_ask(config, timeout_ms, id, sizeof id, error);
}

const char *lf__project_id(lf__config *config, int timeout_ms)
{
    char *known = atomic_load_explicit(&config->project_id, memory_order_acquire), id[PROJECT_ID_MAX];
    if (known != NULL || lf__project_ask(config, timeout_ms, id, sizeof id, NULL) != LF_OK)
        return known;
    char *mine = lf__strdup(id);
    if (atomic_compare_exchange_strong(&config->project_id, &known, mine))
        return mine;
    lf__free(mine); /* another thread was faster */
    return known;
}

char *lf__project_url(const lf__config *config, const char *project, const char *trace)
{
    lf__buf name;
    lf__buf_init(&name, 4 * PROJECT_URL_ID);
    lf__buf_add_percent(&name, trace, strlen(trace));
    bool ok = lf__buf_add_char(&name, '\0');
    size_t size = strlen(config->origin) + strlen(project) + name.length + sizeof "/project//traces/";
    char *url = ok ? lf__alloc(size) : NULL;
    if (url != NULL)
        snprintf(url, size, "%s/project/%s/traces/%s", config->origin, project, name.data);
    lf__buf_done(&name);
    return url;
}
