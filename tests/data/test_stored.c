/* Rows that stay on disk are those in memory, to the bit, in any order; what is wrong with their file is said. */
#include "data/corpus_path.h"
#include "format_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/csv.h"

enum { ROWS = 9001 };

static gls_source *open_within(gls_context *ctx, const char *format, const char *path, const char *options,
                               gls_part part, const gls_data_info *like, int64_t memory) {
    gls_bound bound = {.left = memory, .scratch = folder};
    gls_source *source;
    gls_source_bound(ctx, &bound);
    if (open_status(ctx, format, path, options, part, like, &source) != GLS_OK)
        fail_msg("%s: %s", path, gls_context_message(ctx));
    gls_source_bound(ctx, NULL);
    return source;
}

/* write_npy for arrays of any size. */
static void write_array(const char *path, const char *descr, const char *shape, const void *data, size_t size) {
    FILE *f = fopen(path, "wb");
    char text[128];
    assert_non_null(f);
    int n = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr, shape);
    fwrite("\x93NUMPY\1\0", 1, 8, f);
    fputc(n, f);
    fputc(0, f);
    fwrite(text, 1, (size_t)n, f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void same(const void *a, const void *b, int64_t count, size_t size) {
    assert_true(!a == !b);
    if (a && count) assert_memory_equal(a, b, (size_t)count * size);
}

/* Rows by that list from both: single ones, and runs that follow each other. */
static void compare_rows(gls_context *ctx, const gls_source *a, const gls_source *b, const int64_t *index,
                         int64_t count) {
    const gls_data_info *info = &a->info;
    gls_rows *rows[2];
    gls_batch x, y;
    gls_fetch fetch = {.count = count, .index = index};
    for (int k = 0; k < 2; k++) assert_int_equal(gls_rows_create(ctx, &(k ? b : a)->info, count, &rows[k]), GLS_OK);
    assert_int_equal(gls_source_fetch(a, ctx, &fetch, rows[0], &x), GLS_OK);
    if (gls_source_fetch(b, ctx, &fetch, rows[1], &y) != GLS_OK) fail_msg("%s", gls_context_message(ctx));
    same(x.x, y.x, count * info->features, sizeof *x.x);
    same(x.row, y.row, count + 1, sizeof *x.row);
    if (x.row) same(x.column, y.column, x.row[count], sizeof *x.column);
    if (x.row) same(x.value, y.value, x.row[count], sizeof *x.value);
    same(x.token, y.token, count * info->length, sizeof *x.token);
    same(x.document, y.document, count * info->length, sizeof *x.document);
    same(x.label, y.label, count * gls_data_labels(info), sizeof *x.label);
    same(x.y, y.y, count * info->targets, sizeof *x.y);
    same(x.mass, y.mass, count, sizeof *x.mass);
    for (int k = 0; k < 2; k++) gls_rows_destroy(rows[k]);
}

static void compare_info(const gls_data_info *a, const gls_data_info *b) {
    assert_int_equal(a->examples, b->examples);
    assert_int_equal(a->features, b->features);
    assert_int_equal(a->dims, b->dims);
    for (int i = 0; i < a->dims; i++) assert_int_equal(a->shape[i], b->shape[i]);
    assert_int_equal(a->sparse, b->sparse);
    assert_int_equal(a->target, b->target);
    assert_int_equal(a->targets, b->targets);
    assert_int_equal(a->classes, b->classes);
    assert_int_equal(a->length, b->length);
    assert_int_equal(a->vocabulary, b->vocabulary);
    assert_int_equal(a->streams, b->streams);
    assert_int_equal(a->documents, b->documents);
    assert_int_equal(a->separator, b->separator);
    assert_int_equal(!a->tokenizer, !b->tokenizer);
    assert_int_equal(!a->token_names, !b->token_names);
    for (int64_t k = 0; a->token_names && k < a->vocabulary; k++)
        assert_string_equal(a->token_names[k], b->token_names[k]);
    assert_int_equal(!a->class_names, !b->class_names);
    for (int64_t k = 0; a->class_names && k < a->classes; k++)
        assert_string_equal(a->class_names[k], b->class_names[k]);
}

static void compare(gls_context *ctx, const gls_source *a, const gls_source *b) {
    compare_info(&a->info, &b->info);
    int64_t n = a->info.examples, *index = calloc((size_t)n, sizeof *index);
    for (int64_t i = 0; i < n; i++) index[i] = i;
    gls_source_expect(b, 0, n, true);
    compare_rows(ctx, a, b, index, n);
    for (int64_t i = 0; i < n; i++) index[i] = (i / 3 * 7919 + i % 3) % n;
    gls_source_expect(b, 0, n, false);
    compare_rows(ctx, a, b, index, n < 2000 ? n : 2000);
    int32_t *label = calloc((size_t)(2 * n), sizeof *label);
    gls_real *y = calloc((size_t)(2 * n * (a->info.targets + 1)), sizeof *y);
    for (int k = 0; k < 2; k++)
        assert_int_equal(gls_source_targets(k ? b : a, ctx, label + k * n, y + k * n * a->info.targets), GLS_OK);
    assert_memory_equal(label, label + n, (size_t)n * sizeof *label);
    assert_memory_equal(y, y + n * a->info.targets, (size_t)(n * a->info.targets) * sizeof *y);
    free(label);
    free(y);
    free(index);
}

/* The same file in memory and on disk, as a training set and as another one that is like it. */
static void both_ways(gls_context *ctx, const char *format, const char *path, const char *options) {
    gls_source *in = open_ok(ctx, format, path, options);
    gls_source *on = open_within(ctx, format, path, options, GLS_PART_TRAIN, NULL, 1000);
    assert_non_null(on->ops->expect);
    assert_ptr_not_equal(on->ops, &gls_dense_ops);
    compare(ctx, in, on);
    gls_source *test = open_within(ctx, format, path, options, GLS_PART_TEST, &in->info, 1000);
    compare(ctx, in, test);
    gls_source *fits = open_within(ctx, format, path, options, GLS_PART_TRAIN, NULL, 1 << 30);
    assert_ptr_equal(fits->ops, in->ops);
    compare(ctx, in, fits);
    gls_source *all[] = {in, on, test, fits};
    for (int k = 0; k < 4; k++) gls_source_destroy(all[k]);
}

static void npy_rows(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    static double real[700 * 12];
    static float narrow[700 * 12];
    static int16_t integer[700 * 12];
    static uint8_t byte[700 * 12], label[700];
    for (int i = 0; i < 700 * 12; i++) {
        real[i] = narrow[i] = (float)(i * 37 % 1001) / 7 - 50;
        integer[i] = (int16_t)(i * 53 % 2000 - 1000);
        byte[i] = (uint8_t)(i * 29 % 256);
        label[i / 12] = (uint8_t)(i / 12 * 5 % 7);
    }
    const char *targets = in_folder(folder, "x-labels.npy"), *path = in_folder(folder, "x.npy");
    write_array(targets, "|u1", "(700,)", label, sizeof label);
    const struct {
        const char *descr;
        const void *data;
        size_t size;
    } kinds[] = {{"<f8", real, sizeof real},
                 {"<f4", narrow, sizeof narrow},
                 {"<i2", integer, sizeof integer},
                 {"|u1", byte, sizeof byte},
                 {">i2", integer, sizeof integer}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        write_array(path, kinds[k].descr, "(700, 3, 2, 2)", kinds[k].data, kinds[k].size);
        both_ways(ctx, "npy", path, NULL);
        both_ways(ctx, "npy", path, "{scale: 0.3}");
        both_ways(ctx, "npy", path, "{target: class}");
    }
    counting_end(&c, ctx);
}

static FILE *file_to_write(const char *path) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    return f;
}

static void libsvm_rows(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    const char *path = in_folder(folder, "big.svm");
    for (int from = 0; from < 2; from++) {
        FILE *f = file_to_write(path);
        for (int i = 0; i < ROWS; i++) {
            fprintf(f, "%d qid:%d", i % 5, i / 10);
            for (int k = 0; k < i % 17; k++) fprintf(f, " %d:%g", from + 3 * k + (i + k) % 3, 1 + i * 0.25 - k);
            fputs(i % 9 ? "\n" : " # note\n\n", f);
        }
        fclose(f);
        both_ways(ctx, "libsvm", path, from ? NULL : "{base: 0}");
        both_ways(ctx, "libsvm", path, "{base: auto, target: real}");
    }
    gls_source *on = open_within(ctx, "libsvm", path, NULL, GLS_PART_TRAIN, NULL, 1000);
    assert_int_equal(gls_source_column(on, "qid")[25], 2);
    gls_source_destroy(on);
    counting_end(&c, ctx);
}

static void tables(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    const char *path = in_folder(folder, "big.csv");
    FILE *f = file_to_write(path);
    fputs("a,colour,b,weight,class\n", f);
    for (int i = 0; i < 4 * ROWS; i++)
        fprintf(f, "%g,%s %d%s,%s,%d,%s\n", i * 0.125, i % 3 ? "red" : "\"blue,", i % 4, i % 3 ? "" : "\"",
                i % 11 ? "7.5" : "", 1 + i % 4, i % 2 ? "yes" : "no");
    fclose(f);
    both_ways(ctx, "csv", path, "{target: class, weight: weight, fill: mean}");
    both_ways(ctx, "csv", path, "{target: a, fill: zero, ignore: [class]}");
    gls_source *on = open_within(ctx, "csv", path, "{target: a, fill: zero}", GLS_PART_TRAIN, NULL, 1000);
    gls_csv_source *table = (gls_csv_source *)on;
    assert_non_null(table->file);
    assert_true(table->blocks == 1 && table->kept > 3);
    gls_source_destroy(on);
    counting_end(&c, ctx);
}

static void texts(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    const char *path = in_folder(folder, "big.txt");
    FILE *f = file_to_write(path);
    for (int i = 0; i < 20000; i++)
        fprintf(f, "w%d x%d \xc3\xa4 w%d%s", i % 97, i % 1009, i * 31 % 97, i % 4 ? " " : "\n");
    fclose(f);
    both_ways(ctx, "text", path, "{length: 35}");
    both_ways(ctx, "text", path, "{length: 20, vocabulary: 50, streams: 7}");
    both_ways(ctx, "text", path, "{unit: char, length: 64}");
    both_ways(ctx, "text", path, "{unit: byte, length: 100}");
    static char text[60001];
    for (int i = 0; i < 60000; i++) text[i] = (char)(' ' + i * 7 % 90 + (i % 11 == 0));
    const char *packed = in_folder(folder, "packed.txt.gz"), *plain = in_folder(folder, "packed.txt");
    write_text(plain, text);
    pack(plain);
    both_ways(ctx, "text", packed, "{unit: byte, length: 100}");
    counting_end(&c, ctx);
}

static void refused_within(gls_context *ctx, const char *format, const char *path, const char *options,
                           const char *says) {
    gls_bound bound = {.left = 10, .scratch = folder};
    gls_source *source;
    gls_source_bound(ctx, &bound);
    assert_int_equal(open_status(ctx, format, path, options, GLS_PART_TRAIN, NULL, &source), GLS_ERR_INPUT);
    gls_source_bound(ctx, NULL);
    if (!strstr(gls_context_message(ctx), says)) fail_msg("%s", gls_context_message(ctx));
}

/* What fits as tokens need not fit as rows: with this bound padding alone sends it to a file. */
static void padded_ways(gls_context *ctx, const char *path, const char *options, int64_t tokens) {
    both_ways(ctx, "text", path, options);
    gls_source *in = open_ok(ctx, "text", path, options);
    gls_source *on = open_within(ctx, "text", path, options, GLS_PART_TRAIN, NULL, 4 * tokens);
    if (in->info.examples * in->info.length * 2 > tokens) assert_ptr_not_equal(in->ops, on->ops);
    compare(ctx, in, on);
    gls_source_destroy(in);
    gls_source_destroy(on);
}

/* Lines of 1 to 40 words, some of them blank, the last one without an end. */
static void rows_of_lines(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char options[1400];
    const char *path = in_folder(folder, "lines-of.txt");
    FILE *f = file_to_write(path);
    fputs("\n\n", f);
    for (int i = 0; i < 5000; i++) {
        for (int k = 0; k <= i * 7 % 40; k++) fprintf(f, "w%d ", (i * 31 + k * k) % 211);
        fputs(i % 10 == 3 ? "\n\n \n" : i < 4999 ? "\n" : "", f);
    }
    fclose(f);
    padded_ways(ctx, path, "{rows: lines, length: 41}", 1 << 18);
    padded_ways(ctx, path, "{rows: packed, length: 64, vocabulary: 100}", 1 << 18);
    padded_ways(ctx, path, "{unit: char, rows: packed, length: 256}", 1 << 20);
    padded_ways(ctx, path, "{unit: byte, rows: lines, length: 250}", 1 << 20);
    snprintf(options, sizeof options,
             "{unit: subword, tokenizer: '%s/tokenizer/bytes.json', length: 512, rows: packed, end: '<|end|>'}",
             CORPUS);
    padded_ways(ctx, path, options, 1 << 20);
    refused_within(ctx, "text", path, "{rows: lines, length: 40}", "lines-of.txt:24: a line of 40 tokens");
    write_text(in_folder(folder, "blank.txt"), "\n\n\n\n\n\n\n\n\n\n");
    refused_within(ctx, "text", in_folder(folder, "blank.txt"), "{rows: lines, length: 8}", "at least one line");
    counting_end(&c, ctx);
}

/* Records of an answer or class and two texts, the second of which holds the answer. */
static void labelled_rows(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char options[1400];
    const char *path = in_folder(folder, "records.tsv");
    FILE *f = file_to_write(path);
    for (int i = 0; i < 3000; i++) {
        fprintf(f, "a%d\tq%d who %s\t", i % 5, i % 17, i % 3 ? "is it" : "");
        for (int k = 0; k <= i % 23; k++) fprintf(f, "t%d ", (i + 3 * k) % 97);
        fprintf(f, "a%d end%s\n", i % 5, i % 4 ? " of the text" : "");
    }
    fclose(f);
    padded_ways(ctx, path, "{rows: labelled, length: 16}", 1 << 16);
    padded_ways(ctx, path, "{rows: labelled, texts: [2, 3], length: 14, long: cut, vocabulary: 60}", 1 << 16);
    padded_ways(ctx, path, "{unit: char, rows: labelled, texts: [3], length: 200, min_count: 3}", 1 << 19);
    padded_ways(ctx, path, "{rows: spans, texts: [2, 3], length: 48}", 1 << 16);
    snprintf(options, sizeof options,
             "{rows: spans, unit: subword, tokenizer: '%s/tokenizer/bytes.json', texts: [2, 3], length: 160}", CORPUS);
    padded_ways(ctx, path, options, 1 << 18);
    refused_within(ctx, "text", path, "{rows: labelled, texts: [2, 3], length: 14}",
                   "records.tsv:3: 15 tokens, 3 of them around");
    refused_within(ctx, "text", path, "{rows: spans, texts: [2, 3], length: 24, long: cut}",
                   "the answer is in the part");
    gls_source *in = open_ok(ctx, "text", path, "{rows: labelled, texts: [2, 3], length: 48}");
    gls_bound bound = {.left = 1000, .scratch = folder};
    gls_source *bare[2];
    for (int k = 0; k < 2; k++) {
        gls_source_bound(ctx, k ? &bound : NULL);
        assert_int_equal(open_status(ctx, "text", path, "{rows: labelled, texts: [2, 3], length: 48}", GLS_PART_ROWS,
                                     &in->info, &bare[k]),
                         GLS_OK);
    }
    gls_source_bound(ctx, NULL);
    assert_ptr_not_equal(bare[0]->ops, bare[1]->ops);
    compare(ctx, bare[0], bare[1]);
    gls_source_destroy(in);
    for (int k = 0; k < 2; k++) gls_source_destroy(bare[k]);
    counting_end(&c, ctx);
}

static void pictures(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char line[2200], name[64], path[1024];
    strcpy(path, in_folder(folder, "pictures"));
    snprintf(line, sizeof line, "mkdir -p %s/cat %s/dog", path, path);
    assert_int_equal(system(line), 0);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "pictures/%s/%02d.png", i % 2 ? "cat" : "dog", i);
        write_png(in_folder(folder, name), 9, 7, true, i);
    }
    both_ways(ctx, "images", path, NULL);
    counting_end(&c, ctx);
}

/* Drawn as they are wanted, the images are the same. */
static void glyphs(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_source *in = open_ok(ctx, "glyphs", NULL, "{train_size: 300}");
    gls_source *on = open_within(ctx, "glyphs", NULL, "{train_size: 300}", GLS_PART_TRAIN, NULL, 1000);
    assert_ptr_not_equal(in->ops, on->ops);
    compare(ctx, in, on);
    gls_source_destroy(in);
    gls_source_destroy(on);
    counting_end(&c, ctx);
}

static void what_cannot_stay_is_refused(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    double value[6] = {1, 2, 3, 4, 5, 6};
    const char *path = in_folder(folder, "f.npy");
    write_npy(path, "<f8", true, "(3, 2)", value, sizeof value);
    refused_within(ctx, "npy", path, NULL, "Fortran");
    write_npy(path, "<f8", false, "(3, 2)", value, sizeof value);
    pack(path);
    char packed[1100];
    snprintf(packed, sizeof packed, "%s.gz", path);
    refused_within(ctx, "npy", packed, NULL, "unpack it");
    const char *lines = in_folder(folder, "lines.txt");
    char options[1400];
    write_text(lines, "a b c\nd e f\n");
    snprintf(options, sizeof options, "{unit: subword, tokenizer: '%s/tokenizer/bytes.json', length: 4}", CORPUS);
    refused_within(ctx, "text", lines, options, "only with `end`");
    write_bytes(in_folder(folder, "t-images-idx3-ubyte"), idx_images, sizeof idx_images);
    write_bytes(in_folder(folder, "t-labels-idx1-ubyte"), idx_labels, sizeof idx_labels);
    refused_within(ctx, "idx", in_folder(folder, "t-images-idx3-ubyte"), NULL, "held in memory");
    refused_within(ctx, "gaussians", NULL, "{train_size: 100}", "made in memory");
    gls_bound nowhere = {.left = 10, .scratch = "/nowhere/at/all"};
    gls_source *source;
    gls_source_bound(ctx, &nowhere);
    assert_int_equal(open_status(ctx, "libsvm", in_folder(folder, "big.svm"), NULL, GLS_PART_TRAIN, NULL, &source),
                     GLS_ERR_FILE);
    assert_non_null(strstr(gls_context_message(ctx), "data.scratch"));
    gls_source_bound(ctx, NULL);
    counting_end(&c, ctx);
}

static gls_status fetch_one(gls_context *ctx, const gls_source *source, int64_t row) {
    gls_rows *rows;
    gls_batch batch;
    gls_fetch fetch = {.count = 1, .index = &row};
    assert_int_equal(gls_rows_create(ctx, &source->info, 1, &rows), GLS_OK);
    gls_status status = gls_source_fetch(source, ctx, &fetch, rows, &batch);
    gls_rows_destroy(rows);
    return status;
}

static void changes_are_noticed(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static float value[1000 * 3];
    const char *path = in_folder(folder, "c.npy");
    value[300 * 3 + 1] = NAN;
    write_array(path, "<f4", "(1000, 3)", value, sizeof value);
    gls_source *source = open_within(ctx, "npy", path, NULL, GLS_PART_TRAIN, NULL, 10);
    assert_int_equal(fetch_one(ctx, source, 299), GLS_OK);
    assert_int_equal(fetch_one(ctx, source, 300), GLS_ERR_INPUT);
    assert_non_null(strstr(gls_context_message(ctx), "row 300: the value at [1] is nan, which is not finite"));
    struct timespec later[2] = {{.tv_sec = 4000000000}, {.tv_sec = 4000000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, later, 0), 0);
    assert_int_equal(fetch_one(ctx, source, 1), GLS_ERR_INPUT);
    assert_non_null(strstr(gls_context_message(ctx), "was changed while its rows were in use"));
    gls_source_destroy(source);
    write_array(path, "<f4", "(1000, 3)", value, sizeof value);
    source = open_within(ctx, "npy", path, NULL, GLS_PART_TRAIN, NULL, 10);
    assert_int_equal(truncate(path, 6000), 0);
    assert_int_equal(fetch_one(ctx, source, 999), GLS_ERR_INPUT);
    assert_non_null(strstr(gls_context_message(ctx), "6000 bytes"));
    gls_source_destroy(source);
    gls_bound bound = {.left = 10};
    gls_source_bound(ctx, &bound);
    assert_int_equal(open_status(ctx, "npy", path, NULL, GLS_PART_TRAIN, NULL, &source), GLS_ERR_INPUT);
    assert_non_null(strstr(gls_context_message(ctx), "expected 12"));
    gls_source_bound(ctx, NULL);
    counting_end(&c, ctx);
}

/* Two sets share the bound: what the first one holds is gone for the second. */
static void sets_share_the_bound(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static float value[1000];
    const char *path = in_folder(folder, "s.npy");
    write_array(path, "<f4", "(100, 10)", value, sizeof value);
    gls_source *source[2];
    gls_bound bound = {.left = 150 * 10 * (int64_t)sizeof(gls_real)};
    gls_source_bound(ctx, &bound);
    for (int k = 0; k < 2; k++)
        assert_int_equal(open_status(ctx, "npy", path, NULL, GLS_PART_TRAIN, NULL, &source[k]), GLS_OK);
    gls_source_bound(ctx, NULL);
    assert_ptr_equal(source[0]->ops, &gls_dense_ops);
    assert_ptr_not_equal(source[1]->ops, &gls_dense_ops);
    for (int k = 0; k < 2; k++) gls_source_destroy(source[k]);
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_rows),
        cmocka_unit_test(libsvm_rows),
        cmocka_unit_test(tables),
        cmocka_unit_test(texts),
        cmocka_unit_test(rows_of_lines),
        cmocka_unit_test(labelled_rows),
        cmocka_unit_test(pictures),
        cmocka_unit_test(glyphs),
        cmocka_unit_test(what_cannot_stay_is_refused),
        cmocka_unit_test(changes_are_noticed),
        cmocka_unit_test(sets_share_the_bound),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
