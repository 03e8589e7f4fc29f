/* The same calls through both libraries: each returns 0 if its own library answered. */
#ifndef TESTS_TWO_PRECISIONS_PART_H
#define TESTS_TWO_PRECISIONS_PART_H

int use_single(void);
int use_double(void);

#endif
