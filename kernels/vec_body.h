/* vec_body.h - the loops of vec.h; included once for each instruction set, with PS_VEC_ISA defined. */
#if defined __AVX2__
#include <immintrin.h>
#endif

#include "vec.h"

enum { LANES = 16 };

static ps_real dot(size_t n, const ps_real *a, const ps_real *b)
{
    ps_real lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            lane[l] += a[i + l] * b[i + l];
    for (size_t l = 0; i < n; i++, l++)
        lane[l] += a[i] * b[i];
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

static void axpy(size_t n, ps_real alpha, const ps_real *restrict x, ps_real *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += alpha * x[i];
}

static void scale(size_t n, ps_real alpha, ps_real *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] *= alpha;
}

static void bias_relu(size_t rows, size_t n, ps_real *restrict y, size_t ld, const ps_real *restrict bias)
{
    for (size_t r = 0; r < rows; r++, y += ld)
        for (size_t i = 0; i < n; i++) {
            ps_real v = y[i] + bias[i];
            y[i] = v > 0 ? v : 0;
        }
}

static void relu_grad(size_t n, ps_real *restrict dy, const ps_real *restrict y, ps_real *restrict sum)
{
    for (size_t i = 0; i < n; i++) {
        dy[i] = y[i] > 0 ? dy[i] : 0;
        sum[i] += dy[i];
    }
}

static uint16_t positive16(const ps_real *y)
{
#if defined __AVX512F__ && !defined PS_DOUBLE
    return _mm512_cmp_ps_mask(_mm512_loadu_ps(y), _mm512_setzero_ps(), _CMP_GT_OQ);
#elif defined __AVX2__ && !defined PS_DOUBLE
    const __m256 zero = _mm256_setzero_ps();
    int low = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(y), zero, _CMP_GT_OQ));
    int high = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(y + 8), zero, _CMP_GT_OQ));
    return (uint16_t)(low | high << 8);
#else
    unsigned bits = 0;
    for (unsigned l = 0; l < 16; l++)
        bits |= (unsigned)(y[l] > 0) << l;
    return (uint16_t)bits;
#endif
}

static void positive(size_t n, const ps_real *y, uint16_t *bits)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        bits[i / 16] = positive16(y + i);
    if (i < n)
        bits[i / 16] = 0;
    for (; i < n; i++)
        bits[i / 16] = (uint16_t)(bits[i / 16] | (unsigned)(y[i] > 0) << i % 16);
}

/* 16 columns of live_grad. */
static void live16(ps_real *dy, unsigned word, ps_real *sum)
{
#if defined __AVX512F__ && !defined PS_DOUBLE
    __m512 d = _mm512_maskz_loadu_ps((__mmask16)word, dy);
    _mm512_storeu_ps(dy, d);
    _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), d));
#elif defined __AVX2__ && !defined PS_DOUBLE
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    for (int half = 0; half < 16; half += 8) {
        __m256i set = _mm256_and_si256(_mm256_set1_epi32((int)(word >> half)), bit);
        __m256 d = _mm256_and_ps(_mm256_loadu_ps(dy + half), _mm256_castsi256_ps(_mm256_cmpeq_epi32(set, bit)));
        _mm256_storeu_ps(dy + half, d);
        _mm256_storeu_ps(sum + half, _mm256_add_ps(_mm256_loadu_ps(sum + half), d));
    }
#else
    for (unsigned l = 0; l < 16; l++) {
        dy[l] = word >> l & 1 ? dy[l] : 0;
        sum[l] += dy[l];
    }
#endif
}

static void live_grad(size_t n, ps_real *restrict dy, const uint16_t *restrict bits, ps_real *restrict sum)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        live16(dy + i, bits[i / 16], sum + i);
    for (; i < n; i++) {
        dy[i] = bits[i / 16] >> i % 16 & 1 ? dy[i] : 0;
        sum[i] += dy[i];
    }
}

static void unit_relu_grad(size_t n, ps_real *restrict dy, const ps_real *restrict z, ps_real along, ps_real scale_by,
                           ps_real *restrict sum)
{
    for (size_t i = 0; i < n; i++) {
        ps_real d = scale_by * (dy[i] - along * z[i]);
        dy[i] = z[i] > 0 ? d : 0;
        sum[i] += dy[i];
    }
}

/* Registers of W elements; so many sums stay in registers. */
#if defined __AVX512F__
enum { W = 64 / sizeof(ps_real), SUMS = 16 };
#elif defined __AVX2__
enum { W = 32 / sizeof(ps_real), SUMS = 8 };
#else
enum { W = 16 / sizeof(ps_real), SUMS = 8 };
#endif
enum { AHEAD = 8 }; /* rows to fetch before their turn: they stand anywhere in memory */

typedef ps_real lanes __attribute__((vector_size(W * sizeof(ps_real)), aligned(sizeof(ps_real)), may_alias));

/* Elements 0 .. sums * W - 1 of pool_sum. */
static inline __attribute__((always_inline)) void pool_block(size_t sums, size_t count, const uint32_t *index,
                                                             const ps_real *weight, const ps_real *base, size_t ld,
                                                             ps_real *out)
{
    lanes sum[SUMS];
    for (size_t k = 0; k < sums; k++)
        sum[k] = (lanes){0};
    for (size_t t = 0; t < count; t++) {
        const ps_real *row = base + index[t] * ld, *later = base + index[t + AHEAD < count ? t + AHEAD : t] * ld;
        for (size_t k = 0; k < sums; k++) {
            __builtin_prefetch(later + k * W);
            sum[k] += weight[t] * *(const lanes *)(row + k * W);
        }
    }
    for (size_t k = 0; k < sums; k++)
        *(lanes *)(out + k * W) = sum[k];
}

static void pool_sum(size_t n, size_t count, const uint32_t *index, const ps_real *weight, const ps_real *base,
                     size_t ld, ps_real *restrict out)
{
    size_t i = 0;
    for (; i + SUMS * W <= n; i += SUMS * W)
        pool_block(SUMS, count, index, weight, base + i, ld, out + i);
    for (; i + SUMS / 4 * W <= n; i += SUMS / 4 * W)
        pool_block(SUMS / 4, count, index, weight, base + i, ld, out + i);
    for (; i + W <= n; i += W)
        pool_block(1, count, index, weight, base + i, ld, out + i);
    for (; i < n; i++) {
        ps_real sum = 0;
        for (size_t t = 0; t < count; t++)
            sum += weight[t] * base[index[t] * ld + i];
        out[i] = sum;
    }
}

static void pool_max(size_t n, size_t count, const uint32_t *index, const ps_real *base, size_t ld,
                     ps_real *restrict out, uint32_t *restrict arg)
{
    const ps_real *first = base + index[0] * ld;
    for (size_t i = 0; i < n; i++) {
        out[i] = first[i];
        arg[i] = 0;
    }
    for (size_t t = 1; t < count; t++) {
        const ps_real *row = base + index[t] * ld;
        for (size_t i = 0; i < n; i++) {
            int more = row[i] > out[i];
            out[i] = more ? row[i] : out[i];
            arg[i] = more ? (uint32_t)t : arg[i];
        }
    }
}

static void to_bf16(size_t n, const ps_real *restrict x, uint16_t *restrict out)
{
    for (size_t i = 0; i < n; i++) {
        union {
            float f;
            uint32_t bits;
        } v = {(float)x[i]};
        uint32_t even = v.bits + 0x7fff + (v.bits >> 16 & 1);
        out[i] = (uint16_t)(((v.bits & 0x7fffffff) > 0x7f800000 ? v.bits | 0x400000 : even) >> 16);
    }
}

static void adam(size_t n, ps_real *restrict p, const ps_real *restrict g, ps_real *restrict m, ps_real *restrict v,
                 ps_real step_size, ps_real root_scale, ps_real keep)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = PS_ADAM_BETA1 * m[i] + (1 - PS_ADAM_BETA1) * g[i];
        v[i] = PS_ADAM_BETA2 * v[i] + (1 - PS_ADAM_BETA2) * g[i] * g[i];
        p[i] = keep * p[i] - step_size * m[i] / (PS_SQRT(v[i]) * root_scale + PS_ADAM_EPS);
    }
}

static void sgd(size_t n, ps_real *restrict p, const ps_real *restrict g, ps_real *restrict m, ps_real lr,
                ps_real momentum)
{
    for (size_t i = 0; i < n; i++) {
        m[i] = momentum * m[i] + g[i];
        p[i] -= lr * m[i];
    }
}

#define NAME2(isa) ps_vec_##isa
#define NAME(isa) NAME2(isa)
#define STRING2(isa) #isa
#define STRING(isa) STRING2(isa)

extern const ps_vec_ops NAME(PS_VEC_ISA);
const ps_vec_ops NAME(PS_VEC_ISA) = {
    STRING(PS_VEC_ISA), dot,      axpy,     scale,   bias_relu, relu_grad, positive, live_grad,
    unit_relu_grad,     pool_sum, pool_max, to_bf16, adam,      sgd,
};
