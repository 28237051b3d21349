/* The core, under the name that no other library has: #include <langfuse/lf_core.h>. */
#include "../lf_core.h"
