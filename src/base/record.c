#include <glissade/base.h>

#include <math.h>
#include <string.h>

static int find(const gls_record *record, const char *name) {
    for (int i = 0; i < record->count; i++)
        if (record->name[i] == name || strcmp(record->name[i], name) == 0) return i;
    return -1;
}

void gls_record_clear(gls_record *record) {
    record->count = 0;
}

void gls_record_set(gls_record *record, const char *name, double value) {
    int i = find(record, name);
    if (i < 0) {
        if (record->count >= GLS_RECORD_CAPACITY) return;
        i = record->count++;
        record->name[i] = name;
    }
    record->value[i] = value;
}

double gls_record_get(const gls_record *record, const char *name) {
    int i = find(record, name);
    return i < 0 ? NAN : record->value[i];
}
