/* Index files: what opens can be searched, and finds rows that are there. */
#include <math.h>

#include "fuzz.h"
#include "index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Right CRCs for whatever sections there are. */
static void seal(uint8_t *p, size_t n)
{
    if (n < PS_INDEX_HEAD)
        return;
    const size_t sections = ps_get16(p + 10), len = PS_INDEX_HEAD + sections * 32;
    if (len > n)
        return;
    for (size_t i = 0; i < sections; i++) {
        uint8_t *entry = p + PS_INDEX_HEAD + i * 32;
        const uint64_t at = ps_get64(entry + 8), bytes = ps_get64(entry + 16);
        if (at <= n && bytes <= n - at && at >= len)
            ps_put32(entry + 24, (uint32_t)crc32_z(0, p + at, bytes));
    }
    fuzz_seal_header(p, len);
}

/* Vectors of the index's shape, as a stream in memory; the index's claim to be of others is not looked at. */
static int make_vectors(ps_knn *knn, const ps_index *x)
{
    if (x->n > 512 || x->d > 64)
        return -1;
    ps_head h = ps_head_make(PS_VECTORS, x->d);
    h.flags = x->has_bias ? PS_FLAG_BIAS : 0;
    fuzz_file f = fuzz_file_make(NULL, 0);
    ps_out *out = ps_out_on(f.fd, "fuzz");
    ps_writer *w = ps_writer_new(out, &h);
    uint8_t *r = malloc(h.size);
    for (uint32_t i = 0; i < x->n; i++) {
        ps_put_num(r, 4, i);
        for (uint32_t j = 0; j < x->d; j++)
            ps_putf32(r + 4 + 4 * j, (float)((i * 7 + j * 3) % 11) - 5);
        MUST(ps_writer_put(w, r, 1) == 0);
    }
    MUST(ps_writer_close(w) == 0);
    MUST(ps_out_close(out) == 0);
    MUST(lseek(f.fd, 0, SEEK_SET) == 0);
    MUST(ps_knn_open(knn, f.path, NULL, x->cosine && !x->has_bias) == 0);
    free(r);
    fuzz_file_close(&f);
    return 0;
}

static void search(const ps_index *x)
{
    enum { K = 5, QUERIES = 3 };
    ps_knn knn;
    if (make_vectors(&knn, x) < 0)
        return;
    ps_knn_queries q = {0};
    ps_hit hits[QUERIES * K];
    size_t found[QUERIES];
    for (uint64_t i = 0; i < QUERIES; i++) {
        MUST(ps_knn_begin(&q, &knn) == 0);
        MUST(ps_knn_add(&q, &knn, &knn, i % x->n, 1) == 0);
        MUST(ps_knn_end(&q, &knn) == 0);
    }
    if (knn.d == x->d) {
        MUST(ps_index_search(x, &knn, &q, NULL, ps_index_effort(x, 0.9, K), K, hits, found) == 0);
        for (size_t i = 0; i < QUERIES; i++)
            for (size_t j = 0; j < found[i]; j++)
                MUST(hits[i * K + j].item < x->n && isfinite(hits[i * K + j].score));
    }
    ps_knn_queries_free(&q);
    ps_knn_close(&knn);
}

/* An index by signatures with more than one list is longer than an input should be, which is changes to this one. */
static const uint8_t *good_lsh(size_t *size)
{
    enum { N = 400, D = 6 };
    static uint8_t *good;
    static size_t length;
    if (!good) {
        const ps_index shape = {.n = N, .d = D};
        const ps_index_options o = {.type = PS_INDEX_LSH, .seed = 1};
        ps_knn knn;
        fuzz_file f = fuzz_file_make(NULL, 0);
        ps_out *out = ps_out_on(f.fd, "fuzz");
        MUST(out && make_vectors(&knn, &shape) == 0 && ps_index_build(&knn, &o, NULL, out) == 0 &&
             ps_out_close(out) == 0);
        ps_knn_close(&knn);
        length = (size_t)lseek(f.fd, 0, SEEK_END);
        MUST((good = malloc(length)) && pread(f.fd, good, length, 0) == (ssize_t)length);
        fuzz_file_close(&f);
    }
    *size = length;
    return good;
}

/* Bytes in fours: three of a place, one to be there.  Places beyond the end are among the header's and the sections'
 * first. */
static fuzz_file changed_lsh(const uint8_t *data, size_t n)
{
    size_t size;
    const uint8_t *good = good_lsh(&size);
    uint8_t *copy = malloc(size + 1);
    MUST(copy);
    copy[0] = data[0];
    memcpy(copy + 1, good, size);
    for (size_t i = 1; i + 4 <= n; i += 4) {
        const size_t at = (size_t)(data[i] | data[i + 1] << 8 | data[i + 2] << 16);
        copy[1 + (at < size ? at : at % 1024)] = data[i + 3];
    }
    fuzz_file f = fuzz_file_sealed(copy, size + 1, seal);
    free(copy);
    return f;
}

/* First byte: CRCs made right (bit 0), the rest is changes to a good index by signatures (1). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    fuzz_file f = data[0] & 2 ? changed_lsh(data, n) : fuzz_file_sealed(data, n, seal);
    ps_index x;
    if (ps_index_open(&x, f.path, NULL) == 0) {
        search(&x);
        ps_index_close(&x);
    }
    fuzz_file_close(&f);
    return 0;
}
