#include "format_files.h"

#include <lzma.h>
#include <png.h>
#include <sys/stat.h>
#include <zlib.h>

char folder[512];

const char *const libsvm_text = "+1 1:0.5 3:-2e-1\n-1 2:1\n# a remark\n\n-1 1:3 4:7 # end\n+1\n";
const unsigned char idx_images[28] = {0, 0, 8, 3,  0,   0,   0,   2,   0,   0, 0, 2, 0, 0,
                                      0, 3, 0, 51, 102, 153, 204, 255, 255, 1, 2, 3, 4, 5};
const unsigned char idx_labels[10] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 0};

void write_png(const char *path, int width, int height, bool colour, int seed) {
    unsigned char pixel[3 * 64];
    for (int i = 0; i < width * height * (colour ? 3 : 1); i++) pixel[i] = (unsigned char)(i * 37 + seed);
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (unsigned)width,
                       .height = (unsigned)height,
                       .format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY};
    assert_true(png_image_write_to_file(&image, path, 0, pixel, 0, NULL));
}

void write_npy(const char *path, const char *descr, bool fortran, const char *shape, const void *data, size_t size) {
    char text[1024];
    memcpy(text, "\x93NUMPY\1\0", 8);
    int n = snprintf(text + 10, 500, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }", descr,
                     fortran ? "True" : "False", shape);
    text[10 + n++] = '\n';
    text[8] = (char)n;
    text[9] = (char)(n >> 8);
    memcpy(text + 10 + n, data, size);
    write_bytes(path, text, 10 + (size_t)n + size);
}

void write_cifar(const char *path, int records) {
    unsigned char *data = malloc((size_t)records * 3073);
    for (int i = 0; i < records * 3073; i++) data[i] = (unsigned char)(i % 3073 ? i * 31 : i / 3073 % 10);
    write_bytes(path, data, (size_t)records * 3073);
    free(data);
}

/* The same bytes packed as .gz and .xz. */
void pack(const char *path) {
    static unsigned char data[1 << 16], packed[1 << 17];
    char name[1100];
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(data, 1, sizeof data, f), used = 0;
    fclose(f);
    snprintf(name, sizeof name, "%s.gz", path);
    gzFile gz = gzopen(name, "wb");
    assert_int_equal(gzwrite(gz, data, (unsigned)n), n);
    gzclose(gz);
    snprintf(name, sizeof name, "%s.xz", path);
    assert_int_equal(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, data, n, packed, &used, sizeof packed),
                     LZMA_OK);
    write_bytes(name, packed, used);
}

void refused(gls_context *ctx, const char *format, const char *path, const char *options, gls_status expected,
             const char *says) {
    gls_source *source;
    gls_status status = open_status(ctx, format, path, options, GLS_PART_TRAIN, NULL, &source);
    if (status != expected) fail_msg("%s: status %d, message %s", path, status, gls_context_message(ctx));
    assert_null(source);
    assert_says(ctx, says);
}

int make_files(void **state) {
    snprintf(folder, sizeof folder, "%s", scratch_directory());
    const float x[6] = {1, 2, 3, 4, 5, 6};
    const int32_t y[2] = {7, 3};
    mkdir(in_folder(folder, "png"), 0700);
    mkdir(in_folder(folder, "batches"), 0700);
    write_text(in_folder(folder, "a"), libsvm_text);
    write_text(in_folder(folder, "t.csv"), "a,city,y\n1,Rome,no\n2.5,\"New, York\",yes\n3,Rome,yes\n");
    write_bytes(in_folder(folder, "a-images-idx3-ubyte"), idx_images, sizeof idx_images);
    write_bytes(in_folder(folder, "a-labels-idx1-ubyte"), idx_labels, sizeof idx_labels);
    write_npy(in_folder(folder, "x.npy"), "<f4", false, "(2, 3)", x, sizeof x);
    write_npy(in_folder(folder, "x-labels.npy"), "<i4", false, "(2,)", y, sizeof y);
    write_cifar(in_folder(folder, "c.bin"), 2);
    write_cifar(in_folder(folder, "batches/data_batch_1.bin"), 3);
    write_cifar(in_folder(folder, "batches/data_batch_3.bin"), 2);
    write_cifar(in_folder(folder, "batches/test_batch.bin"), 4);
    pack(in_folder(folder, "batches/data_batch_1.bin"));
    unlink(in_folder(folder, "batches/data_batch_1.bin"));
    unlink(in_folder(folder, "batches/data_batch_1.bin.gz"));
    write_text(in_folder(folder, "batches/batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
    write_png(in_folder(folder, "png/one.png"), 4, 3, true, 1);
    write_png(in_folder(folder, "png/two.png"), 4, 3, true, 2);
    write_text(in_folder(folder, "png/labels.txt"), "one.png dog\ntwo.png  cat\n\none.png dog\n");
    return 0;
}

int remove_files(void **state) {
    remove_folder(folder);
    return 0;
}
