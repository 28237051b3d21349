/* The last known good copy of each prompt in a folder (LANGFUSE_PROMPT_CACHE_DIR), so that a restart without a network still
 * finds them. One file a prompt, written whole or not at all; anything odd in it counts as no copy.
 */
#ifndef LF_SRC_PROMPT_DISK_H
#define LF_SRC_PROMPT_DISK_H

#include "../base/config.h"
#include "prompt_body.h"

/* Keep the server's answer. Nothing happens without a folder; what fails is said once. */
void lf__prompt_disk_write(const lf__config *config, const lf__prompt_key *key, const char *json, size_t size);
/* Remove a copy: the server has no such prompt. */
void lf__prompt_disk_remove(const lf__config *config, const lf__prompt_key *key);
/* The answer kept last, NUL-terminated, for lf__free; NULL when there is none. */
char *lf__prompt_disk_read(const lf__config *config, const lf__prompt_key *key, size_t *out_size, uint64_t *out_age_ns);

#endif
