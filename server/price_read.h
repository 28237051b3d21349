/* Reads models with their prices from JSON. Pure. */
#ifndef LOCAL_PRICE_READ_H
#define LOCAL_PRICE_READ_H

#include "price.h"

typedef struct price_list {
    price_model *models;
    size_t count;
} price_list;

/* Appends a model, or all of a file: an array of models, or an object with one under "data". False, with one line in `why`. The
 * list lives in `a`, but for what its patterns hold. */
bool price_read_model(arena *a, price_list *to, const json *model, char *why, size_t why_size);
bool price_read_file(arena *a, price_list *to, text file, char *why, size_t why_size);

#endif
