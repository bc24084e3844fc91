/* Record streams of every kind: the reader, the table in memory, and what is built on them. */
#include "fuzz.h"
#include "neigh.h"
#include "pairs.h"
#include "rec.h"
#include "vectors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Right CRCs for one stream that is the whole file. */
static void seal(uint8_t *p, size_t n)
{
    if (n < PS_REC_HEAD)
        return;
    uint32_t len = ps_get32(p + 44);
    if (len < PS_REC_HEAD || len > n)
        return;
    fuzz_seal_header(p, len);
    if (n < (size_t)len + PS_REC_END)
        return;
    uint8_t *end = p + n - PS_REC_END;
    uint32_t size = ps_get32(p + 16);
    ps_put64(end + 16, size ? (n - PS_REC_END - len) / size : 0);
    ps_put32(end + 24, (uint32_t)crc32_z(0, p + len, n - PS_REC_END - len));
    ps_put32(end + 28, (uint32_t)crc32(0, end, 28));
}

static uint64_t read_all(const char *path, size_t batch, int *rc)
{
    ps_reader *r = ps_reader_open(path, 0);
    *rc = r ? 0 : -1;
    if (!r)
        return 0;
    const uint8_t *p;
    volatile uint8_t sum = 0;
    long got;
    while ((got = ps_reader_next(r, &p, batch)) > 0)
        for (size_t i = 0; i < (size_t)got * ps_reader_head(r)->size; i++)
            sum = (uint8_t)(sum + p[i]);
    *rc = (int)got;
    uint64_t count = ps_reader_count(r);
    ps_reader_close(r);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    uint8_t *copy = malloc(n);
    memcpy(copy, data + 1, n - 1);
    if (data[0] & 1)
        seal(copy, n - 1);
    fuzz_file f = fuzz_file_make(copy, n - 1);
    free(copy);

    /* However it is read, it is taken or refused alike. */
    int one_by_one, in_batches;
    uint64_t count = read_all(f.path, 1, &one_by_one);
    MUST(read_all(f.path, 1000, &in_batches) == count || in_batches < 0);
    MUST((one_by_one < 0) == (in_batches < 0));
    ps_table table;
    if (ps_table_open(&table, f.path, 0) == 0) {
        MUST(one_by_one == 0 && table.count == count);
        ps_table_close(&table);
    } else {
        MUST(one_by_one < 0);
    }

    ps_vectors v;
    if (ps_vectors_open(&v, f.path, 0) == 0) {
        for (uint64_t i = 0; i < v.n; i++)
            MUST(ps_vectors_find(&v, ps_vectors_item(&v, i)) == i);
        ps_vectors_close(&v);
    }
    ps_neighbours t;
    if (ps_neighbours_open(&t, f.path, 0, 1000) == 0) {
        uint32_t *items = calloc(t.dim + 1, sizeof *items);
        float *weights = calloc(t.dim + 1, sizeof *weights);
        for (uint64_t i = 0; i < 1000; i++) {
            size_t got = ps_neighbours_get(&t, i, items, weights);
            MUST(got <= t.dim);
            for (size_t k = 0; k < got; k++)
                MUST(items[k] < 1000);
        }
        free(items);
        free(weights);
        ps_neighbours_close(&t);
    }
    ps_pairs pairs;
    ps_known known;
    if (ps_pairs_read(&pairs, f.path, NULL, 0, PS_UNKNOWN_FAILS, NULL) == 0) {
        if (ps_known_make(&known, &pairs, 1000) == 0) {
            for (size_t i = 0; i < pairs.n; i++)
                MUST(ps_known_has(&known, pairs.query[i], pairs.positive[i]));
            ps_known_free(&known);
        }
        ps_pairs_free(&pairs);
    }
    fuzz_file_close(&f);
    return 0;
}
