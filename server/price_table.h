/* The prices that are built in: those that Langfuse 4.16 has for its own, of August 22, 2026. */
#ifndef LOCAL_PRICE_TABLE_H
#define LOCAL_PRICE_TABLE_H

#include <stddef.h>

/* Each is a model as a file of prices has it. */
extern const char *const price_table[];
extern const size_t price_table_count;

#endif
