/* Pictures of a folder: by a file of names and labels, or by class folders. */
#include "data/picture_list.h"
#include "base/io.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static gls_status add(gls_picture_list *l, const char *name, const char *label) {
    if (l->count == l->room) {
        int64_t room = l->room ? 2 * l->room : 256;
        const char **grown = gls_resize(l->ctx, l->name, room, sizeof *grown);
        if (grown) l->name = grown;
        const char **labels = grown ? gls_resize(l->ctx, l->label, room, sizeof *labels) : NULL;
        if (!labels) return GLS_ERR_MEMORY;
        l->label = labels;
        l->room = room;
    }
    l->name[l->count] = gls_strdup(l->ctx, name);
    l->label[l->count] = gls_strdup(l->ctx, label);
    l->count++;
    return l->name[l->count - 1] && l->label[l->count - 1] ? GLS_OK : GLS_ERR_MEMORY;
}

void gls_picture_list_clear(gls_picture_list *l) {
    for (int64_t i = 0; i < l->count; i++) {
        gls_free(l->ctx, (char *)l->name[i]);
        gls_free(l->ctx, (char *)l->label[i]);
    }
    gls_free(l->ctx, l->name);
    gls_free(l->ctx, l->label);
    *l = (gls_picture_list){.ctx = l->ctx};
}

/* ---- a file of labels ---- */

/* Below the folder: no absolute name, no way up. */
static bool inside(const char *name) {
    for (const char *p = name; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (strcmp(p, "..") == 0 || strncmp(p, "../", 3) == 0) return false;
    return name[0] != '/';
}

/* Names may not leave the folder: a label file from elsewhere could otherwise make us read any file. */
static gls_status add_line(gls_picture_list *l, gls_reader *reader, char *line) {
    size_t n = strlen(line);
    while (n && (line[n - 1] == ' ' || line[n - 1] == '\t')) line[--n] = 0;
    while (*line == ' ' || *line == '\t') line++;
    if (!*line) return GLS_OK;
    char *label = strpbrk(line, " \t");
    const char *path = gls_reader_path(reader);
    long long number = (long long)gls_reader_line_number(reader);
    if (!label) return gls_fail(l->ctx, GLS_ERR_INPUT, "%s:%lld: expected `name label`", path, number);
    *label++ = 0;
    label += strspn(label, " \t");
    if (!inside(line))
        return gls_fail(l->ctx, GLS_ERR_INPUT, "%s:%lld: '%.80s' is outside the folder", path, number, line);
    return add(l, line, label);
}

gls_status gls_picture_list_read(gls_picture_list *l, const char *path) {
    enum { LINE_LIMIT = 4096 };
    gls_reader *reader;
    GLS_TRY(gls_reader_open(l->ctx, path, &reader));
    gls_status status;
    char *line;
    int64_t length;
    do {
        status = gls_reader_line(reader, LINE_LIMIT, &line, &length);
        if (status == GLS_OK && line) status = add_line(l, reader, line);
    } while (status == GLS_OK && line);
    gls_reader_close(reader);
    if (status == GLS_OK && !l->count) return gls_fail(l->ctx, GLS_ERR_INPUT, "%s: no images", path);
    return status;
}

/* ---- class folders ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(gls_context *ctx, char **name, int64_t count) {
    for (int64_t i = 0; i < count; i++) gls_free(ctx, name[i]);
    gls_free(ctx, name);
}

/* What a folder holds, in alphabetical order, but for names that begin with a dot. */
static gls_status list_folder(gls_context *ctx, const char *path, char ***names, int64_t *count) {
    DIR *dir = opendir(path);
    *names = NULL;
    *count = 0;
    if (!dir) return gls_fail(ctx, GLS_ERR_FILE, "%s: cannot open: %s", path, strerror(errno));
    gls_status status = GLS_OK;
    int64_t room = 0;
    for (struct dirent *entry; status == GLS_OK && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.') continue;
        if (*count == room) {
            char **grown = gls_resize(ctx, *names, room = room ? 2 * room : 64, sizeof *grown);
            if (!grown) status = GLS_ERR_MEMORY;
            if (grown) *names = grown;
        }
        char *copy = status == GLS_OK ? gls_strdup(ctx, entry->d_name) : NULL;
        if (copy)
            (*names)[(*count)++] = copy;
        else
            status = GLS_ERR_MEMORY;
    }
    closedir(dir);
    if (status == GLS_OK && *count) qsort(*names, (size_t)*count, sizeof **names, by_name);
    return status;
}

static bool is_picture(const char *name) {
    static const char *const ends[] = {".png", ".jpg", ".jpeg"};
    const char *end = strrchr(name, '.');
    for (size_t i = 0; end && i < sizeof ends / sizeof *ends; i++)
        if (strcasecmp(end, ends[i]) == 0) return true;
    return false;
}

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The pictures of FOLDER/CLASS, or of FOLDER itself (class ""). Other files are left out, and that is said. */
static gls_status find_in(gls_picture_list *l, const char *folder, const char *class, bool labels) {
    char **name = NULL;
    int64_t count = 0, others = 0;
    char *path = gls_sprintf(l->ctx, "%s/%s", folder, class);
    gls_status status = path ? list_folder(l->ctx, path, &name, &count) : GLS_ERR_MEMORY;
    for (int64_t i = 0; status == GLS_OK && i < count; i++) {
        if (!is_picture(name[i])) {
            others++;
            continue;
        }
        char *below = gls_sprintf(l->ctx, "%s%s%s", class, *class ? "/" : "", name[i]);
        status = below ? add(l, below, labels ? class : "") : GLS_ERR_MEMORY;
        gls_free(l->ctx, below);
    }
    if (status == GLS_OK && others && *class)
        gls_log(l->ctx, GLS_LOG_WARNING, "%s: %lld files are left out: they are not called .png, .jpg or .jpeg", path,
                (long long)others);
    free_names(l->ctx, name, count);
    gls_free(l->ctx, path);
    return status;
}

gls_status gls_picture_list_find(gls_picture_list *l, const char *folder, bool bare) {
    char **name = NULL;
    int64_t count;
    gls_status status = list_folder(l->ctx, folder, &name, &count);
    if (status == GLS_OK && bare) status = find_in(l, folder, "", false);
    for (int64_t i = 0; status == GLS_OK && i < count; i++) {
        char *path = gls_sprintf(l->ctx, "%s/%s", folder, name[i]);
        if (!path) status = GLS_ERR_MEMORY;
        if (path && is_folder(path)) status = find_in(l, folder, name[i], !bare);
        gls_free(l->ctx, path);
    }
    free_names(l->ctx, name, count);
    if (status == GLS_OK && !l->count)
        return gls_fail(l->ctx, GLS_ERR_INPUT,
                        "%s: no images; expected a file labels.txt with lines `name label`, or folders of the classes "
                        "with files .png, .jpg or .jpeg",
                        folder);
    return status;
}
