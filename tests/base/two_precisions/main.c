#include "part.h"

#include <stdio.h>

int main(void) {
    int single = use_single(), twice = use_double();
    printf("1..2\n%s 1 - single precision answers for itself\n%s 2 - so does double, in the same program\n",
           single ? "not ok" : "ok", twice ? "not ok" : "ok");
    return single || twice;
}
