/* The library has enums of the size of int; a program with others would have other structs.
 * gcc: compile without -fshort-enums
 * clang: compile without -fshort-enums
 * flags of gcc: -fshort-enums
 * flags of clang: -fshort-enums */
#ifdef CONTROL
enum nothing { NOTHING };
#else
#include "observe.h"
#endif
