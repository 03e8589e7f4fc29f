/* The same, with all of CIFAR-10. */
#define SLOW
#include "test_real.c"
