/* Every file of every fuzzing corpus goes through the function that the fuzzer calls; so does each of its prefixes up
 * to 300 bytes. */
#include "base/support.h"
#include "../../fuzz/targets.h"
#include "data/corpus_path.h"
#include <dirent.h>

static int replay(const fuzz_target *target) {
    char folder[600], path[900];
    static uint8_t data[1 << 17];
    snprintf(folder, sizeof folder, "%s/%s", CORPUS, target->name);
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int files = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%.255s", folder, entry->d_name);
        FILE *f = fopen(path, "rb");
        assert_non_null(f);
        size_t size = fread(data, 1, sizeof data, f);
        fclose(f);
        target->run(data, size);
        for (size_t cut = 0; cut < size && cut < 300; cut += 1 + size / 40) target->run(data, cut);
        files++;
    }
    closedir(dir);
    return files;
}

static void corpora_do_no_harm(void **state) {
    for (const fuzz_target *t = fuzz_targets; t->name; t++) assert_true(replay(t) >= 3);
}

int main(void) {
    const struct CMUnitTest list[] = {cmocka_unit_test(corpora_do_no_harm)};
    return cmocka_run_group_tests(list, NULL, NULL);
}
