/* Options and other programs: numbers as other readers of YAML take them, and words that other tools use. */
#include "support.h"

#include "base/text.h"

#include <math.h>

/* As readers of YAML 1.1 want numbers; an empty second text: they read the first as we do, or it is no number. */
static void numbers_are_written_for_other_readers(void **state) {
    static const char *const pair[][2] = {{"1e-8", "1.0e-8"},
                                          {"1.5e3", "1500"},
                                          {"1e3", "1000"},
                                          {"1e300", "1.0e+300"},
                                          {"2.5E-7", "2.5e-7"},
                                          {"010", "10"},
                                          {"-007", "-7"},
                                          {"+5", "5"},
                                          {"0", "0"},
                                          {"0x10", "16"},
                                          {"nan", ".nan"},
                                          {"inf", ".inf"},
                                          {".inf", ".inf"},
                                          {"-inf", "-.inf"},
                                          {"-.5", "-0.5"},
                                          {"1e400", ".inf"},
                                          {"0.1", ""},
                                          {"00.5", ""},
                                          {".5", ""},
                                          {"3.", ""},
                                          {"0.1.0", ""},
                                          {"64k", ""},
                                          {"500s", ""},
                                          {"infinity", ""},
                                          {"NaN", ""},
                                          {"1_000", ""},
                                          {"softmax", ""},
                                          {"", ""},
                                          {"9223372036854775807", "9223372036854775807"}};
    (void)state;
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
        char text[GLS_REAL_TEXT] = "";
        bool written = gls_text_for_yaml(pair[i][0], text);
        if (written != (pair[i][1][0] != 0) || (written && strcmp(text, pair[i][1]) != 0))
            fail_msg("'%s' became '%s'", pair[i][0], text);
        double value = 0, again = 0;
        const char *rest;
        if (written && gls_text_to_real(pair[i][0], &value, &rest))
            assert_true(gls_text_to_real(text, &again, &rest) && !*rest && (value == again || value != value));
    }
}

static const char *word_at(const void *user, int64_t i) {
    return ((const char *const *)user)[i];
}

/* A word of other tools is told before what is near by letters, where what it means is known. */
static void other_tools_words_are_known(void **state) {
    static const char *const options[] = {"lr", "beta", "batch", "momenta", NULL};
    static const char *const methods[] = {"sgd", "msgd", "nag", NULL};
    (void)state;
    assert_string_equal(gls_nearest("momentum", word_at, options), "beta");
    assert_string_equal(gls_nearest("Momentum", word_at, methods), "msgd");
    assert_string_equal(gls_nearest("learning-rate", word_at, options), "lr");
    assert_string_equal(gls_nearest("batch_size", word_at, options), "batch");
    assert_string_equal(gls_nearest("momentm", word_at, options), "momenta");
    assert_null(gls_nearest("learning_rate", word_at, methods));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_are_written_for_other_readers),
                                       cmocka_unit_test(other_tools_words_are_known)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
