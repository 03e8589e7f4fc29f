/* The tail index at the sizes of the stated figures. */
#define FULL
#include "test_tail.c"
