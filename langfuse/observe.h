/* The macros, under the name that no other library has: #include <langfuse/observe.h>. */
#include "../observe.h"
