/* panels_body.h - the loops of panels.h; included once for each instruction set, with PS_PANELS_NAME defined. */
#if defined __AVX2__
#include <immintrin.h>
#endif
#include <string.h>

#include "panels.h"

/* W lanes of a register, V registers of a panel's element; sums of MQ queries with MG panels stay in registers. */
#if defined __AVX512F__
enum { W = 16, MQ = 12, MG = 2 };
#elif defined __AVX2__
enum { W = 8, MQ = 6, MG = 1 };
#else
enum { W = 4, MQ = 2, MG = 1 };
#endif
enum { V = PS_CODES_LANES / W };

typedef float lanes __attribute__((vector_size(4 * W)));

static inline lanes load(const float *p)
{
    lanes v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Bit l: lane l is at least `floor`. */
static inline unsigned from(lanes score, float floor)
{
#if defined __AVX512F__
    return _mm512_cmp_ps_mask((__m512)score, _mm512_set1_ps(floor), _CMP_GE_OQ);
#elif defined __AVX2__
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps((__m256)score, _mm256_set1_ps(floor), _CMP_GE_OQ));
#else
    unsigned bits = 0;
    for (unsigned l = 0; l < W; l++)
        bits |= (unsigned)(score[l] >= floor) << l;
    return bits;
#endif
}

static inline void take(ps_codes_query *q, lanes score, uint32_t first)
{
    unsigned in = from(score, q->floor);
    if (!in)
        return;
    float s[W];
    memcpy(s, &score, sizeof s);
    for (; in; in &= in - 1) {
        const unsigned l = (unsigned)__builtin_ctz(in);
        q->row[q->n] = first + l;
        q->score[q->n++] = s[l];
    }
}

/* Q queries with G panels. */
__attribute__((always_inline)) static inline void block(const int Q, const int G, ps_codes_query *const *query,
                                                        size_t d, const float *panels, const float *offset,
                                                        uint32_t first)
{
    lanes sum[MQ][MG * V];
    const float *x[MQ];
    for (int i = 0; i < Q; i++) {
        x[i] = query[i]->x;
        for (int v = 0; v < G * V; v++)
            sum[i][v] = load(offset + v * W);
    }
    for (size_t p = 0; p < d; p++) {
        lanes y[MG * V];
        for (int v = 0; v < G * V; v++)
            y[v] = load(panels + ((size_t)(v / V) * d + p) * PS_CODES_LANES + v % V * W);
        for (int i = 0; i < Q; i++) {
            const lanes a = x[i][p] - (lanes){0};
            for (int v = 0; v < G * V; v++)
                sum[i][v] += a * y[v];
        }
    }
    for (int i = 0; i < Q; i++)
        for (int v = 0; v < G * V; v++)
            take(query[i], sum[i][v], first + (uint32_t)(v * W));
}

__attribute__((always_inline)) static inline void panels_of(const int G, size_t m, ps_codes_query *const *query,
                                                            size_t d, const float *panels, const float *offset,
                                                            uint32_t first)
{
    size_t i = 0;
    for (; m - i >= MQ; i += MQ)
        block(MQ, G, query + i, d, panels, offset, first);
    for (; m - i >= 2; i += 2)
        block(2, G, query + i, d, panels, offset, first);
    for (; i < m; i++)
        block(1, G, query + i, d, panels, offset, first);
}

/* Panels outside: they stay in the first-level cache while the queries pass. */
void PS_PANELS_NAME(size_t m, ps_codes_query *const *query, size_t d, size_t groups, const float *panels,
                    const float *offset, uint32_t first)
{
    size_t g = 0;
    for (; groups - g >= MG; g += MG)
        panels_of(MG, m, query, d, panels + g * d * PS_CODES_LANES, offset + g * PS_CODES_LANES,
                  first + (uint32_t)(g * PS_CODES_LANES));
    for (; g < groups; g++)
        panels_of(1, m, query, d, panels + g * d * PS_CODES_LANES, offset + g * PS_CODES_LANES,
                  first + (uint32_t)(g * PS_CODES_LANES));
}
