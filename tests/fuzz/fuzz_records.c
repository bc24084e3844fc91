/* Record streams of every kind: the reader, the table in memory, and what is built on them. */
#include "fuzz.h"
#include "knn.h"
#include "neigh.h"
#include "pairs.h"
#include "rec.h"
#include "sparse.h"
#include "vectors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

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

static void use_vectors(const char *path, int files)
{
    ps_vectors v;
    ps_knn knn;
    if (ps_vectors_open(&v, path, 0) == 0) {
        for (uint64_t i = 0; i < v.n; i++)
            MUST(ps_vectors_find(&v, ps_vectors_item(&v, i)) == i);
        ps_vectors_close(&v);
    }
    /* What does not fit in its memory goes through a temporary file. */
    ps_spill spill = {.memory = 16, .dir = "/dev/shm"};
    if (files && ps_vectors_open_within(&v, path, 0, &spill) == 0) {
        for (uint64_t i = 0; i < v.n; i++)
            MUST(ps_vectors_find(&v, ps_vectors_item(&v, i)) == i);
        ps_vectors_close(&v);
    }
    if (ps_knn_open(&knn, path, NULL, 1) == 0)
        ps_knn_close(&knn);
}

static void use_neighbours(const char *path)
{
    ps_neighbours t;
    if (ps_neighbours_open(&t, path, 0, 1000) < 0)
        return;
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

static void use_pairs(const char *path)
{
    ps_pairs pairs;
    ps_known known;
    if (ps_pairs_read(&pairs, path, NULL, 0, PS_UNKNOWN_FAILS, NULL) < 0)
        return;
    if (ps_known_make(&known, &pairs, 1000) == 0) {
        for (size_t i = 0; i < pairs.n; i++)
            MUST(ps_known_has(&known, pairs.query[i], pairs.positive[i]));
        ps_known_free(&known);
    }
    ps_pairs_free(&pairs);
}

static void use_sparse(const char *path)
{
    ps_sparse s;
    ps_postings p;
    if (ps_sparse_open(&s, path, 0, 0) < 0)
        return;
    for (uint64_t i = 0; i < s.n; i++) {
        MUST(ps_sparse_find(&s, s.item ? s.item[i] : i) == i && s.off[i] <= s.off[i + 1]);
        for (uint64_t e = s.off[i]; e < s.off[i + 1]; e++)
            MUST(s.index[e] < s.dim && (e == s.off[i] || s.index[e - 1] < s.index[e]));
    }
    if (ps_postings_make(&p, &s) == 0)
        ps_postings_free(&p);
    ps_sparse_free(&s);
}

/* First byte: CRCs made right (bit 0), little memory (1). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    fuzz_file f = fuzz_file_sealed(data, n, fuzz_seal_stream);

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

    use_vectors(f.path, data[0] & 2);
    use_neighbours(f.path);
    use_pairs(f.path);
    use_sparse(f.path);
    fuzz_file_close(&f);
    return 0;
}
