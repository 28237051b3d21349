/* Observations of other threads in their right place: below the observation that asked for the work.
 *
 * Three ways: a thread of one's own (lf_thread_create), a pool (lf_context_copy where work is handed over, lf_context_run
 * where it is done), and a scope of a longer function (OBSERVE_CONTEXT).
 */
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- A small pool ------------------------------------------------------------------------------------------------- */

enum { POOL_THREADS = 2, POOL_JOBS = 8 };

typedef struct job {
    lf_context *context; /* of the thread that handed it over */
    void *(*run)(void *);
    void *argument;
} job;

typedef struct pool {
    pthread_mutex_t mutex; /* guards the rest but threads */
    pthread_cond_t changed;
    job jobs[POOL_JOBS];
    int added, taken;
    bool closed;
    pthread_t threads[POOL_THREADS];
    int thread_count;
} pool;

/* False when no more work will come. */
static bool pool_take(pool *p, job *out_job)
{
    pthread_mutex_lock(&p->mutex);
    while (p->taken == p->added && !p->closed)
        pthread_cond_wait(&p->changed, &p->mutex);
    bool found = p->taken < p->added;
    if (found)
        *out_job = p->jobs[p->taken++];
    pthread_mutex_unlock(&p->mutex);
    return found;
}

static void *pool_work(void *argument)
{
    job next;
    while (pool_take(argument, &next)) {
        lf_context_run(next.context, next.run, next.argument);
        lf_context_free(next.context);
    }
    return NULL;
}

/* False when the pool is full. */
static bool pool_add(pool *p, void *(*run)(void *), void *argument)
{
    pthread_mutex_lock(&p->mutex);
    bool fits = p->added < POOL_JOBS;
    if (fits)
        p->jobs[p->added++] = (job){lf_context_copy(), run, argument};
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    return fits;
}

/* Plain pthread_create: the threads of a pool belong to no trace, its jobs do. */
static bool pool_start(pool *p)
{
    while (p->thread_count < POOL_THREADS && pthread_create(&p->threads[p->thread_count], NULL, pool_work, p) == 0)
        p->thread_count++;
    return p->thread_count > 0;
}

static void pool_finish(pool *p)
{
    pthread_mutex_lock(&p->mutex);
    p->closed = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    for (int i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
}

/* ---- The program -------------------------------------------------------------------------------------------------- */

typedef struct document {
    const char *title, *text;
    int words;
} document;

static int count_words(const char *title, const char *text)
{
    OBSERVE_TOOL(title, text);
    int words = 0;
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        words++;
        text += strcspn(text, " ");
    }
    OBSERVE_RETURN(words);
}

static void *count_document(void *argument)
{
    document *d = argument;
    d->words = count_words(d->title, d->text);
    return NULL;
}

/* Runs in a thread of its own; its parent is the observation that was open where the thread was created. */
static void *warm_up(void *model)
{
    const char *name = model;
    OBSERVE_EMBEDDING(name);
    return NULL;
}

/* Called long after the request is over, as by an event loop: the context puts it there nevertheless. */
static void on_feedback(lf_context *context, const char *comment)
{
    OBSERVE_CONTEXT(context);
    OBSERVE_EVALUATOR(comment);
    OBSERVE_OUTPUT(strstr(comment, "good") != NULL);
}

/* The context of the request, for what comes later; free with lf_context_free. */
static lf_context *handle_request(pool *p, document *documents, int count)
{
    OBSERVE_AGENT(count);
    pthread_t thread;
    bool started = lf_thread_create(&thread, NULL, warm_up, (void *)"tiny-embedder") == 0;
    for (int i = 0; i < count; i++)
        if (!pool_add(p, count_document, &documents[i]))
            OBSERVE_ERROR("no room for %s", documents[i].title);
    if (started)
        pthread_join(thread, NULL);
    return lf_context_copy();
}

int main(void)
{
    static pool workers = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    document documents[] = {
        {"proverb", "many hands make light work", 0},
        {"warning", "too many cooks spoil the broth", 0},
        {"advice", "look before you leap", 0},
    };
    const int count = sizeof documents / sizeof *documents;
    if (!pool_start(&workers)) {
        fputs("threads: cannot create a thread\n", stderr);
        return EXIT_FAILURE;
    }
    lf_context *request = handle_request(&workers, documents, count);
    pool_finish(&workers);
    for (int i = 0; i < count; i++)
        printf("%s: %d words\n", documents[i].title, documents[i].words);
    on_feedback(request, "good, and quick");
    lf_context_free(request);
    return EXIT_SUCCESS;
}
