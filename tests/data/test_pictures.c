/* Pictures: the samples of every PNG colour type and depth as they were stored, JPEG, channels, sizes, class folders,
 * crops; and all of it against Pillow where that is. */
#include "format_files.h"
#include "data/picture.h"

#include <jpeglib.h>
#include <png.h>
#include <sys/stat.h>
#include <unistd.h>

enum { W = 11, H = 7 };

typedef struct made {
    int type, depth;
    bool transparent, interlaced, gamma;
    unsigned char line[H][W * 8];
    uint16_t expected[W * H * 4];
    int channels, most;
} made;

static const png_color palette[16] = {
    {1, 2, 3},    {250, 9, 77}, {0, 0, 0},    {255, 255, 255}, {8, 80, 200}, {3, 1, 4},    {15, 92, 65}, {35, 89, 79},
    {32, 38, 46}, {26, 43, 38}, {32, 79, 50}, {28, 84, 19},    {71, 69, 39}, {93, 75, 10}, {58, 20, 97}, {49, 44, 59}};

static int channels_of(int type) {
    return type == PNG_COLOR_TYPE_RGB          ? 3
           : type == PNG_COLOR_TYPE_RGB_ALPHA  ? 4
           : type == PNG_COLOR_TYPE_GRAY_ALPHA ? 2
                                               : 1;
}

/* What the stored samples s of pixel i mean, by the format's specification alone. */
static void expect(made *m, int i, const unsigned *s) {
    int own = channels_of(m->type), n = 0;
    uint16_t *to = m->expected + (size_t)i * (size_t)m->channels;
    unsigned top = (1U << m->depth) - 1;
    if (m->type == PNG_COLOR_TYPE_PALETTE) {
        const png_color *c = &palette[s[0]];
        to[n++] = c->red, to[n++] = c->green, to[n++] = c->blue;
        if (m->transparent) to[n] = s[0] == 1 ? 100 : 255;
        return;
    }
    for (; n < own; n++) to[n] = (uint16_t)(m->depth < 8 ? s[n] * 255 / top : s[n]);
    bool hit = true; /* the transparent colour is all ones */
    for (int c = 0; c < own; c++) hit &= s[c] == 1;
    if (m->transparent) to[n] = (uint16_t)(hit ? 0 : m->most);
}

static void draw(made *m) {
    gls_random random = gls_random_create(5, "png", (uint64_t)(m->type * 64 + m->depth), 0);
    int own = channels_of(m->type);
    m->most = m->depth == 16 ? 65535 : 255;
    m->channels = (m->type == PNG_COLOR_TYPE_PALETTE ? 3 : own) + m->transparent;
    memset(m->line, 0, sizeof m->line);
    for (int i = 0; i < W * H; i++) {
        unsigned s[4];
        for (int c = 0; c < own; c++) {
            s[c] = (unsigned)gls_random_below(&random,
                                              m->depth > 3 && m->type == PNG_COLOR_TYPE_PALETTE ? 16 : 1 << m->depth);
            if (i % 5 == 0) s[c] = 1;
            int x = (i % W) * own + c;
            unsigned char *line = m->line[i / W];
            if (m->depth == 16)
                line[2 * x] = (unsigned char)(s[c] >> 8), line[2 * x + 1] = (unsigned char)s[c];
            else
                line[x * m->depth / 8] |= (unsigned char)(s[c] << (8 - m->depth - x * m->depth % 8));
        }
        expect(m, i, s);
    }
}

static void save(made *m, const char *path) {
    FILE *f = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_bytep lines[H];
    for (int y = 0; y < H; y++) lines[y] = m->line[y];
    png_init_io(png, f);
    png_set_IHDR(png, info, W, H, m->depth, m->type, m->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (m->gamma) png_set_gAMA_fixed(png, info, 100000); /* linear light, to be ignored */
    if (m->type == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, m->depth > 3 ? 16 : 1 << m->depth);
    png_byte alpha[2] = {255, 100};
    png_color_16 colour = {.red = 1, .green = 1, .blue = 1, .gray = 1};
    if (m->transparent) png_set_tRNS(png, info, alpha, 2, &colour);
    png_write_info(png, info);
    png_write_image(png, lines);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(f);
}

static gls_status decode(gls_context *ctx, const char *path, gls_picture *out) {
    static unsigned char data[1 << 16];
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(data, 1, sizeof data, f);
    fclose(f);
    return gls_picture_decode(ctx, path, data, (int64_t)n, out);
}

static void dump(gls_context *ctx, const gls_picture *p, const char *path) {
    char name[1100];
    gls_real *planes, small[25];
    int channels;
    snprintf(name, sizeof name, "%.*s.dump", (int)strlen(path) - 4, path);
    FILE *f = fopen(name, "w");
    fprintf(f, "%d %d %d %d", (int)p->width, (int)p->height, p->channels, p->most);
    for (int i = 0; i < W * H * p->channels; i++) fprintf(f, " %d", p->sample[i]);
    fclose(f);
    if (p->channels != 3 && p->channels != 1) return;
    snprintf(name, sizeof name, "%.*s.luma", (int)strlen(path) - 4, path);
    f = fopen(name, "w");
    assert_int_equal(gls_picture_planes(ctx, path, p, 1, false, &planes, &channels), GLS_OK);
    for (int i = 0; i < W * H; i++) fprintf(f, "%d ", (int)planes[i]);
    fclose(f);
    if (p->most == 255) {
        snprintf(name, sizeof name, "%.*s.small", (int)strlen(path) - 4, path);
        f = fopen(name, "w");
        assert_int_equal(gls_picture_scale(ctx, planes, H, W, gls_picture_middle(H, W), 5, small), GLS_OK);
        fprintf(f, "5");
        for (int i = 0; i < 25; i++) fprintf(f, " %.6f", (double)small[i]);
        fclose(f);
    }
    gls_free(ctx, planes);
}

static void png_samples_are_exact(void **state) {
    static const int kinds[][2] = {{0, 1}, {0, 2}, {0, 4},  {0, 8}, {0, 16}, {3, 1}, {3, 2}, {3, 4},
                                   {3, 8}, {2, 8}, {2, 16}, {4, 8}, {4, 16}, {6, 8}, {6, 16}};
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (int k = 0; k < 15; k++)
        for (int v = 0; v < 4; v++) {
            made m = {.type = kinds[k][0], .depth = kinds[k][1], .interlaced = v & 1, .gamma = true};
            m.transparent = v & 2 && m.type < 4;
            char path[1100];
            snprintf(path, sizeof path, "%s/p%d-%d-%d.png", folder, m.type, m.depth, v);
            draw(&m);
            save(&m, path);
            gls_picture p;
            if (decode(ctx, path, &p)) fail_msg("%s", gls_context_message(ctx));
            assert_int_equal(p.width, W);
            assert_int_equal(p.height, H);
            assert_int_equal(p.channels, m.channels);
            assert_int_equal(p.most, m.most);
            for (int i = 0; i < W * H * p.channels; i++)
                if (p.sample[i] != m.expected[i])
                    fail_msg("%s: sample %d is %d, stored was %d", path, i, p.sample[i], m.expected[i]);
            dump(ctx, &p, path);
            gls_free(ctx, p.sample);
        }
    counting_end(&c, ctx);
}

static bool script(const char *argument) {
    char command[1400], path[512];
    snprintf(path, sizeof path, "%s", __FILE__);
    snprintf(strrchr(path, '/') ? strrchr(path, '/') + 1 : path, 32, "picture_compare.py");
    if (access(path, R_OK) != 0) return false;
    snprintf(command, sizeof command, "python3 %s %s %s", path, folder, argument);
    int status = system(command);
    if (status == 77 << 8 || status == 127 << 8) return false;
    assert_int_equal(status, 0);
    return true;
}

/* Runs behind png_samples_are_exact, whose files it takes. */
static void pillow_sees_the_same(void **state) {
    if (!script("")) skip();
}

static void jpeg_is_pillows(void **state) {
    static const char *const names[] = {"grey", "colour", "progressive", "full"};
    if (!script("write")) skip();
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    for (int k = 0; k < 4; k++) {
        char name[32];
        gls_picture p;
        int value[4];
        snprintf(name, sizeof name, "%s.jpg", names[k]);
        if (decode(ctx, in_folder(folder, name), &p)) fail_msg("%s", gls_context_message(ctx));
        snprintf(name, sizeof name, "%s.dump", names[k]);
        FILE *f = fopen(in_folder(folder, name), "r");
        assert_int_equal(fscanf(f, "%d %d %d %d", value, value + 1, value + 2, value + 3), 4);
        assert_true(p.width == value[0] && p.height == value[1] && p.channels == value[2] && p.most == value[3]);
        for (int i = 0; i < p.width * p.height * p.channels; i++) {
            assert_int_equal(fscanf(f, "%d", value), 1);
            if (abs(value[0] - p.sample[i]) > 1)
                fail_msg("%s: sample %d is %d, Pillow has %d", names[k], i, p.sample[i], value[0]);
        }
        fclose(f);
        gls_free(ctx, p.sample);
    }
    counting_end(&c, ctx);
}

static void write_jpeg(const char *path, int width, int height, int value) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char line[256];
    memset(line, value, sizeof line);
    FILE *f = fopen(path, "wb");
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, f);
    jpeg.image_width = (unsigned)width;
    jpeg.image_height = (unsigned)height;
    jpeg.input_components = 1;
    jpeg.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    JSAMPROW lines[] = {line};
    for (int y = 0; y < height; y++) jpeg_write_scanlines(&jpeg, lines, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(f);
}

/* A progressive JPEG whose first scan comes `more` times again. */
static int64_t many_scans(int more, unsigned char *to) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char line[W], *data = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &data, &size);
    jpeg.image_width = W;
    jpeg.image_height = H;
    jpeg.input_components = 1;
    jpeg.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&jpeg);
    jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    JSAMPROW lines[] = {line};
    for (int y = 0; y < H; y++) {
        memset(line, 30 * y, sizeof line);
        jpeg_write_scanlines(&jpeg, lines, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    size_t scan = 0, end, used;
    while (data[scan] != 0xff || data[scan + 1] != 0xda) scan++;
    for (end = scan + 2; data[end] != 0xff || data[end + 1] == 0;) end++; /* the next marker */
    memcpy(to, data, used = end);
    for (int k = 0; k < more; k++, used += end - scan) memcpy(to + used, data + scan, end - scan);
    memcpy(to + used, data + end, size - end);
    used += size - end;
    free(data);
    return (int64_t)used;
}

/* A few KiB would else have thousands of passes made over a picture. */
static void scans_are_counted(void **state) {
    static unsigned char bytes[1 << 16];
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_picture p;
    if (gls_picture_decode(ctx, "few", bytes, many_scans(20, bytes), &p)) fail_msg("%s", gls_context_message(ctx));
    assert_true(p.width == W && p.height == H && p.channels == 1 && p.sample[0] < 4);
    gls_free(ctx, p.sample);
    assert_int_equal(gls_picture_decode(ctx, "many", bytes, many_scans(200, bytes), &p), GLS_ERR_INPUT);
    assert_says(ctx, "many: not a readable JPEG (more than 100 scans)");
    counting_end(&c, ctx);
}

/* Folders are classes; pictures of other sizes need `size`; other sets take the training set's classes. */
static void class_folders(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static const char *const folders[] = {"k", "k/dog", "k/cat", "t", "t/dog"};
    for (int k = 0; k < 5; k++) mkdir(in_folder(folder, folders[k]), 0700);
    write_jpeg(in_folder(folder, "k/dog/b.JPG"), 20, 12, 200);
    write_jpeg(in_folder(folder, "k/dog/a.jpeg"), 12, 12, 100);
    write_jpeg(in_folder(folder, "k/cat/x.jpg"), 12, 30, 51);
    write_jpeg(in_folder(folder, "t/dog/1.jpg"), 12, 12, 10);
    write_text(in_folder(folder, "k/cat/notes.txt"), "not a picture");
    gls_source *s, *t;
    assert_int_equal(open_status(ctx, "images", in_folder(folder, "k"), NULL, GLS_PART_TRAIN, NULL, &s), GLS_ERR_INPUT);
    assert_says(ctx, "k/dog/a.jpeg: 12 x 12 pixels, but the first image has 12 x 30; option size");
    s = open_ok(ctx, "images", in_folder(folder, "k"), "{size: 6}");
    assert_int_equal(s->info.classes, 2);
    assert_string_equal(s->info.class_names[0], "cat");
    assert_int_equal(s->info.shape[0], 1);
    gls_rows *rows;
    gls_batch b = whole(ctx, s, &rows);
    assert_true(b.rows == 3 && b.features == 36 && b.label[0] == 0 && b.label[1] == 1 && b.label[2] == 1);
    static const int grey[] = {51, 100, 200};
    for (int i = 0; i < 3 * 36; i++) assert_true(fabs((double)b.x[i] * 255 - grey[i / 36]) < 1.5);
    gls_rows_destroy(rows);
    if (open_status(ctx, "images", in_folder(folder, "t"), "{size: 6}", GLS_PART_TEST, &s->info, &t))
        fail_msg("%s", gls_context_message(ctx));
    int32_t label;
    assert_int_equal(gls_source_targets(t, ctx, &label, NULL), GLS_OK);
    assert_int_equal(label, 1);
    gls_source_destroy(t);
    if (open_status(ctx, "images", in_folder(folder, "t/dog"), "{size: 6}", GLS_PART_ROWS, &s->info, &t))
        fail_msg("%s", gls_context_message(ctx));
    assert_int_equal(t->info.examples, 1);
    gls_source_destroy(t);
    gls_source_destroy(s);
    mkdir(in_folder(folder, "none"), 0700);
    assert_int_equal(open_status(ctx, "images", in_folder(folder, "none"), NULL, GLS_PART_TRAIN, NULL, &s),
                     GLS_ERR_INPUT);
    assert_says(ctx, "none: no images; expected a file labels.txt");
    counting_end(&c, ctx);
}

/* Transparency is refused unless it becomes a channel; opaque alpha is nothing; 16 bits keep theirs beside 8. */
static void alpha_and_depth(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    mkdir(in_folder(folder, "al"), 0700);
    made m = {.type = PNG_COLOR_TYPE_GRAY_ALPHA, .depth = 8}, wide = {.type = PNG_COLOR_TYPE_GRAY, .depth = 16};
    draw(&m);
    save(&m, in_folder(folder, "al/1.png"));
    write_text(in_folder(folder, "al/labels.txt"), "1.png x\n");
    gls_source *s;
    assert_int_equal(open_status(ctx, "images", in_folder(folder, "al"), NULL, GLS_PART_TRAIN, NULL, &s),
                     GLS_ERR_INPUT);
    assert_says(ctx, "1.png: the pixel at (0, 0) is transparent; alpha: channel");
    s = open_ok(ctx, "images", in_folder(folder, "al"), "{alpha: channel}");
    gls_rows *rows;
    gls_batch b = whole(ctx, s, &rows);
    assert_int_equal(s->info.shape[0], 2);
    for (int i = 0; i < W * H; i++)
        for (int k = 0; k < 2; k++)
            assert_true(b.x[k * W * H + i] == (gls_real)m.expected[2 * i + k] * (gls_real)(1.0 / 255));
    gls_rows_destroy(rows);
    gls_source_destroy(s);
    for (int i = 0; i < W * H; i++) m.line[i / W][i % W * 2 + 1] = 255;
    save(&m, in_folder(folder, "al/1.png"));
    draw(&wide);
    save(&wide, in_folder(folder, "al/2.png"));
    write_text(in_folder(folder, "al/labels.txt"), "1.png x\n2.png y\n");
    s = open_ok(ctx, "images", in_folder(folder, "al"), NULL);
    b = whole(ctx, s, &rows);
    for (int i = 0; i < W * H; i++) {
        assert_true(b.x[i] == (gls_real)m.expected[2 * i] * (gls_real)(1.0 / 255));
        assert_true(b.x[W * H + i] == (gls_real)(wide.expected[i] / 65535.0));
    }
    gls_rows_destroy(rows);
    gls_source_destroy(s);
    counting_end(&c, ctx);
}

static void broken_pictures_are_refused(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    static unsigned char data[1 << 14];
    static const char *const names[] = {"whole.jpg", "whole.png"};
    made m = {.type = PNG_COLOR_TYPE_RGB, .depth = 8};
    draw(&m);
    save(&m, in_folder(folder, "whole.png"));
    write_jpeg(in_folder(folder, "whole.jpg"), 200, 100, 77);
    for (int k = 0; k < 2; k++) {
        FILE *f = fopen(in_folder(folder, names[k]), "rb");
        size_t n = fread(data, 1, sizeof data, f);
        fclose(f);
        for (size_t cut = 0; cut + 12 < n; cut += 1 + n / 80) {
            gls_picture p;
            assert_int_equal(gls_picture_decode(ctx, names[k], data, (int64_t)cut, &p), GLS_ERR_INPUT);
            assert_says(ctx, names[k]);
            assert_null(p.sample);
        }
    }
    counting_end(&c, ctx);
}

/* ---- crops ---- */

enum { S = 6 };

static gls_batch fetch_one(gls_context *ctx, const gls_source *s, gls_rows *rows, uint64_t draw, bool augment) {
    static const int64_t index[1] = {0};
    gls_fetch fetch = {.count = 1, .index = index, .draw = draw, .seed = 3, .augment = augment};
    gls_batch b;
    assert_int_equal(gls_source_fetch(s, ctx, &fetch, rows, &b), GLS_OK);
    return b;
}

/* An image whose pixels are their places: where a crop begins is its first pixel, and the rest must follow. */
static void crops_are_parts_of_the_image(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_real x[2 * S * S];
    int32_t label[1] = {0};
    for (int i = 0; i < 2 * S * S; i++) x[i] = (gls_real)i;
    gls_data_info info = {
        .examples = 1, .features = 2 * S * S, .dims = 3, .shape = {2, S, S}, .target = GLS_TARGET_CLASS, .classes = 1};
    gls_source *raw;
    assert_int_equal(gls_source_from_dense(ctx, x, label, NULL, &info, &raw), GLS_OK);
    gls_source *s = transformed(ctx, raw, "[{random_crop: 4}]", 1, NULL);
    assert_true(s->info.features == 32 && s->info.shape[2] == 4);
    gls_rows *rows;
    assert_int_equal(gls_rows_create(ctx, &s->info, 1, &rows), GLS_OK);
    int seen[9] = {0};
    for (int draw = -1; draw < 200; draw++) {
        gls_batch b = fetch_one(ctx, s, rows, (uint64_t)(draw + 1), draw >= 0);
        int top = (int)b.x[0] / S, left = (int)b.x[0] % S;
        assert_true(top < 3 && left < 3);
        if (draw < 0)
            assert_true(top == 1 && left == 1);
        else
            seen[top * 3 + left]++;
        for (int k = 0; k < 32; k++)
            assert_true(b.x[k] == (gls_real)(k / 16 * S * S + (top + k / 4 % 4) * S + left + k % 4));
    }
    for (int k = 0; k < 9; k++) assert_true(seen[k] > 5);
    gls_rows_destroy(rows);
    gls_source_destroy(s);
    assert_int_equal(gls_source_from_dense(ctx, x, label, NULL, &info, &raw), GLS_OK);
    s = transformed(ctx, raw, "[{random_crop: {size: 3, area: 1}}]", 1, NULL);
    assert_int_equal(gls_rows_create(ctx, &s->info, 1, &rows), GLS_OK);
    gls_batch b = fetch_one(ctx, s, rows, 1, true);
    for (int k = 0; k < 18; k++) { /* the whole image at half its size: inner pixels are means with weights 1 3 3 1 */
        double middle = k / 9 * S * S + (k / 3 % 3 * 2 + 0.5) * S + k % 3 * 2 + 0.5;
        if (k % 9 == 4) assert_true(fabs((double)b.x[k] - middle) < 1e-5);
    }
    gls_rows_destroy(rows);
    gls_source_destroy(s);
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest list[] = {
        cmocka_unit_test(png_samples_are_exact),
        cmocka_unit_test(pillow_sees_the_same),
        cmocka_unit_test(jpeg_is_pillows),
        cmocka_unit_test(scans_are_counted),
        cmocka_unit_test(class_folders),
        cmocka_unit_test(alpha_and_depth),
        cmocka_unit_test(broken_pictures_are_refused),
        cmocka_unit_test(crops_are_parts_of_the_image),
    };
    return cmocka_run_group_tests(list, make_files, remove_files);
}
