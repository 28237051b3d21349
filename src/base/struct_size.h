/* Structs of fields, as programs give them: of this version, of an older one (shorter), or of a newer one (longer). Each begins
 * with its size; LF_I_SAY_SIZE in langfuse/macros.h tells why an odd one was written by a macro. */
#ifndef LF_SRC_STRUCT_SIZE_H
#define LF_SRC_STRUCT_SIZE_H

#include "base.h"

#include <string.h>

/* The size of a struct whose last field this is. A size of 0 means that of the version that brought the struct. */
#define LF__SIZE_WITH(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

/* The fields as this version knows them: `given` itself, or `own` with the rest not said. `first_size` is meant by a size of 0. */
static inline const void *lf__fields(const void *given, void *own, size_t size, size_t first_size)
{
    size_t said = *(const size_t *)given & ~(size_t)1;
    if (__builtin_expect(said >= size, 1))
        return given;
    memset(own, 0, size);
    memcpy(own, given, said == 0 ? first_size : said);
    return own;
}

/* A time or a number of tries. A negative one is not said. 0 is said where a macro wrote a struct that has the field. */
static inline int lf__said(int value, size_t struct_size, size_t size_with_it, int standard)
{
    bool zero_is_said = (struct_size & 1) != 0 && struct_size > size_with_it;
    if (value == LF_NONE)
        return 0;
    return value < 0 || (value == 0 && !zero_is_said) ? standard : value;
}
#define LF__SAID(type, fields, field, standard) \
    lf__said((fields)->field, (fields)->struct_size, LF__SIZE_WITH(type, field), standard)

#endif
