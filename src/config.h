/* Options and environment, merged and validated once into a frozen configuration. The environment is read here and only
 * here, once per client. A bad value gives one clear line and the default is kept.
 */
#ifndef LF_SRC_CONFIG_H
#define LF_SRC_CONFIG_H

#include "base.h"

typedef enum lf__exporter { LF__EXPORTER_OTLP, LF__EXPORTER_FILE, LF__EXPORTER_INGESTION } lf__exporter;

typedef struct lf__pair {
    char *key;
    char *value;
} lf__pair;

typedef struct lf__config {
    bool enabled;    /* false: no keys, switched off, OTEL_SDK_DISABLED; nothing is recorded */
    bool capture_io; /* default for arguments and returns */
    bool debug;
    bool json; /* OTLP/JSON rather than protobuf (the file exporter always writes JSON) */
    lf__exporter exporter;

    char *public_key;
    char *secret_key;
    char *base_url; /* without trailing slashes */
    char *traces_url;
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

    char *ca_file;
    char *ca_path;
    char *client_certificate;
    char *client_key;
    char *proxy;
    bool insecure;
    void (*curl_hook)(void *data, void *curl); /* called with each new easy handle, on the worker */
    void *curl_hook_data;
    bool (*mask)(void *data, lf_masked *value); /* see lf_masked; called on the worker */
    void *mask_data;
} lf__config;

/* Merge options (NULL: environment only) into a new configuration. NULL when memory is out. Bad values are logged. */
lf__config *lf__config_new(const lf_options *options);
void lf__config_free(lf__config *config);

#endif
