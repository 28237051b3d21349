#define _GNU_SOURCE
#include "prompt_cache.h"

#include "../base/hash.h"
#include "../base/ids.h"
#include "../base/monitor.h"
#include "../base/own_threads.h"
#include "prompt_disk.h"
#include "rest.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    CACHE_BUCKETS = 1024,
    CACHE_TRY_WAIT_MS = 1000, /* between two tries: a random part of this */
    CACHE_REFRESH_PAUSE_MS = 1000, /* between a failure and the next refresh */
    CACHE_STACK_BYTES = 256 << 10
};

typedef struct cache_entry {
    struct cache_entry *next_in_bucket;
    uint64_t hash;
    uint32_t client;
    int version;
    const char *name;  /* behind the entry, as is the label */
    const char *label; /* NULL when asked for by version */

    lf__prompt_body *body; /* NULL: not there */
    uint64_t fresh_until_ns;
    uint64_t used_ns;

    bool fetching;      /* threads that miss the prompt wait for one that asks the server */
    bool refreshing;    /* queued for, or with, the background thread */
    uint64_t fetches;   /* so many have ended: waiters see by it the end of theirs */
    unsigned waiters;
    uint64_t forgotten; /* so many times; a fetch that began before the last time is not kept */
    uint64_t not_before_ns; /* no refresh earlier */
    lf_error error;     /* of the last fetch */
    lf__prompt_fetch how; /* of the refresh */
    struct cache_entry *next_refresh;
} cache_entry;

/* The monitor guards all of this, the entries included, and is told of each change that a thread may wait for. */
static struct {
    lf__monitor monitor;
    cache_entry *buckets[CACHE_BUCKETS];
    size_t count;
    size_t bytes;
    cache_entry *refresh_first; /* the background thread is at it */
    cache_entry *refresh_last;
    bool running; /* the background thread */
    bool exiting;
} cache = {.monitor = LF__MONITOR_INIT};

/* ---- Fork, exit ---- */

void lf__prompts_before_fork(void)
{
    lf__monitor_lock(&cache.monitor);
}

void lf__prompts_after_fork_parent(void)
{
    lf__monitor_unlock(&cache.monitor);
}

/* The threads that fetched are the parent's; the prompts stay. */
void lf__prompts_after_fork_child(void)
{
    lf__monitor_after_fork_child(&cache.monitor);
    for (int i = 0; i < CACHE_BUCKETS; i++)
        for (cache_entry *entry = cache.buckets[i]; entry != NULL; entry = entry->next_in_bucket) {
            entry->fetching = entry->refreshing = false;
            entry->waiters = 0;
            entry->next_refresh = NULL;
            lf__config_free(entry->how.config); /* what was queued is not fetched here */
            entry->how.config = NULL;
        }
    cache.refresh_first = cache.refresh_last = NULL;
    cache.running = false;
}

void lf__prompts_stop(void)
{
    lf__monitor_lock(&cache.monitor);
    cache.exiting = true;
    lf__monitor_unlock(&cache.monitor);
}

/* ---- The table ---- */

/* The labels of a prompt have one hash: there are few. */
static uint64_t cache_hash(const lf__prompt_key *key)
{
    return lf__hash(LF__HASH ^ key->client ^ (uint64_t)(uint32_t)key->version << 32, lf__text_of(key->name));
}

static cache_entry *cache_look(const lf__prompt_key *key, uint64_t hash)
{
    cache_entry *entry = cache.buckets[hash % CACHE_BUCKETS];
    for (; entry != NULL; entry = entry->next_in_bucket)
        if (entry->hash == hash && entry->client == key->client && entry->version == key->version &&
            strcmp(entry->name, key->name) == 0 && (key->version != 0 || strcmp(entry->label, key->label) == 0))
            return entry;
    return NULL;
}

static bool cache_is_fresh(const cache_entry *entry, uint64_t now_ns)
{
    return entry->body != NULL && now_ns < entry->fresh_until_ns;
}

/* Is it time to fetch it in the background? */
static bool cache_is_due(const cache_entry *entry, uint64_t now_ns)
{
    return !cache_is_fresh(entry, now_ns) && !entry->refreshing && now_ns >= entry->not_before_ns;
}

lf__prompt_found lf__prompts_find(const lf__prompt_key *key, uint64_t now_ns, lf__prompt_body **out_body)
{
    uint64_t hash = cache_hash(key);
    lf__prompt_found found = LF__PROMPT_MISS;
    lf__monitor_lock(&cache.monitor);
    cache_entry *entry = cache_look(key, hash);
    if (entry != NULL && entry->body != NULL) {
        found = cache_is_fresh(entry, now_ns) ? LF__PROMPT_IS_FRESH
                : cache_is_due(entry, now_ns) ? LF__PROMPT_IS_DUE
                                              : LF__PROMPT_IS_STALE;
        *out_body = lf__prompt_body_hold(entry->body);
        entry->used_ns = now_ns;
    }
    lf__monitor_unlock(&cache.monitor);
    return found;
}

lf_status lf__prompts_status(const lf__prompt_key *key)
{
    lf__monitor_lock(&cache.monitor);
    const cache_entry *entry = cache_look(key, cache_hash(key));
    bool is_there = entry != NULL && entry->body != NULL;
    lf_status why = entry == NULL || entry->error.status == LF_OK ? LF_ERR_TIMEOUT : entry->error.status;
    lf__monitor_unlock(&cache.monitor);
    return is_there ? LF_OK : why;
}

/* The rest of this section runs with the lock held. */

/* Put another body, or none, in the place of an entry's. */
static void cache_exchange(cache_entry *entry, lf__prompt_body *body)
{
    cache.bytes += body == NULL ? 0 : body->bytes;
    cache.bytes -= entry->body == NULL ? 0 : entry->body->bytes;
    lf__prompt_body_drop(entry->body);
    entry->body = body == NULL ? NULL : lf__prompt_body_hold(body);
}

static bool cache_is_idle(const cache_entry *entry)
{
    return !entry->fetching && !entry->refreshing && entry->waiters == 0;
}

static void cache_remove(cache_entry *entry)
{
    cache_exchange(entry, NULL);
    cache_entry **link = &cache.buckets[entry->hash % CACHE_BUCKETS];
    while (*link != entry)
        link = &(*link)->next_in_bucket;
    *link = entry->next_in_bucket;
    cache.count--;
    lf__config_free(entry->how.config);
    lf__free(entry);
}

/* Make room for one more: the prompts that were not used for longest go, `but` excepted. */
static void cache_make_room(const cache_entry *but)
{
    while (cache.count >= LF__PROMPTS || cache.bytes > LF__PROMPT_BYTES) {
        cache_entry *oldest = NULL;
        for (int i = 0; i < CACHE_BUCKETS; i++)
            for (cache_entry *entry = cache.buckets[i]; entry != NULL; entry = entry->next_in_bucket)
                if (entry != but && cache_is_idle(entry) && (oldest == NULL || entry->used_ns < oldest->used_ns))
                    oldest = entry;
        if (oldest == NULL)
            return;
        cache_remove(oldest);
    }
}

static cache_entry *cache_find_or_add(const lf__prompt_key *key)
{
    uint64_t hash = cache_hash(key);
    cache_entry *entry = cache_look(key, hash);
    if (entry != NULL)
        return entry;
    cache_make_room(NULL);
    size_t name_size = strlen(key->name) + 1, label_size = key->version != 0 ? 0 : strlen(key->label) + 1;
    entry = lf__alloc(sizeof *entry + name_size + label_size);
    if (entry == NULL)
        return NULL;
    entry->hash = hash;
    entry->client = key->client;
    entry->version = key->version;
    entry->name = memcpy(entry + 1, key->name, name_size);
    if (label_size != 0)
        entry->label = memcpy((char *)(entry + 1) + name_size, key->label, label_size);
    entry->used_ns = lf__monotonic_ns();
    entry->next_in_bucket = cache.buckets[hash % CACHE_BUCKETS];
    cache.buckets[hash % CACHE_BUCKETS] = entry;
    cache.count++;
    return entry;
}

/* ---- Asking the server ---- */

static bool cache_add_path(lf__buf *path, const lf__prompt_key *key)
{
    lf__buf_add_text(path, "api/public/v2/prompts/");
    lf__buf_add_percent(path, key->name, strlen(key->name));
    if (key->version != 0) {
        char version[32];
        snprintf(version, sizeof version, "?version=%d", key->version);
        lf__buf_add_text(path, version);
    } else {
        lf__buf_add_text(path, "?label=");
        lf__buf_add_percent(path, key->label, strlen(key->label));
    }
    return lf__buf_add_char(path, '\0');
}

/* LF_ERR_SERVER may also be a redirect, or an answer that is too large: these stay as they are. */
static bool cache_may_try_again(lf_status status, const lf_error *error)
{
    return status == LF_ERR_NETWORK || status == LF_ERR_TIMEOUT || error->http_status >= 500 || error->http_status == 408 ||
           error->http_status == 429;
}

/* One question with its tries. */
static lf_status cache_ask(const char *path, const lf__prompt_fetch *fetch, lf__rest_answer *answer, lf_error *error)
{
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)fetch->timeout_ms * 1000000u;
    int left_ms = fetch->timeout_ms;
    for (int tries = 0;; tries++) {
        lf__rest_request request = {.method = LF__HTTP_GET, .path = path, .timeout_ms = left_ms};
        lf_status status = lf__rest_call(fetch->config, &request, answer, error);
        if (status == LF_OK || tries >= fetch->max_retries || !cache_may_try_again(status, error))
            return status;
        uint32_t random;
        lf__random_bytes(&random, sizeof random);
        int pause_ms = (int)(random % CACHE_TRY_WAIT_MS);
        uint64_t now = lf__monotonic_ns();
        left_ms = now >= until_ns ? 0 : (int)((until_ns - now) / 1000000u);
        if (left_ms <= pause_ms + 1)
            return status;
        (void)nanosleep(&(struct timespec){0, pause_ms * 1000000L}, NULL);
        left_ms -= pause_ms;
    }
}

static lf_status cache_download(const lf__prompt_key *key, const lf__prompt_fetch *fetch, lf__prompt_body **out_body,
                                lf_error *error)
{
    lf__buf path;
    lf__buf_init(&path, 64 << 10);
    lf__rest_answer answer = {0};
    lf_status status = lf__rest_fail(error, LF_ERR_MEMORY, 0, "no memory");
    if (cache_add_path(&path, key))
        status = cache_ask(path.data, fetch, &answer, error);
    lf__buf_done(&path);
    if (status != LF_OK && error->http_status == 404)
        lf__prompt_disk_remove(fetch->config, key);
    if (status != LF_OK)
        return status;
    bool bad;
    *out_body = lf__prompt_body_parse(answer.body, answer.size, &bad);
    if (*out_body == NULL)
        status = bad ? lf__rest_fail(error, LF_ERR_SERVER, 200, "the server's answer is no prompt")
                     : lf__rest_fail(error, LF_ERR_MEMORY, 0, "no memory");
    else
        lf__prompt_disk_write(fetch->config, key, answer.body, answer.size);
    lf__free(answer.body);
    return status;
}

/* With the lock held. */
static void cache_store(cache_entry *entry, lf__prompt_body *body, uint64_t ttl_ns)
{
    uint64_t now = lf__monotonic_ns();
    entry->fresh_until_ns = ttl_ns > UINT64_MAX - now ? UINT64_MAX : now + ttl_ns;
    cache_exchange(entry, body);
    cache_make_room(entry);
}

/* Wait for the thread that fetches this entry. True: it has ended. */
static bool cache_wait(cache_entry *entry, uint64_t until_ns)
{
    uint64_t fetches = entry->fetches;
    entry->waiters++;
    while (entry->fetches == fetches && entry->fetching && lf__monitor_wait(&cache.monitor, until_ns))
        continue;
    entry->waiters--;
    return entry->fetches != fetches;
}

/* Fetch, with the lock given up meanwhile. Several threads may fetch one prompt at once; with `shared`, threads that miss it wait
 * for the first one. */
static lf_status cache_fetch(cache_entry *entry, const lf__prompt_key *key, const lf__prompt_fetch *fetch, bool shared,
                             lf__prompt_body **out_body, lf_error *error)
{
    bool first = shared && !entry->fetching;
    uint64_t forgotten = entry->forgotten;
    entry->fetching |= shared;
    entry->waiters++; /* the entry must not go meanwhile */
    lf__monitor_unlock(&cache.monitor);
    lf_status status = cache_download(key, fetch, out_body, error);
    lf__monitor_lock(&cache.monitor);
    entry->waiters--;
    if (first)
        entry->fetching = false;
    bool counts = entry->forgotten == forgotten;  /* else the answer may be from before */
    if (status == LF_OK || !entry->fetching) { /* a failure beside the fetch that others wait for is not theirs */
        entry->error = status == LF_OK || !counts ? (lf_error){.status = LF_OK} : *error;
        entry->fetches++;
    }
    entry->not_before_ns = status == LF_OK ? 0 : lf__monotonic_ns() + CACHE_REFRESH_PAUSE_MS * 1000000u;
    if (counts && status == LF_OK)
        cache_store(entry, *out_body, fetch->ttl_ns);
    else if (counts && error->http_status == 404)
        cache_exchange(entry, NULL); /* it was deleted, or has lost the label */
    lf__monitor_tell(&cache.monitor);
    return status;
}

/* Wait for another thread that fetches the prompt, or fetch it. */
static lf_status cache_get(cache_entry *entry, const lf__prompt_key *key, const lf__prompt_fetch *fetch, bool always,
                           lf__prompt_body **out_body, lf_error *error)
{
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)fetch->timeout_ms * 1000000u;
    lf__prompt_fetch left = *fetch;
    while (entry->fetching && !always) {
        bool ended = cache_wait(entry, until_ns);
        if (ended && entry->body != NULL) {
            *out_body = lf__prompt_body_hold(entry->body);
            return LF_OK;
        }
        if (ended && entry->error.status != LF_OK && entry->error.status != LF_ERR_TIMEOUT) {
            *error = entry->error;
            return error->status;
        }
        /* Ask again: the prompt was forgotten as soon as it was fetched, or the thread that fetched it had less time. */
        uint64_t now = lf__monotonic_ns();
        if (!ended || now >= until_ns)
            return lf__rest_fail(error, LF_ERR_TIMEOUT, 0, "the prompt is being fetched, and that takes too long");
        left.timeout_ms = (int)((until_ns - now) / 1000000u) + 1;
    }
    return cache_fetch(entry, key, &left, true, out_body, error);
}

lf_status lf__prompts_fetch(const lf__prompt_key *key, const lf__prompt_fetch *fetch, bool always, lf__prompt_body **out_body,
                            lf_error *error)
{
    lf__monitor_lock(&cache.monitor);
    cache_entry *entry = cache_find_or_add(key);
    lf_status status = entry == NULL ? lf__rest_fail(error, LF_ERR_MEMORY, 0, "no memory")
                                     : cache_get(entry, key, fetch, always, out_body, error);
    lf__monitor_unlock(&cache.monitor);
    return status;
}

/* NULL: there is no copy on disk, or a broken one. */
static lf__prompt_body *cache_read_disk(const lf__prompt_key *key, const lf__config *config)
{
    size_t size;
    uint64_t age_ns;
    char *text = lf__prompt_disk_read(config, key, &size, &age_ns);
    bool bad;
    lf__prompt_body *body = text == NULL ? NULL : lf__prompt_body_parse(text, size, &bad);
    lf__free(text);
    if (body != NULL)
        body->fetched_ns -= age_ns; /* wraps when it is older than the machine's uptime */
    return body;
}

lf__prompt_body *lf__prompts_from_disk(const lf__prompt_key *key, const lf__config *config)
{
    lf__prompt_body *body = cache_read_disk(key, config);
    if (body == NULL)
        return NULL;
    lf__monitor_lock(&cache.monitor);
    cache_entry *entry = cache_find_or_add(key);
    if (entry != NULL && entry->body != NULL) { /* fetched meanwhile */
        lf__prompt_body_drop(body);
        body = lf__prompt_body_hold(entry->body);
    } else if (entry != NULL) {
        cache_store(entry, body, 0);
    }
    lf__monitor_unlock(&cache.monitor);
    return body;
}

/* ---- The background thread ---- */

static void cache_refresh_one(cache_entry *entry)
{
    const lf__prompt_key key = {entry->client, entry->name, entry->version, entry->label};
    lf__prompt_fetch how = entry->how;
    entry->how.config = NULL; /* ours now */
    lf__prompt_body *body = NULL;
    lf_error error;
    lf_status status = LF_OK;
    if (!cache_is_fresh(entry, lf__monotonic_ns())) /* else a thread that did not want to wait has fetched it */
        status = cache_fetch(entry, &key, &how, entry->body == NULL, &body, &error);
    lf__monitor_unlock(&cache.monitor);
    if (status != LF_OK)
        lf__log(&how.config->logger, error.http_status == 404 ? LF__LOG_WARNING : LF__LOG_DEBUG,
                "prompt \"%.80s\" could not be refreshed: %s", key.name, error.message);
    lf__prompt_body_drop(body);
    lf__config_free(how.config);
    lf__monitor_lock(&cache.monitor);
    entry->refreshing = false;
}

static void *cache_main(void *unused)
{
    (void)unused;
    pthread_detach(pthread_self());
    pthread_setname_np(pthread_self(), LF__THREAD_PROMPT);
    lf__monitor_lock(&cache.monitor);
    while (!cache.exiting && cache.refresh_first != NULL) {
        cache_refresh_one(cache.refresh_first);
        cache.refresh_first = cache.refresh_first->next_refresh;
        lf__monitor_tell(&cache.monitor);
    }
    cache.running = false; /* the next refresh has a thread of its own */
    lf__monitor_unlock(&cache.monitor);
    return NULL;
}

static bool cache_ensure_thread(void)
{
    pthread_t thread;
    if (!cache.running && !cache.exiting)
        cache.running = lf__own_threads_start(&thread, CACHE_STACK_BYTES, cache_main) == 0;
    return cache.running;
}

void lf__prompts_refresh(const lf__prompt_key *key, const lf__prompt_fetch *fetch)
{
    lf__monitor_lock(&cache.monitor);
    cache_entry *entry = cache_find_or_add(key);
    if (entry != NULL && cache_is_due(entry, lf__monotonic_ns()) && cache_ensure_thread()) {
        entry->refreshing = true;
        entry->next_refresh = NULL;
        entry->how = *fetch;
        entry->how.config = lf__config_ref(fetch->config);
        if (cache.refresh_first == NULL)
            cache.refresh_first = entry;
        else
            cache.refresh_last->next_refresh = entry;
        cache.refresh_last = entry;
    }
    lf__monitor_unlock(&cache.monitor);
}

bool lf__prompts_settle(int timeout_ms)
{
    uint64_t until_ns = lf__monotonic_ns() + (uint64_t)timeout_ms * 1000000u;
    lf__monitor_lock(&cache.monitor);
    while (cache.refresh_first != NULL && lf__monitor_wait(&cache.monitor, until_ns))
        continue;
    bool settled = cache.refresh_first == NULL;
    lf__monitor_unlock(&cache.monitor);
    return settled;
}

void lf__prompts_forget(const char *name)
{
    lf__monitor_lock(&cache.monitor);
    for (int i = 0; i < CACHE_BUCKETS; i++)
        for (cache_entry *entry = cache.buckets[i]; entry != NULL; entry = entry->next_in_bucket)
            if (name == NULL || strcmp(entry->name, name) == 0) {
                entry->forgotten++;
                cache_exchange(entry, NULL);
            }
    lf__monitor_unlock(&cache.monitor);
}
