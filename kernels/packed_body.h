/* packed_body.h - the loops of packed.h; included once for each instruction set, with PS_PACKED_ISA defined. */
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

/* KB elements of a sum at a time: MR rows of x and a panel of W then stay in the nearer caches. */
enum { LANES = BYTES / sizeof(ps_real), NR = NV * LANES, KB = 512 };

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

/* Panels of NR columns of W's transpose, the last one filled up with zeros: k x NR each. */
static int pack(ps_packed *p, size_t n, size_t k, const ps_real *w, size_t ld)
{
    size_t panels = (n + NR - 1) / NR;
    *p = (ps_packed){n, k, ps_aligned(panels * k * NR, sizeof *p->panels)};
    if (!p->panels)
        return PS_EMEM;
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < k; i++)
            p->panels[(j / NR * k + i) * NR + j % NR] = w[j * ld + i];
    return 0;
}

/* MR rows times a panel: the only place where products are summed.  out: MR x NR. */
static void block(size_t k, const ps_real *const x[MR], const ps_real *panel, lanes out[MR][NV])
{
    lanes acc[MR][NV] = {{{0}}};
    for (size_t p = 0; p < k; p++, panel += NR) {
        lanes w[NV];
        for (int v = 0; v < NV; v++)
            w[v] = load(panel + v * LANES);
        for (int i = 0; i < MR; i++) {
            lanes a = x[i][p] - (lanes){0};
            for (int v = 0; v < NV; v++)
                acc[i][v] += a * w[v];
        }
    }
    memcpy(out, acc, sizeof acc);
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

static void multiply(size_t m, const ps_real *x, size_t ldx, const ps_packed *w, int add, ps_real *y, size_t ldy)
{
    for (size_t p = 0; p < w->k || p == 0; p += KB) {
        size_t k = w->k - p < KB ? w->k - p : KB;
        for (size_t j = 0; j < w->n; j += NR)
            for (size_t i = 0; i < m; i += MR) {
                const ps_real *row[MR];
                lanes out[MR][NV];
                for (size_t r = 0; r < MR; r++) /* at the end a row is repeated */
                    row[r] = x + (i + r < m ? i + r : m - 1) * ldx + p;
                block(k, row, w->panels + j * w->k + p * NR, out);
                put(m - i < MR ? m - i : MR, w->n - j < NR ? w->n - j : NR, out, add || p > 0, y + i * ldy + j, ldy);
            }
    }
}

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
const ps_packed_ops NAME(PS_PACKED_ISA) = {STRING(PS_PACKED_ISA), pack, multiply, pool_sum, pool_max};
