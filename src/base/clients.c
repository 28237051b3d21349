#define _GNU_SOURCE
#include "clients.h"

#include <pthread.h>
#include <stdio.h>

int lf_i_mode_word = LF_I_UNKNOWN;

_Atomic uint64_t lf__client_threshold[LF__CLIENTS];
_Atomic bool lf__client_on[LF__CLIENTS];
lf_client lf__clients[LF__CLIENTS];
_Atomic uint32_t lf__client_epoch;

/* Guarded by `lock`, which is held for a few instructions. */
static struct {
    pthread_mutex_t lock;
    lf__config *configs[LF__CLIENTS];
    lf__config *sending[LF__CLIENTS];
    uint32_t count;
} clients = {.lock = PTHREAD_MUTEX_INITIALIZER, .count = 1};

lf__config *lf__client_config(uint32_t client)
{
    pthread_mutex_lock(&clients.lock);
    lf__config *config = clients.configs[client] == NULL ? NULL : lf__config_ref(clients.configs[client]);
    pthread_mutex_unlock(&clients.lock);
    return config;
}

lf__config *lf__client_hold(uint32_t client)
{
    lf__config *config = lf__client_is_on(client) ? lf__client_config(client) : NULL;
    if (config == NULL || config->enabled)
        return config;
    lf__config_free(config);
    return NULL;
}

lf__config *lf__client_exchange(uint32_t client, lf__config *config)
{
    pthread_mutex_lock(&clients.lock);
    lf__config *before = clients.configs[client];
    clients.configs[client] = config;
    pthread_mutex_unlock(&clients.lock);
    return before;
}

void lf__client_set_sending(uint32_t client, lf__config *config)
{
    pthread_mutex_lock(&clients.lock);
    lf__config *before = clients.sending[client];
    clients.sending[client] = config == NULL ? NULL : lf__config_ref(config);
    pthread_mutex_unlock(&clients.lock);
    lf__config_free(before);
}

lf__config *lf__client_sending(uint32_t client)
{
    pthread_mutex_lock(&clients.lock);
    lf__config *config = clients.sending[client] == NULL ? NULL : lf__config_ref(clients.sending[client]);
    pthread_mutex_unlock(&clients.lock);
    return config;
}

size_t lf__client_queue_bytes(void)
{
    size_t bytes = 0;
    pthread_mutex_lock(&clients.lock);
    for (uint32_t i = 0; i < clients.count; i++)
        bytes += clients.sending[i] == NULL ? 0 : clients.sending[i]->queue_bytes;
    pthread_mutex_unlock(&clients.lock);
    return bytes;
}

uint32_t lf__client_add(lf__config *config)
{
    uint32_t client = LF__CLIENT_NONE;
    pthread_mutex_lock(&clients.lock);
    if (clients.count < LF__CLIENT_NONE) {
        client = clients.count++;
        clients.configs[client] = config;
    }
    pthread_mutex_unlock(&clients.lock);
    return client;
}

uint32_t lf__client_count(void)
{
    pthread_mutex_lock(&clients.lock);
    uint32_t count = clients.count;
    pthread_mutex_unlock(&clients.lock);
    return count;
}

void lf__client_tell(uint32_t client, lf__log_level level, const char *format, ...)
{
    static const lf__logger to_stderr = {.least = LF__LOG_WARNING};
    char text[LF_ERROR_TEXT_SIZE + 256];
    lf__config *config = lf__client_config(client);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    lf__log(config == NULL ? &to_stderr : &config->logger, level, "%s", text);
    lf__config_free(config);
}

void lf__client_before_fork(void)
{
    pthread_mutex_lock(&clients.lock);
}

void lf__client_after_fork_parent(void)
{
    pthread_mutex_unlock(&clients.lock);
}

void lf__client_after_fork_child(void)
{
    pthread_mutex_init(&clients.lock, NULL);
}
