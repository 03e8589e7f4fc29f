/* Named figures in the order in which they were first set. */
#include <glissade/base.h>

#include <math.h>
#include <string.h>

static int find(const gls_record *record, const char *name) {
    for (int i = 0; i < record->count; i++)
        if (record->name[i] == name || (record->name[i][0] == name[0] && strcmp(record->name[i], name) == 0)) return i;
    return -1;
}

void gls_record_clear(gls_record *record) {
    if (!record) return;
    record->count = 0;
}

void gls_record_set(gls_record *record, const char *name, double value) {
    if (!record || !name) return;
    static const char dropped[] = "figures_dropped";
    int i = find(record, name);
    if (i < 0 && record->count < GLS_RECORD_CAPACITY) {
        i = record->count++;
        record->name[i] = name;
    } else if (i < 0) {
        bool first = record->count == GLS_RECORD_CAPACITY;
        i = GLS_RECORD_CAPACITY;
        value = first ? 1 : record->value[i] + 1;
        record->name[i] = dropped;
        record->count = GLS_RECORD_CAPACITY + 1;
    }
    record->value[i] = value;
}

double gls_record_get(const gls_record *record, const char *name) {
    if (!record || !name) return NAN;
    int i = find(record, name);
    return i < 0 ? NAN : record->value[i];
}
