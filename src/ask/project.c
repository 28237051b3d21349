/* A client's project on the server: are its keys good, and where can a trace be looked at. */
#include "../base/config.h"
#include "../base/ids.h"
#include "rest.h"
#include "../deliver/worker.h"
#include "../observe/stack.h"
#include "../deliver/wire_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROJECT_ASK_MS = 5000, /* as lf__rest_project has it */
    PROJECT_ID_MAX = 128,
    PROJECT_URL_ID = 1024 /* more than an id may have */
};

lf_status lf_auth_check(int timeout_ms, lf_error *error)
{
    char id[PROJECT_ID_MAX];
    lf__config *config = lf__is_started() ? lf__client_hold(0) : NULL;
    if (config == NULL) {
        if (error != NULL)
            *error = (lf_error){.status = LF_ERR_DISABLED, .message = "tracing is off: no keys, switched off, or shut down"};
        return LF_ERR_DISABLED;
    }
    lf_status status = lf__rest_project(config, timeout_ms, id, sizeof id, error);
    lf__config_free(config);
    return status;
}

/* Asked for once. NULL: no answer, or no memory. */
static const char *project_id(lf__config *config, int timeout_ms)
{
    char *known = atomic_load_explicit(&config->project_id, memory_order_acquire), id[PROJECT_ID_MAX];
    if (known != NULL || lf__rest_project(config, timeout_ms, id, sizeof id, NULL) != LF_OK)
        return known;
    char *mine = lf__strdup(id);
    if (atomic_compare_exchange_strong(&config->project_id, &known, mine))
        return mine;
    lf__free(mine); /* another thread was faster */
    return known;
}

/* NULL: no memory. */
static char *project_url(const lf__config *config, const char *project, const char *trace)
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

/* The text that a trace was named by; *out_text is NULL when there is none. */
static lf_status project_trace_text(uint32_t client, const uint8_t id[16], int timeout_ms, char **out_text)
{
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel); /* the question lies on this stack */
    lf__worker_ensure(true);
    lf_status status = lf__worker_trace_text(client, id, timeout_ms, out_text);
    pthread_setcancelstate(cancel, NULL);
    return status;
}

/* What the server calls a trace: over the batch endpoint nearly any text is an id. NULL: no memory, or no time to ask. */
static char *project_trace_name(const lf__config *config, uint32_t client, const uint8_t id[16], const char *given, int timeout_ms)
{
    char hex[LF_TRACE_ID_SIZE], *text = NULL;
    lf__id_write(id, 16, hex);
    if (config->exporter == LF__EXPORTER_INGESTION) {
        uint8_t unused[16];
        if (lf__id_given(given))
            text = lf__id_parse(given, unused, sizeof unused) ? NULL : lf__strdup(given);
        else if (project_trace_text(client, id, timeout_ms, &text) != LF_OK)
            return NULL;
    }
    if (text != NULL && lf__wire_is_id(text, strlen(text)))
        return text;
    lf__free(text);
    return lf__strdup(hex);
}

char *lf_trace_url(const char *trace_id_or_null, int timeout_ms)
{
    uint8_t id[16];
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)(timeout_ms < 0 ? PROJECT_ASK_MS : timeout_ms) * 1000000u;
    const lf__frame *frame = lf__stack_current();
    uint32_t client = frame == NULL ? 0 : frame->record.client;
    if (lf__id_given(trace_id_or_null))
        (void)lf__id_read(trace_id_or_null, id, sizeof id);
    else if (frame != NULL)
        memcpy(id, frame->record.trace_id, sizeof id);
    else
        return NULL;
    int saved = errno;
    lf__config *config = lf__is_started() ? lf__client_hold(client) : NULL;
    const char *project = config == NULL ? NULL : project_id(config, timeout_ms);
    uint64_t now = lf__monotonic_ns();
    int left_ms = now < until_ns ? (int)((until_ns - now) / 1000000u) : 0;
    char *name = project == NULL ? NULL : project_trace_name(config, client, id, trace_id_or_null, left_ms);
    char *url = name == NULL ? NULL : project_url(config, project, name);
    lf__free(name);
    lf__config_free(config);
    errno = saved;
    return url;
}
