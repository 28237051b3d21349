/* Options and environment, merged and validated once into a frozen configuration. Variables are read through
 * setting.h, once per client. A bad value gives one clear line and the default is kept.
 */
#ifndef LF_SRC_CONFIG_H
#define LF_SRC_CONFIG_H

#include "log.h"

#include <stdatomic.h>

enum { LF__CONFIG_HANDLES = sizeof(void *) == 8 ? 65536 : 16320 }; /* LF__HANDLES, which lies above this file */

typedef enum lf__exporter {
    LF__EXPORTER_OTLP,
    LF__EXPORTER_FILE,
    LF__EXPORTER_INGESTION /* the older batch endpoint, for servers before v3.22 */
} lf__exporter;

typedef struct lf__pair {
    char *key;
    char *value;
} lf__pair;

/* A secret key that took the place of an older one. */
typedef struct lf__keys {
    struct lf__keys *before; /* the one that it replaced; NULL: that of lf__config */
    char *secret_key;
    char *authorization;
} lf__keys;

/* Where the secret key is read again. Keys that were once in use stay: a request may carry one, an answer may quote it. */
typedef struct lf__key_source {
    char *path;
    const char *name;            /* of the setting */
    _Atomic(lf__keys *) newest; /* NULL: that of lf__config */
} lf__key_source;

typedef struct lf__config {
    uint64_t number; /* of those that this process and its parents made */
    lf__logger logger;
    lf__gate *gate; /* of log, mask and curl_hook */
    bool follows_log; /* it has no log of its own: lines go where those of the default client go */
    bool enabled;    /* false: no keys, switched off, OTEL_SDK_DISABLED; nothing is recorded */
    bool is_pumped;  /* no thread: the program calls lf_poll */
    bool capture_io; /* default for arguments and returns */
    bool gzip; /* bodies of OTLP are compressed */
    bool json; /* OTLP/JSON rather than protobuf (the file exporter always writes JSON) */
    lf__exporter exporter;

    char *public_key;
    char *secret_key;    /* the first one */
    char *authorization; /* "Basic ..." of it, NULL without keys; requests take lf__config_authorization */
    lf__key_source *key_source; /* NULL: the secret key is from no file */
    char *base_url; /* without trailing slashes; NULL when not enabled */
    char *origin;   /* what URLs of the server begin with: base_url, or where that is a socket of this machine http://localhost */
    char *socket_path; /* of that socket, NULL for none */
    char *traces_url;
    char *ingestion_url;
    char *scores_url; /* takes a list of scores, where the server is new enough */
    char *health_url; /* which tells how new it is */
    char *file_path;
    char *environment; /* NULL for none */
    char *release;     /* NULL for none */
    lf__pair *headers; /* additional request headers */
    size_t header_count;
    lf__pair *resource; /* OTel resource attributes, service.name included */
    size_t resource_count;

    unsigned flush_at;          /* observations of one thread that wake the worker before the interval is over */
    uint64_t flush_interval_ms;
    long timeout_ms;            /* of one request */
    long exit_timeout_ms;
    size_t queue_bytes;  /* ceiling of everything queued */
    size_t batch_bytes;  /* a request body is cut at this */
    size_t record_bytes; /* one observation */
    unsigned handles;    /* open at once in the process */
    size_t handle_bytes; /* that they hold beyond their slots */

    char *ca_file;
    char *ca_path;
    char *client_certificate;
    char *client_key;
    char *proxy;
    bool insecure;
    void (*curl_hook)(void *data, void *curl); /* called with each new easy handle, on the thread that sends */
    void *curl_hook_data;

    char *prompt_cache_dir;    /* NULL for none */
    int prompt_ttl_s;          /* how long a cached prompt is fresh */
    uint64_t sample_threshold; /* see lf__client_keeps; UINT64_MAX: everything */
    bool (*mask)(void *data, lf_masked *value); /* NULL for none */
    void *mask_data;

    _Atomic(char *) project_id; /* on the server; set once, when it was asked for */
    lf__gate gate_itself;
    atomic_uint references;
} lf__config;

/* Options of any version as those of this one; NULL: nothing is said. */
lf_options lf__options_read(const lf_options *given);
/* Merge options (NULL: environment only) into a new configuration with one reference. NULL when memory is out. Bad values
 * are logged. */
lf__config *lf__config_new(const lf_options *options);
/* One more owner; any thread that has one already. Returns the configuration. */
lf__config *lf__config_ref(lf__config *config);
/* Drop one reference; the last one overwrites the secrets and frees it. Any thread. */
void lf__config_free(lf__config *config);

/* What a request has to carry now; stays valid as long as the configuration. NULL without keys. Any thread, never blocks. */
const char *lf__config_authorization(const lf__config *config);
/* The server refused this authorization: read the file of the secret key again. True: there is another one now, of whatever
 * thread, so try again. Any thread; blocks for as long as a small file takes. */
bool lf__config_reread_secret(const lf__config *config, const char *refused);

#endif
