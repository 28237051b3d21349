/* What the tests of stored rows share. */
#ifndef TESTS_SERVER_HARNESS_H
#define TESTS_SERVER_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../server/store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void assert_text(text actual, const char *expected)
{
    assert_non_null(actual.at);
    if (actual.size != strlen(expected) || memcmp(actual.at, expected, actual.size) != 0)
        fail_msg("\"%.*s\", not \"%s\"", (int)actual.size, actual.at, expected);
}

static inline store *open_store(const char *path, bool read_only)
{
    char why[200];
    store *s = store_open(path, read_only, why, sizeof why);
    assert_non_null(s);
    return s;
}

#define TEMPORARY_PATH "/tmp/langfuse-local-test-XXXXXX"

/* Fills in the X of the path, and makes an empty file of that name. */
static inline void make_file(char *path)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

/* SQL that takes back what version 4 of the database added to observations. */
#define HARNESS_OLD_OBSERVATIONS                                                                \
    "ALTER TABLE observations DROP COLUMN model_id; ALTER TABLE observations DROP COLUMN tier;" \
    "ALTER TABLE observations DROP COLUMN own_metadata;"                                        \
    "CREATE TABLE ingested (id TEXT PRIMARY KEY, trace_id TEXT NOT NULL, start_ms INTEGER NOT NULL) WITHOUT ROWID;"

#endif
