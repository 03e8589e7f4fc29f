/* Processes that a launcher of another MPI has started; a program of its own, since MPI is started in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glissade/comm.h>
#include <stdlib.h>
#include <string.h>

/* The word of another MPI's launcher (or of any, where there is no MPI): several processes that each find themselves
 * alone are refused, with a sentence that says what to do. */
static void a_foreign_launcher_is_refused(void **state) {
#ifdef GLS_HAVE_MPI
    bool open_mpi = strncmp(GLS_MPI_NAME, "Open", 4) == 0;
#else
    bool open_mpi = true;
#endif
    const char *foreign = open_mpi ? "PMI_SIZE" : "OMPI_COMM_WORLD_SIZE";
    setenv(foreign, "2", 1);
    gls_comm *comm = NULL;
    assert_int_equal(gls_comm_create(&comm), GLS_ERR_COMM);
    assert_null(comm);
    assert_non_null(strstr(gls_comm_refusal(), "launcher"));
    unsetenv(foreign);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_foreign_launcher_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
