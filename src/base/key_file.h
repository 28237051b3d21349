/* A secret key in a file of its own, as container platforms hand secrets out. They replace the file while the program runs. */
#ifndef LF_SRC_KEY_FILE_H
#define LF_SRC_KEY_FILE_H

#include "base.h"

/* The first line, without blanks at its end; at most 4 KiB of a regular file. Free it with lf__free_secret. NULL: *out_fault
 * says why, or is NULL when memory is out. errno stays. */
char *lf__key_file_read(const char *path, const char **out_fault);

#endif
