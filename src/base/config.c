#define _GNU_SOURCE
#include "config.h"

#include "buf.h"
#include "gzip.h"
#include "struct_size.h"
#include "key_file.h"
#include "limits.h"
#include "once.h"
#include "real.h"
#include "setting.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

static const char config_cloud[] = "https://cloud.langfuse.com";
static const char config_path[] = "api/public/otel/v1/traces";
static const char config_ingestion_path[] = "api/public/ingestion";
static const char config_scores_path[] = "api/public/scores";
static const char config_health_path[] = "api/public/health";
static const char config_blanks[] = " \t";

static const char *const config_public_key[] = {"LANGFUSE_PUBLIC_KEY", NULL};
static const char *const config_secret_key[] = {"LANGFUSE_SECRET_KEY", NULL};
static const char *const config_secret_key_file[] = {"LANGFUSE_SECRET_KEY_FILE", NULL};

/* A configuration being made. */
typedef struct config_maker {
    lf__config *config;
    lf_options options;
    bool no_memory;
} config_maker;

static void config_keep(config_maker *maker, char **field, const char *text)
{
    lf__free(*field);
    *field = lf__strdup(text);
    if (text != NULL && *field == NULL)
        maker->no_memory = true;
}

/* A size_t option as int64_t: what is too large stays too large. */
static int64_t config_size(uint64_t size)
{
    return size > INT64_MAX ? INT64_MAX : (int64_t)size;
}

/* A negative time is one that is not said. */
static int64_t config_time(int option)
{
    return option < 0 ? 0 : option;
}

static void config_read_numbers(config_maker *maker)
{
    enum { HOUR_MS = 3600000, BODY_MIN = 1 << 16, BODY_MAX = 4000000 }; /* some servers refuse bodies over 4.5 MB */
    static const int64_t memory_max = SIZE_MAX / 2 < ((int64_t)1 << 40) ? (int64_t)(SIZE_MAX / 2) : (int64_t)1 << 40;
    static const lf__setting_range flush_at = {"flush_at", "LANGFUSE_FLUSH_AT", 512, 1, 1000000, false};
    static const lf__setting_range interval = {"flush_interval_ms", "LANGFUSE_FLUSH_INTERVAL", 1000, 1, HOUR_MS, true};
    static const lf__setting_range timeout = {"timeout_ms", "LANGFUSE_TIMEOUT", 5000, 1, HOUR_MS, true};
    static const lf__setting_range at_exit = {"exit_timeout_ms", "LANGFUSE_EXIT_TIMEOUT_MS", 2000, 0, HOUR_MS, false};
    static const lf__setting_range ttl = {"", "LANGFUSE_PROMPT_CACHE_DEFAULT_TTL_SECONDS", 60, 0, 1000000000, false};
    const lf__setting_range queue = {"max_queue_bytes", "LANGFUSE_MAX_QUEUE_BYTES", (int64_t)256 << 20, 1 << 20, memory_max, false};
    static const lf__setting_range batch = {"max_batch_bytes", "LANGFUSE_MAX_BATCH_SIZE_BYTES", 2500000, BODY_MIN, BODY_MAX, false};
    const lf__setting_range otlp = {"", "LANGFUSE_OTEL_MAX_BATCH_SIZE_BYTES", memory_max, BODY_MIN, memory_max, false};
    static const lf__setting_range event = {"max_event_bytes", "LANGFUSE_MAX_EVENT_SIZE_BYTES", 1000000, 1024, BODY_MAX, false};

    static const lf__setting_range handles = {"max_handles", "LANGFUSE_MAX_HANDLES", LF__CONFIG_HANDLES, 64, LF__CONFIG_HANDLES,
                                              false};
    const lf__setting_range handle_bytes = {"max_handle_bytes", "LANGFUSE_MAX_HANDLE_BYTES", 64 << 20, 1 << 16, memory_max, false};

    const lf_options *options = &maker->options;
    lf__config *config = maker->config;
    const lf__logger *logger = &config->logger;
    config->handles = (unsigned)lf__setting_number(logger, options->max_handles, &handles);
    config->handle_bytes = (size_t)lf__setting_number(logger, config_size(options->max_handle_bytes), &handle_bytes);
    config->flush_at = (unsigned)lf__setting_number(logger, options->flush_at, &flush_at);
    config->flush_interval_ms = (uint64_t)lf__setting_number(logger, config_time(options->flush_interval_ms), &interval);
    config->timeout_ms = (long)lf__setting_number(logger, config_time(options->timeout_ms), &timeout);
    config->exit_timeout_ms = options->exit_timeout_ms == LF_NONE
                                  ? 0
                                  : (long)lf__setting_number(logger, config_time(options->exit_timeout_ms), &at_exit);
    config->queue_bytes = (size_t)lf__setting_number(logger, config_size(options->max_queue_bytes), &queue);
    config->batch_bytes = (size_t)lf__setting_number(logger, config_size(options->max_batch_bytes), &batch);
    /* Other SDKs drop a batch that is larger; here none is. */
    size_t otlp_bytes = (size_t)lf__setting_number(logger, 0, &otlp);
    config->batch_bytes = config->batch_bytes < otlp_bytes ? config->batch_bytes : otlp_bytes;
    config->record_bytes = (size_t)lf__setting_number(logger, config_size(options->max_event_bytes), &event);
    config->prompt_ttl_s = (int)lf__setting_number(logger, 0, &ttl);
    if (config->record_bytes > config->batch_bytes)
        config->record_bytes = config->batch_bytes; /* what can never be sent need not be kept */
}

/* ---- Sampling ---- */

/* round(rate * 2^64), halves to even as Python does; the product is exact. */
static uint64_t config_threshold(double rate)
{
    if (rate >= 1)
        return UINT64_MAX;
    double scaled = rate * 18446744073709551616.0;
    uint64_t threshold = (uint64_t)scaled;
    double rest = scaled - (double)threshold;
    return threshold + (rest > 0.5 || (rest == 0.5 && threshold % 2 == 1));
}

static void config_read_sample_rate(config_maker *maker)
{
    double option = maker->options.sample_rate, rate = 1;
    lf__setting given = lf__setting_variable("LANGFUSE_SAMPLE_RATE");
    bool is_number = lf__real_is_finite(lf__real_bits(option));
    if (is_number && option == LF_SAMPLE_NONE)
        rate = 0;
    else if (is_number && option > 0 && option <= 1)
        rate = option;
    else if (!is_number || option != 0)
        lf__log(&maker->config->logger, LF__LOG_WARNING,
                "option sample_rate: %g is neither above 0 and at most 1 nor LF_SAMPLE_NONE; keeping every trace", option);
    else if (given.text != NULL && !lf__setting_rate(given.text, &rate)) {
        rate = 1;
        lf__log(&maker->config->logger, LF__LOG_WARNING, "%s=%.80s is not a number from 0 to 1, as in 0.25; keeping every trace",
                given.name, lf__setting_shown(given.text));
    }
    maker->config->sample_threshold = config_threshold(rate);
}

/* ---- Lists of pairs ---- */

typedef struct config_list {
    lf__pair **pairs;
    size_t *count;
    int (*compare)(const char *, const char *); /* of keys */
} config_list;

/* Add a pair, or replace the value of one with this key. Takes both texts, which may be NULL for want of memory. */
static void config_put(config_maker *maker, config_list list, char *key, char *value)
{
    size_t at = 0;
    if (key == NULL || value == NULL)
        goto no_memory;
    while (at < *list.count && list.compare((*list.pairs)[at].key, key) != 0)
        at++;
    if (at == *list.count) {
        lf__pair *pairs = lf__realloc(*list.pairs, (at + 1) * sizeof *pairs);
        if (pairs == NULL)
            goto no_memory;
        *list.pairs = pairs;
        *list.count = at + 1;
        pairs[at] = (lf__pair){NULL, NULL};
    }
    lf__free((*list.pairs)[at].key);
    lf__free_secret((*list.pairs)[at].value);
    (*list.pairs)[at] = (lf__pair){key, value};
    return;

no_memory:
    maker->no_memory = true;
    lf__free(key);
    lf__free_secret(value);
}

/* Copy without the blanks around it; with `decode`, %41 becomes A. */
static char *config_copy(lf__text text, bool decode)
{
    text = lf__text_trim(text, config_blanks);
    char *copy = lf__alloc(text.size + 1);
    if (copy == NULL)
        return NULL;
    char *to = copy;
    for (const char *at = text.at, *end = at + text.size; at < end; to++) {
        *to = decode ? lf__percent_next(&at, end) : *at++;
        if (*to == '\0')
            *to = '\x01'; /* it would end the text unseen; as any other control character it is refused later */
    }
    return copy;
}

/* A header's name is a token of RFC 9110; the key of an attribute is any text without control characters. */
static bool config_key_is_good(const char *key, bool header)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return *key != '\0' && (header ? strspn(key, token) == strlen(key) : !lf__setting_has_control(key));
}

/* Only the name before the first sign that may be meant as the separator is logged: what follows may be a token. An entry
 * without such a sign is not shown. */
static void config_complain_of_entry(const config_maker *maker, const char *name, lf__text text, const char *fault)
{
    char *entry = config_copy(text, true);
    size_t shown = entry == NULL ? 0 : strcspn(entry, ":= \t");
    if (entry != NULL && entry[shown] == '\0')
        shown = 0;
    char label[41];
    snprintf(label, sizeof label, "%.*s", (int)(shown < 40 ? shown : 40), entry == NULL ? "" : entry);
    if (shown == 0 || lf__setting_has_control(label))
        lf__log(&maker->config->logger, LF__LOG_WARNING, "%s: an entry is ignored: %s", name, fault);
    else
        lf__log(&maker->config->logger, LF__LOG_WARNING, "%s: the entry \"%s\" is ignored: %s", name, lf__setting_shown(label),
                fault);
    lf__free_secret(entry);
}

/* One "key=value" or "Name: value". */
static void config_put_text(config_maker *maker, config_list list, const char *name, lf__text text, char separator)
{
    bool header = list.pairs == &maker->config->headers, decode = separator == '=';
    lf__text behind = text, before = lf__text_take(&behind, separator);
    if (behind.at == NULL) {
        config_complain_of_entry(maker, name, text, decode ? "it is without '='" : "it is without ':'");
        return;
    }
    char *key = config_copy(before, decode);
    char *value = config_copy(behind, decode);
    if (key != NULL && value != NULL && (!config_key_is_good(key, header) || lf__setting_has_control(value))) {
        config_complain_of_entry(
            maker, name, text, config_key_is_good(key, header) ? "its value contains control characters" : "its name is not valid");
        lf__free(key);
        lf__free_secret(value);
        return;
    }
    config_put(maker, list, key, value);
}

/* key=value,key2=value2, percent-encoded: what OpenTelemetry takes from W3C baggage. */
static void config_put_all(config_maker *maker, config_list list, lf__setting given)
{
    for (lf__text rest = lf__text_of(given.text); rest.at != NULL;) {
        lf__text entry = lf__text_take(&rest, ',');
        if (lf__text_trim(entry, config_blanks).size > 0)
            config_put_text(maker, list, given.name, entry, '=');
    }
}

static void config_read_lists(config_maker *maker)
{
    lf__config *config = maker->config;
    config_list headers = {&config->headers, &config->header_count, strcasecmp};
    config_put_all(maker, headers,
                   lf__setting_pick(NULL, NULL, LF__VARIABLES("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")));
    for (const char *const *line = maker->options.headers; line != NULL && *line != NULL; line++)
        config_put_text(maker, headers, "option headers", lf__text_of(*line), ':');

    config_list resource = {&config->resource, &config->resource_count, strcmp};
    config_put(maker, resource, lf__strdup("service.name"), lf__strdup("unknown_service"));
    config_put_all(maker, resource, lf__setting_variable("OTEL_RESOURCE_ATTRIBUTES"));
    lf__setting service = lf__setting_variable("OTEL_SERVICE_NAME");
    if (service.text != NULL)
        config_put(maker, resource, lf__strdup("service.name"), lf__strdup(service.text));
}

/* ---- Texts ---- */

static void config_read_environment(config_maker *maker)
{
    lf__setting given = lf__setting_pick(maker->options.environment, "option environment",
                                         LF__VARIABLES("LANGFUSE_TRACING_ENVIRONMENT"));
    if (given.text == NULL)
        return;
    if (lf__environment_valid(given.text, strlen(given.text)) && lf__setting_shown(given.text) == given.text) {
        config_keep(maker, &maker->config->environment, given.text);
        return;
    }
    lf__log(&maker->config->logger, LF__LOG_WARNING,
            "%s=%.80s is not sent: an environment is at most %d of a-z, 0-9, - and _, and does not start with \"langfuse\"",
            given.name, lf__setting_shown(given.text), LF__ENVIRONMENT_MAX);
}

static void config_read_protocol(config_maker *maker)
{
    lf__setting given = lf__setting_pick(maker->options.protocol, "option protocol",
                                         LF__VARIABLES("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"));
    if (given.text == NULL || strcmp(given.text, "http/protobuf") == 0)
        return;
    maker->config->json = strcmp(given.text, "http/json") == 0;
    if (!maker->config->json)
        lf__log(&maker->config->logger, LF__LOG_WARNING, "%s=%.80s is neither http/protobuf nor http/json; keeping http/protobuf",
                given.name, lf__setting_shown(given.text));
}

/* Whether it is to be compressed, if this variable says so. What an OpenTelemetry variable says otherwise, it says to other
 * exporters. */
static bool config_read_compression_of(config_maker *maker, const char *variable, bool is_ours)
{
    lf__setting given = lf__setting_variable(variable);
    bool wants = given.text != NULL && strcasecmp(given.text, "gzip") == 0, can = lf__gzip_can();
    if (given.text == NULL || (!wants && strcasecmp(given.text, "none") != 0)) {
        if (given.text != NULL)
            lf__log(&maker->config->logger, is_ours ? LF__LOG_WARNING : LF__LOG_DEBUG,
                    "%s=%.80s is neither gzip nor none; ignoring it", given.name, lf__setting_shown(given.text));
        return false;
    }
    maker->config->gzip = wants && can;
    if (wants && !can)
        lf__log(&maker->config->logger, is_ours ? LF__LOG_WARNING : LF__LOG_INFO,
                "%s=gzip: this library was built without GZIP=1; nothing is compressed", given.name);
    return true;
}

static void config_read_compression(config_maker *maker)
{
    maker->config->gzip = lf__gzip_can();
    if (!config_read_compression_of(maker, "LANGFUSE_OTEL_COMPRESSION", true) &&
        !config_read_compression_of(maker, "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", false))
        (void)config_read_compression_of(maker, "OTEL_EXPORTER_OTLP_COMPRESSION", false);
}

static void config_read_texts(config_maker *maker)
{
    const lf_options *options = &maker->options;
    lf__config *config = maker->config;
    const struct {
        char **field;
        const char *option;
        const char *const *variables;
    } texts[] = {
        {&config->release, options->release,
         LF__VARIABLES("LANGFUSE_RELEASE", "LANGFUSE_TRACING_RELEASE", "RENDER_GIT_COMMIT", "CI_COMMIT_SHA", "CIRCLE_SHA1",
                       "SOURCE_VERSION", "TRAVIS_COMMIT", "GIT_COMMIT", "GITHUB_SHA", "BITBUCKET_COMMIT", "BUILD_SOURCEVERSION",
                       "DRONE_COMMIT_SHA")},
        {&config->ca_file, options->ca_file,
         LF__VARIABLES("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE", "SSL_CERT_FILE",
                       "CURL_CA_BUNDLE")},
        {&config->ca_path, options->ca_path, LF__VARIABLES("SSL_CERT_DIR")},
        {&config->client_certificate, options->client_certificate,
         LF__VARIABLES("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")},
        {&config->client_key, options->client_key,
         LF__VARIABLES("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY")},
        {&config->proxy, options->proxy, LF__VARIABLES(NULL)}, /* libcurl reads HTTPS_PROXY and its like by itself */
        {&config->prompt_cache_dir, NULL, LF__VARIABLES("LANGFUSE_PROMPT_CACHE_DIR")},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        config_keep(maker, texts[i].field, lf__setting_pick(texts[i].option, NULL, texts[i].variables).text);
    config_read_environment(maker);
    config_read_protocol(maker);
    config_read_compression(maker);
}

/* ---- Where to, and as whom ---- */

static char *config_join(const char *base, const char *path)
{
    size_t base_size = strlen(base), path_size = strlen(path);
    char *url = lf__alloc(base_size + 1 + path_size + 1);
    if (url != NULL) {
        memcpy(url, base, base_size);
        url[base_size] = '/';
        memcpy(url + base_size + 1, path, path_size);
    }
    return url;
}

/* The path of "unix:/path" and "unix:///path"; NULL: it is another URL. */
static const char *config_socket_path(const char *url)
{
    if (strncasecmp(url, "unix:", 5) != 0)
        return NULL;
    return strncmp(url + 5, "//", 2) == 0 ? url + 7 : url + 5;
}

static const char *config_socket_fault(const char *path)
{
    enum { PATH_BYTES = sizeof((struct sockaddr_un *)0)->sun_path };
    if (path[0] != '/')
        return "names no socket: write unix: and an absolute path";
    if (strlen(path) >= PATH_BYTES)
        return "is longer than a socket's path can be";
    if (lf__setting_has_control(path))
        return "contains control characters";
    return NULL;
}

static const char *config_url_fault(const char *url)
{
    if (config_socket_path(url) != NULL)
        return config_socket_fault(config_socket_path(url));
    size_t scheme = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0)
        return "does not start with http://, https:// or unix:";
    if (url[scheme + strspn(url + scheme, "/")] == '\0')
        return "names no host";
    if (lf__setting_has_control(url) || strchr(url, ' ') != NULL)
        return "contains blanks or control characters";
    if (strpbrk(url, "?#") != NULL)
        return "has a query or fragment";
    if (lf__setting_shown(url) != url)
        return "in place of an address";
    return NULL;
}

/* Traces of one place must not end up at another by mistake: a bad URL switches tracing off instead of falling back. */
static bool config_read_url(config_maker *maker)
{
    lf__config *config = maker->config;
    lf__setting base = lf__setting_pick(maker->options.base_url, "option base_url",
                                        LF__VARIABLES("LANGFUSE_BASE_URL", "LANGFUSE_HOST"));
    if (base.text == NULL)
        base.text = config_cloud;
    const char *socket_path = config_socket_path(base.text);
    if (socket_path == NULL && strchr(base.text, '@') != NULL) { /* said first and without the value, which may hold a password */
        lf__log(&maker->config->logger, LF__LOG_ERROR, "%s contains a user or password, use the keys instead; tracing is off",
                base.name);
        return false;
    }
    const char *fault = config_url_fault(base.text);
    if (fault != NULL) {
        lf__log(&maker->config->logger, LF__LOG_ERROR, "%s=%.80s %s; tracing is off", base.name, lf__setting_shown(base.text),
                fault);
        return false;
    }
    config_keep(maker, &config->base_url, base.text);
    if (config->base_url == NULL)
        return false;
    for (size_t size = strlen(config->base_url); config->base_url[size - 1] == '/'; size--)
        config->base_url[size - 1] = '\0';
    config_keep(maker, &config->origin, socket_path != NULL ? "http://localhost" : config->base_url);
    config_keep(maker, &config->socket_path, socket_path);
    if (config->origin == NULL)
        return false;

    lf__setting path = lf__setting_variable("LANGFUSE_OTEL_TRACES_EXPORT_PATH");
    if (path.text != NULL && lf__setting_has_control(path.text)) {
        lf__log(&maker->config->logger, LF__LOG_ERROR, "%s contains control characters; tracing is off", path.name);
        return false;
    }
    const char *text = path.text != NULL ? path.text : config_path;
    config->traces_url = config_join(config->origin, text + strspn(text, "/"));
    config->ingestion_url = config_join(config->origin, config_ingestion_path);
    config->scores_url = config_join(config->origin, config_scores_path);
    config->health_url = config_join(config->origin, config_health_path);
    if (config->traces_url == NULL || config->ingestion_url == NULL || config->scores_url == NULL || config->health_url == NULL)
        maker->no_memory = true;
    return !maker->no_memory;
}

static void config_warn_of_insecure(const config_maker *maker)
{
    if (lf__first_time(lf__cause(0, "insecure", NULL)))
        lf__log(&maker->config->logger, LF__LOG_WARNING,
                "option insecure: the server's certificate is not verified; whoever is between can read along");
}

static void config_warn_of_missing_keys(const config_maker *maker, bool public_key, bool secret_key)
{
    if (!lf__first_time(lf__cause(0, "keys", NULL))) /* one line for all clients: such a program runs without Langfuse */
        return;
    lf__log(&maker->config->logger, LF__LOG_WARNING, "%s%s%s not set; nothing is recorded", public_key ? "" : "LANGFUSE_PUBLIC_KEY",
            public_key || secret_key ? "" : " and ",
            secret_key   ? " is"
            : public_key ? "LANGFUSE_SECRET_KEY is"
                         : "LANGFUSE_SECRET_KEY are");
}

/* What is wrong with a key, whatever server it is for; NULL: nothing. Shells and files of variables leave quotes and blanks. */
static const char *config_key_fault(const char *key)
{
    if (lf__setting_has_control(key))
        return "contains a line end or another control character";
    char last = key[strlen(key) - 1];
    if (*key == '"' || *key == '\'' || last == '"' || last == '\'')
        return "is in quotes, which are not part of a key";
    if (*key == ' ' || last == ' ')
        return "begins or ends with a blank";
    if (strstr(key, "...") != NULL || strstr(key, "\xe2\x80\xa6") != NULL)
        return "is a placeholder; the project's settings in Langfuse show the key";
    return NULL;
}

/* False: a key is there and cannot be used. */
static bool config_read_key(config_maker *maker, char **field, lf__setting given)
{
    const char *fault = given.text == NULL ? NULL : config_key_fault(given.text);
    if (fault != NULL) {
        lf__log(&maker->config->logger, LF__LOG_ERROR, "%s %s; tracing is off", given.name, fault);
        return false;
    }
    config_keep(maker, field, given.text);
    return true;
}

/* A server would answer 401 to swapped keys, and the line about that would show the secret one. Keys with other beginnings
 * pass: a Collector takes any. */
static bool config_keys_are_in_place(const config_maker *maker, lf__setting public_key, lf__setting secret_key)
{
    bool secret_first = lf__text_begins(lf__text_of(public_key.text), "sk-lf-");
    bool public_second = lf__text_begins(lf__text_of(secret_key.text), "pk-lf-");
    const lf__logger *logger = &maker->config->logger;
    if (secret_first && public_second)
        lf__log(logger, LF__LOG_ERROR, "%s and %s are swapped; tracing is off", public_key.name, secret_key.name);
    else if (secret_first)
        lf__log(logger, LF__LOG_ERROR, "%s is a secret key, public ones begin with pk-lf-; tracing is off", public_key.name);
    else if (public_second)
        lf__log(logger, LF__LOG_ERROR, "%s is a public key, secret ones begin with sk-lf-; tracing is off", secret_key.name);
    return !secret_first && !public_second;
}

/* "Basic " and base64 of "public:secret". NULL: no memory. */
static char *config_basic(const char *public_key, const char *secret_key)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char start[] = "Basic ";
    size_t public_size = strlen(public_key), size = public_size + 1 + strlen(secret_key);
    char *plain = lf__alloc(size + 3); /* zeroed: the padding is there */
    char *basic = lf__alloc(sizeof start + (size + 2) / 3 * 4);
    if (plain != NULL && basic != NULL) {
        memcpy(plain, public_key, public_size);
        plain[public_size] = ':';
        memcpy(plain + public_size + 1, secret_key, size - public_size - 1);
        memcpy(basic, start, sizeof start - 1);
        char *at = basic + sizeof start - 1;
        for (size_t i = 0; i < size; i += 3) {
            unsigned bits = (unsigned)(unsigned char)plain[i] << 16 | (unsigned)(unsigned char)plain[i + 1] << 8 |
                            (unsigned char)plain[i + 2];
            *at++ = digits[bits >> 18];
            *at++ = digits[bits >> 12 & 63];
            *at++ = i + 1 < size ? digits[bits >> 6 & 63] : '=';
            *at++ = i + 2 < size ? digits[bits & 63] : '=';
        }
    } else {
        lf__free(basic);
        basic = NULL;
    }
    lf__free_secret(plain);
    return basic;
}

static bool config_gives_keys(const lf_options *options)
{
    return lf__setting_pick(options->public_key, "", config_public_key).text != NULL &&
           (lf__setting_pick(options->secret_key, "", config_secret_key).text != NULL ||
            lf__setting_pick(options->secret_key_file, "", config_secret_key_file).text != NULL);
}

static void config_free_source(lf__key_source *source)
{
    if (source == NULL)
        return;
    for (lf__keys *keys = source->newest, *before; keys != NULL; keys = before) {
        before = keys->before;
        lf__free_secret(keys->secret_key);
        lf__free_secret(keys->authorization);
        lf__free(keys);
    }
    lf__free(source->path);
    lf__free(source);
}

static lf__key_source *config_new_source(lf__setting file)
{
    lf__key_source *source = lf__alloc(sizeof *source);
    if (source == NULL)
        return NULL;
    source->name = file.name;
    source->path = lf__strdup(file.text);
    if (source->path != NULL)
        return source;
    config_free_source(source);
    return NULL;
}

/* Read the secret key from its file, unless it is given directly. False: no key can be read from the file that is named. */
static bool config_read_key_file(config_maker *maker, lf__setting *secret_key, char **out_key)
{
    lf__setting file = lf__setting_pick(maker->options.secret_key_file, "option secret_key_file", config_secret_key_file);
    const char *fault;
    if (secret_key->text != NULL || file.text == NULL)
        return true;
    *out_key = lf__key_file_read(file.text, &fault);
    if (*out_key == NULL && fault == NULL) {
        maker->no_memory = true;
        return false;
    }
    if (*out_key == NULL) {
        lf__log(&maker->config->logger, LF__LOG_ERROR, "%s=%.200s: the secret key cannot be read: %s; tracing is off", file.name,
                lf__setting_shown(file.text), fault);
        return false;
    }
    maker->config->key_source = config_new_source(file);
    maker->no_memory = maker->no_memory || maker->config->key_source == NULL;
    *secret_key = (lf__setting){*out_key, file.name == config_secret_key_file[0] ? "the key in LANGFUSE_SECRET_KEY_FILE"
                                                                                 : "the key in option secret_key_file"};
    return true;
}

static bool config_take_keys(config_maker *maker, lf__setting public_key, lf__setting secret_key)
{
    lf__config *config = maker->config;
    if (!config_read_key(maker, &config->public_key, public_key) || !config_read_key(maker, &config->secret_key, secret_key) ||
        !config_keys_are_in_place(maker, public_key, secret_key))
        return false;
    if (config->public_key != NULL && config->secret_key != NULL) {
        config->authorization = config_basic(config->public_key, config->secret_key);
        maker->no_memory = maker->no_memory || config->authorization == NULL;
    }
    if (config->exporter == LF__EXPORTER_FILE || (public_key.text != NULL && secret_key.text != NULL))
        return true;
    config_warn_of_missing_keys(maker, public_key.text != NULL, secret_key.text != NULL);
    return false;
}

static bool config_read_keys(config_maker *maker)
{
    lf__setting public_key = lf__setting_pick(maker->options.public_key, "option public_key", config_public_key);
    lf__setting secret_key = lf__setting_pick(maker->options.secret_key, "option secret_key", config_secret_key);
    char *from_file = NULL;
    bool ok = config_read_key_file(maker, &secret_key, &from_file) && config_take_keys(maker, public_key, secret_key);
    lf__free_secret(from_file);
    return ok;
}

/* ---- A secret key that is replaced ---- */

static lf__keys *config_newest_keys(const lf__config *config)
{
    /* Pairs with the exchange below. */
    return config->key_source == NULL ? NULL : atomic_load_explicit(&config->key_source->newest, memory_order_acquire);
}

const char *lf__config_authorization(const lf__config *config)
{
    const lf__keys *keys = config_newest_keys(config);
    return keys == NULL ? config->authorization : keys->authorization;
}

/* Takes `key`. False: no memory. */
static bool config_replace_key(const lf__config *config, lf__keys *before, char *key)
{
    lf__keys *keys = lf__alloc(sizeof *keys);
    char *authorization = keys == NULL ? NULL : config_basic(config->public_key, key);
    if (authorization == NULL) {
        lf__free(keys);
        lf__free_secret(key);
        return false;
    }
    *keys = (lf__keys){before, key, authorization};
    if (atomic_compare_exchange_strong_explicit(&config->key_source->newest, &before, keys, memory_order_acq_rel,
                                                memory_order_relaxed)) {
        lf__log(&config->logger, LF__LOG_INFO, "the server refused the secret key; %s has another one, which is used from now on",
                config->key_source->name);
        return true;
    }
    lf__free_secret(key); /* another thread was first, with the key of the same file */
    lf__free_secret(authorization);
    lf__free(keys);
    return true;
}

bool lf__config_reread_secret(const lf__config *config, const char *refused)
{
    lf__keys *keys = config_newest_keys(config);
    if (config->key_source == NULL || config->authorization == NULL)
        return false;
    if ((keys == NULL ? config->authorization : keys->authorization) != refused)
        return true; /* replaced while the request was on its way */
    const char *fault;
    char *key = lf__key_file_read(config->key_source->path, &fault);
    if (key != NULL && strcmp(key, keys == NULL ? config->secret_key : keys->secret_key) != 0 && config_key_fault(key) == NULL)
        return config_replace_key(config, keys, key);
    if (key == NULL && fault != NULL && lf__first_time(lf__cause(config->number, "key file", NULL)))
        lf__log(&config->logger, LF__LOG_WARNING, "%s: the secret key cannot be read again: %s", config->key_source->name, fault);
    lf__free_secret(key);
    return false;
}

static bool config_read_exporter(config_maker *maker)
{
    lf__setting given = lf__setting_pick(maker->options.exporter, "option exporter", LF__VARIABLES("LANGFUSE_EXPORTER"));
    if (given.text == NULL || strcmp(given.text, "otlp") == 0)
        return true;
    if (strcmp(given.text, "ingestion") == 0) {
        maker->config->exporter = LF__EXPORTER_INGESTION;
        return true;
    }
    if (strncmp(given.text, "file:", 5) == 0 && given.text[5] != '\0') {
        maker->config->exporter = LF__EXPORTER_FILE;
        config_keep(maker, &maker->config->file_path, given.text + 5);
        return true;
    }
    lf__log(&maker->config->logger, LF__LOG_ERROR, "%s=%.80s is none of \"otlp\", \"ingestion\" and \"file:PATH\"; tracing is off",
            given.name, lf__setting_shown(given.text));
    return false;
}

/* ---- The whole ---- */

/* Switched off by hand is said at the debug level only: the user knows. */
static bool config_is_wanted(const config_maker *maker)
{
    if (lf__setting_switch(&maker->config->logger, LF_DEFAULT, "OTEL_SDK_DISABLED", false)) {
        lf__log(&maker->config->logger, LF__LOG_DEBUG, "tracing is off: OTEL_SDK_DISABLED");
        return false;
    }
    bool wanted = lf__setting_switch(&maker->config->logger, maker->options.tracing, "LANGFUSE_TRACING_ENABLED", true);
    if (!wanted)
        lf__log(&maker->config->logger, LF__LOG_DEBUG, "tracing is switched off");
    return wanted;
}

static bool config_read_level(const char *text, lf__log_level *out_level)
{
    static const struct {
        const char *name;
        lf__log_level level;
    } levels[] = {{"quiet", LF__LOG_QUIET}, {"warn", LF__LOG_WARNING}, {"info", LF__LOG_INFO}, {"debug", LF__LOG_DEBUG}};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcasecmp(text, levels[i].name) == 0) {
            *out_level = levels[i].level;
            return true;
        }
    return false;
}

/* How much is said, and where. */
static void config_read_log(config_maker *maker)
{
    static const lf__log_level levels[] = {[LF_LOG_DEFAULT] = LF__LOG_WARNING,
                                           [LF_LOG_QUIET] = LF__LOG_QUIET,
                                           [LF_LOG_WARN] = LF__LOG_WARNING,
                                           [LF_LOG_INFO] = LF__LOG_INFO,
                                           [LF_LOG_DEBUG] = LF__LOG_DEBUG};
    lf__logger *logger = &maker->config->logger;
    const lf_options *options = &maker->options;
    *logger = (lf__logger){.least = LF__LOG_WARNING, .has_hook = options->log != NULL, .gate = maker->config->gate};
    lf__gate_set_log(logger->gate, options->log, options->log_data);
    lf__setting given = lf__setting_variable("LANGFUSE_LOG");
    bool is_level = given.text != NULL && config_read_level(given.text, &logger->least);
    bool is_path = given.text != NULL && !is_level && strpbrk(given.text, "/.") != NULL;
    if (is_path) {
        config_keep(maker, &logger->path, given.text);
        logger->least = LF__LOG_INFO;
    }
    if ((!is_level || options->debug != LF_DEFAULT) &&
        lf__setting_switch(&maker->config->logger, options->debug, "LANGFUSE_DEBUG", false))
        logger->least = LF__LOG_DEBUG;
    if (options->log_level > LF_LOG_DEFAULT && options->log_level <= LF_LOG_DEBUG)
        logger->least = levels[options->log_level];
    if (given.text != NULL && !is_level && !is_path)
        lf__log(logger, LF__LOG_WARNING,
                "%s=%.80s is none of quiet, warn, info and debug, and no file, whose path has a / or a .; ignoring it", given.name,
                lf__setting_shown(given.text));
}

lf_options lf__options_read(const lf_options *given)
{
    const size_t size_at_0_1 = LF__SIZE_WITH(lf_options, secret_key_file);
    lf_options own = {LF_OPTIONS_INIT};
    if (given == NULL)
        return own;
    lf_options read;
    own = *(const lf_options *)lf__fields(given, &read, sizeof read, size_at_0_1);
    bool is_of_0_1 = given->struct_size <= size_at_0_1;
    if (is_of_0_1 && own.exit_timeout_ms < 0)
        own.exit_timeout_ms = LF_NONE; /* its meaning there */
    own.struct_size = sizeof own;
    return own;
}

static _Atomic unsigned long config_number_of_all;

lf__config *lf__config_new(const lf_options *options)
{
    lf__config *config = lf__alloc(sizeof *config);
    if (config == NULL)
        return NULL;
    atomic_init(&config->references, 1);
    config_maker maker = {.config = config};
    maker.options = lf__options_read(options);
    config->number = atomic_fetch_add_explicit(&config_number_of_all, 1, memory_order_relaxed) + 1;
    config->gate = &config->gate_itself;
    lf__once_prepare();
    lf__log_look_at_stderr();
    config_read_log(&maker); /* first: all others complain there */
    config->capture_io = lf__setting_switch(&config->logger, maker.options.capture_io,
                                            "LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED", true);
    config->insecure = maker.options.insecure == LF_ON;
    config->is_pumped = maker.options.worker == LF_OFF;
    config->curl_hook = maker.options.curl_hook;
    config->curl_hook_data = maker.options.curl_hook_data;
    config->mask = maker.options.mask;
    config->mask_data = maker.options.mask_data;
    config_read_numbers(&maker);
    config_read_sample_rate(&maker);
    config_read_texts(&maker);
    config_read_lists(&maker);
    /* In this order, and no further than the first obstacle: it is the one the user has to hear about. */
    bool wanted = config_is_wanted(&maker);
    /* Prompts are fetched where nothing is traced, too. A program that wants neither hears nothing of missing keys. */
    bool usable = (wanted || config_gives_keys(&maker.options)) && config_read_exporter(&maker) && config_read_keys(&maker) &&
                  config_read_url(&maker);
    config->enabled = wanted && usable;
    if (config->insecure && config->enabled && config->exporter != LF__EXPORTER_FILE)
        config_warn_of_insecure(&maker);
    if (!maker.no_memory)
        return config;
    lf__config_free(config);
    return NULL;
}

static void config_free_pairs(lf__pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        lf__free(pairs[i].key);
        lf__free_secret(pairs[i].value); /* of a header it may be a token */
    }
    lf__free(pairs);
}

lf__config *lf__config_ref(lf__config *config)
{
    atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
    return config;
}

void lf__config_free(lf__config *config)
{
    /* Releases what this owner did with it; the last owner acquires all of that. */
    if (config == NULL || atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) != 1)
        return;
    lf__free_secret(config->secret_key);
    lf__free_secret(config->authorization);
    config_free_source(config->key_source);
    char *texts[] = {config->public_key,       config->base_url,      config->origin,     config->socket_path,
                     config->traces_url,       config->ingestion_url, config->scores_url, config->health_url,
                     config->file_path,        config->environment,   config->release,    config->ca_file,
                     config->ca_path,          config->client_key,    config->proxy,      config->client_certificate,
                     config->prompt_cache_dir, config->project_id,    config->logger.path};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        lf__free(texts[i]);
    config_free_pairs(config->headers, config->header_count);
    config_free_pairs(config->resource, config->resource_count);
    lf__free(config);
}
