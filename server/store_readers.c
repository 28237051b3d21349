/* Connections that only read, each with a snapshot of its own, so that reading and writing never wait for each other. */
#include "store_private.h"

#include <stdlib.h>

bool store_readers_init(store *s)
{
    if (pthread_mutex_init(&s->readers.lock, NULL) != 0)
        return false;
    if (pthread_cond_init(&s->readers.given, NULL) != 0) {
        pthread_mutex_destroy(&s->readers.lock);
        return false;
    }
    return true;
}

/* The database itself says where it is; what is only in memory has no name, and no other connection. */
bool store_readers_open(store *s)
{
    const char *path = sqlite3_db_filename(s->db, "main");
    store *all = path != NULL && *path != '\0' ? calloc(STORE_READERS, sizeof *all) : NULL;
    if (path == NULL || *path == '\0')
        return true;
    if (all == NULL)
        return false;
    s->readers.all = all;
    for (size_t i = 0; i < STORE_READERS; i++) {
        all[i].owner = s;
        all[i].read_only = true;
        all[i].next_reader = s->readers.free;
        s->readers.free = &all[i];
    }
    return true;
}

void store_readers_done(store *s)
{
    for (size_t i = 0; s->readers.all != NULL && i < STORE_READERS; i++)
        sqlite3_close(s->readers.all[i].db);
    free(s->readers.all);
    pthread_cond_destroy(&s->readers.given);
    pthread_mutex_destroy(&s->readers.lock);
}

static void store_put_back(store *reader)
{
    store_readers *readers = &reader->owner->readers;
    pthread_mutex_lock(&readers->lock);
    reader->next_reader = readers->free;
    readers->free = reader;
    pthread_cond_signal(&readers->given);
    pthread_mutex_unlock(&readers->lock);
}

/* There are more readers than threads of the server: one comes back soon. */
static store *store_wait_for_reader(store_readers *readers)
{
    pthread_mutex_lock(&readers->lock);
    while (readers->free == NULL)
        pthread_cond_wait(&readers->given, &readers->lock);
    store *reader = readers->free;
    readers->free = reader->next_reader;
    pthread_mutex_unlock(&readers->lock);
    return reader;
}

/* A reader that cannot be opened is tried again the next time. */
static bool store_open_reader(store *reader)
{
    const char *path = sqlite3_db_filename(reader->owner->db, "main");
    if (reader->db == NULL && sqlite3_open_v2(path, &reader->db, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        store_set_up_reader(reader->db) && store_is_in_place(reader->owner))
        return true;
    sqlite3_close(reader->db);
    reader->db = NULL;
    return false;
}

store *store_take_reader(store *s)
{
    if (s->readers.all != NULL) {
        store *reader = store_wait_for_reader(&s->readers);
        reader->is_read = (reader->db != NULL || store_open_reader(reader)) && store_run(reader, "BEGIN");
        if (reader->is_read)
            return reader;
        store_put_back(reader);
    }
    pthread_mutex_lock(&s->lock);
    s->is_read = true;
    return s;
}

static void store_end_reader(store *reader, bool ok)
{
    store *s = reader->owner;
    if (!ok && store_has_failed(reader->db)) {
        pthread_mutex_lock(&s->lock);
        store_note_problem(s, reader->db);
        pthread_mutex_unlock(&s->lock);
    }
    if (sqlite3_get_autocommit(reader->db) == 0)
        store_run(reader, "COMMIT");
    store_put_back(reader);
}

void store_give_reader(store *reader, bool ok)
{
    reader->is_read = false;
    if (reader->owner != NULL)
        store_end_reader(reader, ok);
    else
        pthread_mutex_unlock(&reader->lock);
}
