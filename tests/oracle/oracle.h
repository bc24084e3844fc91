/* oracle.h - reads oracle_<case>.bin (README.md beside this file); only the tests use it.
 *
 * The files are committed data, so a damaged one simply ends the test with a message.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ORACLE_I32 = 1, ORACLE_F32 = 2, ORACLE_F64 = 3, ORACLE_DIMS = 4, ORACLE_MAX = 128 };

typedef struct {
    char name[32];
    int type, ndim;
    uint32_t dims[ORACLE_DIMS];
    size_t n;       /* elements */
    int32_t *ints;  /* ORACLE_I32 */
    double *values; /* the float types, widened */
} oracle_entry;

typedef struct {
    const char *path;
    size_t n;
    oracle_entry entry[ORACLE_MAX];
} oracle;

static inline void oracle_die(const oracle *o, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", o->path, what, why);
    exit(1);
}

static inline void oracle_bytes(const oracle *o, FILE *f, void *to, size_t n)
{
    if (fread(to, 1, n, f) != n)
        oracle_die(o, "entry", "ends too early");
}

static inline uint32_t oracle_u32(const oracle *o, FILE *f)
{
    uint8_t b[4];
    oracle_bytes(o, f, b, sizeof b);
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline double oracle_f64(const oracle *o, FILE *f)
{
    uint64_t low = oracle_u32(o, f), bits = low | (uint64_t)oracle_u32(o, f) << 32;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline double oracle_f32(const oracle *o, FILE *f)
{
    uint32_t bits = oracle_u32(o, f);
    float v;
    memcpy(&v, &bits, sizeof v);
    return (double)v;
}

static inline void oracle_read_entry(const oracle *o, FILE *f, oracle_entry *e)
{
    uint32_t length = oracle_u32(o, f);
    uint8_t shape[2];
    if (length >= sizeof e->name)
        oracle_die(o, "entry", "name too long");
    oracle_bytes(o, f, e->name, length);
    oracle_bytes(o, f, shape, sizeof shape);
    e->type = shape[0];
    e->ndim = shape[1];
    if (e->type < ORACLE_I32 || e->type > ORACLE_F64 || e->ndim > ORACLE_DIMS)
        oracle_die(o, e->name, "unknown type or too many dimensions");
    e->n = 1;
    for (int i = 0; i < e->ndim; i++)
        e->n *= e->dims[i] = oracle_u32(o, f);
    if (e->n > 1 << 24)
        oracle_die(o, e->name, "too large");
    e->ints = calloc(e->n + 1, sizeof *e->ints);
    e->values = calloc(e->n + 1, sizeof *e->values);
    if (!e->ints || !e->values)
        oracle_die(o, e->name, "no memory");
    for (size_t i = 0; i < e->n; i++)
        if (e->type == ORACLE_I32)
            e->ints[i] = (int32_t)oracle_u32(o, f);
        else
            e->values[i] = e->type == ORACLE_F32 ? oracle_f32(o, f) : oracle_f64(o, f);
}

/* Ends the program if the file is not whole.  oracle_free(). */
static inline oracle *oracle_read(const char *path)
{
    oracle *o = calloc(1, sizeof *o);
    FILE *f = fopen(path, "rb");
    char magic[8];
    if (!o || !f) {
        perror(path);
        exit(1);
    }
    o->path = path;
    oracle_bytes(o, f, magic, sizeof magic);
    if (memcmp(magic, "PSORACLE", sizeof magic) != 0)
        oracle_die(o, "magic", "not an oracle file");
    for (int c; (c = getc(f)) != EOF; o->n++) {
        ungetc(c, f);
        if (o->n == ORACLE_MAX)
            oracle_die(o, "entries", "too many");
        oracle_read_entry(o, f, &o->entry[o->n]);
    }
    fclose(f);
    return o;
}

static inline void oracle_free(oracle *o)
{
    for (size_t i = 0; i < o->n; i++) {
        free(o->entry[i].ints);
        free(o->entry[i].values);
    }
    free(o);
}

/* NULL if the case has no such entry. */
static inline const oracle_entry *oracle_find(const oracle *o, const char *name)
{
    for (size_t i = 0; i < o->n; i++)
        if (strcmp(o->entry[i].name, name) == 0)
            return &o->entry[i];
    return NULL;
}

/* The same for an entry that must be there. */
static inline const oracle_entry *oracle_get(const oracle *o, const char *name)
{
    const oracle_entry *e = oracle_find(o, name);
    if (!e)
        oracle_die(o, name, "no such entry");
    return e;
}

static inline int oracle_int(const oracle *o, const char *name)
{
    const oracle_entry *e = oracle_get(o, name);
    if (e->type != ORACLE_I32 || e->n != 1)
        oracle_die(o, name, "not one integer");
    return e->ints[0];
}

static inline double oracle_real(const oracle *o, const char *name)
{
    const oracle_entry *e = oracle_get(o, name);
    if (e->type == ORACLE_I32 || e->n != 1)
        oracle_die(o, name, "not one real number");
    return e->values[0];
}

#endif
