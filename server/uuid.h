/* Random ids for what a client gives none. */
#ifndef LOCAL_UUID_H
#define LOCAL_UUID_H

#include <stdbool.h>

enum { UUID_SIZE = 37 }; /* with its NUL */

bool uuid_make(char out[UUID_SIZE]);

#endif
