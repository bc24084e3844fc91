/* packed_body.h - the loops of packed.h; included once for each instruction set, with PS_PACKED_ISA defined. */
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "packed.h"

/* Bytes of a register; MR rows of x times NV registers of W's columns are summed in registers.  Beside them stand NV
 * registers of W and one of x. */
#if defined __AVX512F__
enum { BYTES = 64, MR = 12, NV = 2 };
#elif defined __AVX2__
enum { BYTES = 32, MR = 6, NV = 2 };
#else
enum { BYTES = 16, MR = 3, NV = 4 };
#endif

/* KB elements of a sum at a time, MC rows at a time: a panel's KB x NR stay in the nearest cache, MC x KB of x in the
 * next. These are copied to rows at a distance that is no power of two, whose lines do not drive each other out. */
enum {
    LANES = BYTES / sizeof(ps_real),
    NR = NV * LANES,
    KB = 256,
    MC = 96,
    STEP = KB + 16,
    LINE = 64 / sizeof(ps_real)
};

typedef ps_real lanes __attribute__((vector_size(BYTES)));

static inline lanes load(const ps_real *p)
{
    lanes v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(ps_real *p, lanes v)
{
    memcpy(p, &v, sizeof v);
}

static inline size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- laying out ---- */

/* Panels of NR columns of W's transpose, the last one filled up with zeros: k x NR each. */
static void pack_turned(size_t n, size_t k, const ps_real *w, size_t ld, ps_real *panels)
{
    enum { SIDE = 16 }; /* of the squares in which it goes */
    for (size_t j = n; j % NR; j++)
        for (size_t i = 0; i < k; i++)
            panels[(j / NR * k + i) * NR + j % NR] = 0;
    for (size_t j0 = 0; j0 < n; j0 += SIDE)
        for (size_t i0 = 0; i0 < k; i0 += SIDE)
            for (size_t j = j0; j < least(j0 + SIDE, n); j++)
                for (size_t i = i0; i < least(i0 + SIDE, k); i++)
                    panels[(j / NR * k + i) * NR + j % NR] = w[j * ld + i];
}

/* From k rows of b: panels of `width` columns, k x width each. */
static inline __attribute__((always_inline)) void pack_rows(size_t width, size_t n, size_t k, const ps_real *b,
                                                            size_t ld, ps_real *panels)
{
    for (size_t p = 0; p < k; p++)
        for (size_t j = 0; j < n; j += width) {
            ps_real *to = panels + j * k + p * width;
            const ps_real *from = b + p * ld + j;
            if (n - j >= width) {
                memcpy(to, from, width * sizeof *to);
                continue;
            }
            memcpy(to, from, (n - j) * sizeof *to);
            memset(to + n - j, 0, (width - (n - j)) * sizeof *to);
        }
}

static int pack(ps_packed *p, size_t n, size_t k, const ps_real *w, size_t ld, int turned)
{
    *p = (ps_packed){n, k, ps_aligned((n + NR - 1) / NR * NR * k, sizeof *p->panels)};
    if (!p->panels)
        return PS_EMEM;
    if (turned)
        pack_rows(NR, n, k, w, ld, p->panels);
    else
        pack_turned(n, k, w, ld, p->panels);
    return 0;
}

/* An area of memory that is needed soon, and how much of it has been asked for. */
typedef struct {
    const ps_real *at;
    size_t rows, cols, ld, done;
} ahead;

static void fetch(ahead *a, size_t rows)
{
    for (size_t end = least(a->done + rows, a->rows); a->done < end; a->done++)
        for (size_t j = 0; j < a->cols; j += LINE)
            __builtin_prefetch(a->at + a->done * a->ld + j, 0, 2);
}

/* ---- products ---- */

/* Where the numbers of MC rows stand: those of a row side by side, or those of MR rows. */
typedef enum { BY_ROWS, BY_STRIPS } layout;

/* `rows` of a strip times a panel: the only place where products are summed.  out: rows x NR. */
static inline __attribute__((always_inline)) void block(size_t rows, layout how, size_t k, const ps_real *x,
                                                        const ps_real *panel, lanes out[MR][NV])
{
    lanes acc[MR][NV];
    for (size_t i = 0; i < rows; i++)
        for (int v = 0; v < NV; v++)
            acc[i][v] = (lanes){0};
    for (size_t p = 0; p < k; p++, panel += NR) {
        lanes w[NV];
        for (int v = 0; v < NV; v++)
            w[v] = load(panel + v * LANES);
        for (size_t i = 0; i < rows; i++) {
            lanes a = (how == BY_ROWS ? x[i * STEP + p] : x[p * MR + i]) - (lanes){0};
            for (int v = 0; v < NV; v++)
                acc[i][v] += a * w[v];
        }
    }
    for (size_t i = 0; i < rows; i++)
        for (int v = 0; v < NV; v++)
            out[i][v] = acc[i][v];
}

/* At the end of x, as few rows as that takes in thirds of MR. */
static inline __attribute__((always_inline)) void some_rows(size_t rows, layout how, size_t k, const ps_real *x,
                                                            const ps_real *panel, lanes out[MR][NV])
{
    if (rows > MR / 3 * 2)
        block(MR, how, k, x, panel, out);
    else if (rows > MR / 3)
        block(MR / 3 * 2, how, k, x, panel, out);
    else
        block(MR / 3, how, k, x, panel, out);
}

/* To rows of y, of which `cols` elements are its own. */
static void put(size_t rows, size_t cols, lanes out[MR][NV], int add, ps_real *y, size_t ldy)
{
    for (size_t i = 0; i < rows; i++, y += ldy) {
        if (cols == NR) {
            for (int v = 0; v < NV; v++)
                store(y + v * LANES, add ? load(y + v * LANES) + out[i][v] : out[i][v]);
            continue;
        }
        ps_real row[NR];
        memcpy(row, out[i], sizeof row);
        for (size_t j = 0; j < cols; j++)
            y[j] = add ? y[j] + row[j] : row[j];
    }
}

/* y [m x n], m <= MC, from what has been laid out of x and panels at a distance of `next` elements; what comes after
 * this is fetched meanwhile. */
static inline __attribute__((always_inline)) void multiply_some(layout how, size_t m, size_t n, size_t k,
                                                                const ps_real *x, const ps_real *panels, size_t next,
                                                                int add, ps_real *y, size_t ldy, ahead *after)
{
    size_t each = after->rows * NR / (n + 1) + 1;
    for (size_t j = 0; j < n; j += NR, panels += next) {
        fetch(after, each);
        for (size_t i = 0; i < m; i += MR) {
            ps_real *to = y + i * ldy + j;
            size_t rows = least(m - i, MR);
            lanes out[MR][NV];
            for (size_t r = 0; r < rows; r++)
                for (size_t l = 0; l < NR && j + l < n; l += LINE)
                    __builtin_prefetch(to + r * ldy + l, 1);
            some_rows(rows, how, k, x + i * (how == BY_ROWS ? STEP : k), panels, out);
            put(rows, least(n - j, NR), out, add, to, ldy);
        }
    }
}

static void multiply(size_t m, const ps_real *x, size_t ldx, const ps_packed *w, int add, ps_real *y, size_t ldy)
{
    ps_real copy[MC * STEP] __attribute__((aligned(64)));
    for (size_t i = 0; i < m; i += MC)
        for (size_t p = 0; p < w->k || p == 0; p += KB) {
            size_t rows = least(m - i, MC), k = least(w->k - p, KB);
            ahead after = {0};
            if (p + KB < w->k)
                after = (ahead){x + i * ldx + p + KB, rows, least(w->k - p - KB, KB), ldx, 0};
            else if (i + MC < m)
                after = (ahead){x + (i + MC) * ldx, least(m - i - MC, MC), least(w->k, KB), ldx, 0};
            for (size_t r = 0; r < rows; r++)
                memcpy(copy + r * STEP, x + (i + r) * ldx + p, k * sizeof *copy);
            for (size_t r = rows; r % (MR / 3); r++)
                memset(copy + r * STEP, 0, k * sizeof *copy);
            multiply_some(BY_ROWS, rows, w->n, k, copy, w->panels + p * NR, w->k * NR, add || p > 0, y + i * ldy, ldy,
                          &after);
        }
}

static int multiply_turned(size_t m, size_t n, size_t k, const ps_real *a, size_t lda, const ps_real *b, size_t ldb,
                           int add, ps_real *y, size_t ldy)
{
    ps_real strips[MC * KB] __attribute__((aligned(64)));
    ps_real *panels = ps_aligned((n + NR - 1) / NR * NR * KB, sizeof *panels);
    if (!panels)
        return PS_EMEM;
    for (size_t p = 0; p < k || p == 0; p += KB) {
        size_t some = least(k - p, KB);
        pack_rows(NR, n, some, b + p * ldb, ldb, panels);
        for (size_t i = 0; i < m; i += MC) {
            size_t rows = least(m - i, MC);
            ahead after = {0};
            if (i + MC < m)
                after = (ahead){a + p * lda + i + MC, some, least(m - i - MC, MC), lda, 0};
            else if (p + KB < k)
                after = (ahead){a + (p + KB) * lda, least(k - p - KB, KB), least(m, MC), lda, 0};
            pack_rows(MR, rows, some, a + p * lda + i, lda, strips);
            multiply_some(BY_STRIPS, rows, n, some, strips, panels, some * NR, add || p > 0, y + i * ldy, ldy, &after);
        }
    }
    free(panels);
    return 0;
}

/* ---- pooling ---- */

/* Four rows in one pass over out; each product is still added by itself. */
static void pool_sum(size_t n, size_t count, const uint32_t *index, const ps_real *weight, const ps_real *base,
                     size_t ld, ps_real *restrict out)
{
    size_t t = 0;
    for (; t + 4 <= count; t += 4) {
        const ps_real *a = base + index[t] * ld, *b = base + index[t + 1] * ld;
        const ps_real *c = base + index[t + 2] * ld, *d = base + index[t + 3] * ld;
        for (size_t i = 0; i < n; i++) {
            ps_real sum = out[i];
            sum += weight[t] * a[i];
            sum += weight[t + 1] * b[i];
            sum += weight[t + 2] * c[i];
            sum += weight[t + 3] * d[i];
            out[i] = sum;
        }
    }
    for (; t < count; t++) {
        const ps_real *a = base + index[t] * ld;
        for (size_t i = 0; i < n; i++)
            out[i] += weight[t] * a[i];
    }
}

static void pool_max(size_t n, size_t count, const uint32_t *index, const ps_real *base, size_t ld,
                     ps_real *restrict out)
{
    for (size_t t = 0; t < count; t++) {
        const ps_real *row = base + index[t] * ld;
        for (size_t i = 0; i < n; i++)
            out[i] = row[i] > out[i] ? row[i] : out[i];
    }
}

#define NAME2(isa) ps_packed_##isa
#define NAME(isa) NAME2(isa)
#define STRING2(isa) #isa
#define STRING(isa) STRING2(isa)

extern const ps_packed_ops NAME(PS_PACKED_ISA);
const ps_packed_ops NAME(PS_PACKED_ISA) = {STRING(PS_PACKED_ISA), pack, multiply, multiply_turned, pool_sum, pool_max};
