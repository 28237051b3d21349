/* Metadata as a Langfuse server keeps it: flat, every value a text. Pure. */
#ifndef LOCAL_METADATA_H
#define LOCAL_METADATA_H

#include "json.h"

typedef struct metadata_entry {
    text key, value;
    size_t next_in_bucket; /* index + 1 */
} metadata_entry;

enum { METADATA_BUCKETS = 64 };

/* Metadata under construction: texts by key. Zero is empty. */
typedef struct metadata {
    metadata_entry *list;
    size_t count;
    size_t buckets[METADATA_BUCKETS];
} metadata;

void metadata_put(arena *a, metadata *in, text key, text value); /* replaces the value of an equal key */
void metadata_put_json(arena *a, metadata *in, const json *object); /* an object or array: objects in objects become dotted keys */
void metadata_merge(arena *a, metadata *into, const char *prefix, const metadata *from); /* an empty prefix: under the same keys */
text metadata_key(arena *a, text prefix, text name); /* "prefix.name" */

void metadata_put_top(arena *a, metadata *in, const json *object); /* the same, but objects in objects are kept as JSON text */

/* A value that was sent as JSON: objects become dotted keys, other values their texts. A string that would be read back as something
 * else keeps its quotes. */
void metadata_put_decoded(arena *a, metadata *in, text key, const json *value);

/* The members of a JSON object, without braces: the last one first, which is the order in which a real server answers. */
void metadata_write(buf *out, const metadata *from);

/* A JSON value as metadata: an object of texts by top-level key. What is not an object goes under the key "metadata". */
text metadata_of_json(arena *a, const json *given);

/* Stored metadata of an exported observation as a JSON object in the shape that it had before Langfuse 4: attributes, those of the
 * resource and the scope are objects, and so are members of `own`, which replaces the rest unless it is empty. */
text metadata_of_before(arena *a, text stored, text own);

#endif
