/* .npy and .npz files: every row of a matrix that is taken can be read and is finite, and its ids and names are there.
 *
 * An input that begins with "Z" is made into an archive with right CRCs: a byte (bit 0: deflated; bit 1: without ids,
 * bit 2: without names), two bytes for each of the first two members' lengths, then the members. */
#include <math.h>

#include "fuzz.h"
#include "npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { LOCAL = 30, CENTRAL = 46, END = 22, MEMBERS = 3, ROOM = 4096 };

typedef struct {
    uint8_t *bytes;
    size_t n;
} buffer;

static uint8_t *extend(buffer *b, size_t n)
{
    uint8_t *at = b->bytes + b->n;
    memset(at, 0, n);
    b->n += n;
    return at;
}

static size_t deflated(const uint8_t *p, size_t n, uint8_t *to, size_t room)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)p, .avail_in = (uInt)n, .next_out = to, .avail_out = (uInt)room};
    MUST(deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    MUST(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

/* What both of a member's headers say of it, from the method on. */
static void say(uint8_t *p, int packed, const uint8_t *data, size_t n, size_t stored, const char *name)
{
    ps_put16(p, packed ? Z_DEFLATED : 0);
    ps_put32(p + 6, (uint32_t)crc32_z(0, data, n));
    ps_put32(p + 10, (uint32_t)stored);
    ps_put32(p + 14, (uint32_t)n);
    ps_put16(p + 18, (uint16_t)strlen(name));
}

static void add(buffer *file, buffer *directory, int packed, const char *name, const uint8_t *data, size_t n)
{
    const size_t at = file->n;
    uint8_t *local = extend(file, LOCAL), *central = extend(directory, CENTRAL);
    memcpy(extend(file, strlen(name)), name, strlen(name));
    memcpy(extend(directory, strlen(name)), name, strlen(name));
    const size_t stored = packed ? deflated(data, n, file->bytes + file->n, 2 * n + 64) : n;
    if (!packed && n > 0)
        memcpy(file->bytes + file->n, data, n);
    file->n += stored;
    ps_put32(local, 0x04034b50);
    ps_put32(central, 0x02014b50);
    say(local + 8, packed, data, n, stored, name);
    say(central + 10, packed, data, n, stored, name);
    ps_put32(central + 42, (uint32_t)at);
}

static fuzz_file archive(const uint8_t *data, size_t n)
{
    static const char *const names[MEMBERS] = {"vectors.npy", "ids.npy", "names.npy"};
    const uint8_t how = data[0], *p = data + 5;
    buffer file = {malloc(3 * n + ROOM), 0}, directory = {malloc(ROOM), 0};
    MUST(file.bytes && directory.bytes);
    int members = 0;
    for (int i = 0; i < MEMBERS; i++) {
        const size_t left = (size_t)(data + n - p), asked = i < 2 ? ps_get16(data + 1 + 2 * i) : left,
                     size = asked < left ? asked : left;
        if (i == 0 || !(how & 1 << i)) {
            add(&file, &directory, how & 1, names[i], p, size);
            members++;
        }
        p += size;
    }
    const size_t at = file.n;
    memcpy(extend(&file, directory.n), directory.bytes, directory.n);
    uint8_t *end = extend(&file, END);
    ps_put32(end, 0x06054b50);
    ps_put16(end + 8, (uint16_t)members);
    ps_put16(end + 10, (uint16_t)members);
    ps_put32(end + 12, (uint32_t)directory.n);
    ps_put32(end + 16, (uint32_t)at);
    fuzz_file f = fuzz_file_make(file.bytes, file.n);
    free(file.bytes);
    free(directory.bytes);
    return f;
}

static void use_matrix(const ps_npy *a, size_t n)
{
    MUST(a->cols > 0 && (a->rows == 0 || a->cols <= 1000 * n / a->rows));
    float *row = malloc(a->cols * sizeof *row);
    for (uint64_t i = 0; i < a->rows; i++) {
        ps_npy_row(a, i, row);
        for (uint64_t k = 0; k < a->cols; k++)
            MUST(isfinite(row[k]));
        MUST(!a->ids || a->ids[i] <= INT64_MAX);
        MUST(!a->text || strlen(a->text + i * a->name_size) < a->name_size);
    }
    free(row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    fuzz_file f = n >= 6 && data[0] == 'Z' ? archive(data + 1, n - 1) : fuzz_file_make(data, n);
    ps_npy a;
    if (ps_npy_open(&a, f.path) == 0) {
        use_matrix(&a, n);
        ps_npy_close(&a);
    }
    fuzz_file_close(&f);
    return 0;
}
