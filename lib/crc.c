#include "crc.h"

#include <zlib.h>

#if defined(__x86_64__)
#include <immintrin.h>

/* Remainders of powers of x modulo the CRC's polynomial, bits reflected (Gopal et al., "Fast CRC computation for
 * generic polynomials using PCLMULQDQ", Intel 2009): folding over 64 bytes, over 16 bytes, to 64 bits; Barrett. */
#define FOLD_64 _mm_set_epi64x(0x1c6e41596, 0x154442bd4)
#define FOLD_16 _mm_set_epi64x(0x0ccaa009e, 0x1751997d0)
#define FOLD_8 _mm_set_epi64x(0, 0x163cd6124)
#define BARRETT _mm_set_epi64x(0x1f7011641, 0x1db710641)

__attribute__((target("pclmul,sse4.1"))) static __m128i fold(__m128i x, __m128i next, __m128i k)
{
    __m128i low = _mm_clmulepi64_si128(x, k, 0x00), high = _mm_clmulepi64_si128(x, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* n: a multiple of 16, at least 64. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t crc_clmul(uint32_t crc, const uint8_t *p, size_t n)
{
    const __m128i *v = (const __m128i *)(const void *)p;
    __m128i x[4], mask = _mm_setr_epi32(-1, 0, -1, 0);
    for (int i = 0; i < 4; i++)
        x[i] = _mm_loadu_si128(v++);
    x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)~crc));
    for (n -= 64; n >= 64; n -= 64)
        for (int i = 0; i < 4; i++)
            x[i] = fold(x[i], _mm_loadu_si128(v++), FOLD_64);
    for (int i = 1; i < 4; i++)
        x[0] = fold(x[0], x[i], FOLD_16);
    for (; n >= 16; n -= 16)
        x[0] = fold(x[0], _mm_loadu_si128(v++), FOLD_16);
    __m128i a = _mm_xor_si128(_mm_srli_si128(x[0], 8), _mm_clmulepi64_si128(x[0], FOLD_16, 0x10));
    a = _mm_xor_si128(_mm_srli_si128(a, 4), _mm_clmulepi64_si128(_mm_and_si128(a, mask), FOLD_8, 0x00));
    __m128i q = _mm_clmulepi64_si128(_mm_and_si128(a, mask), BARRETT, 0x10);
    q = _mm_clmulepi64_si128(_mm_and_si128(q, mask), BARRETT, 0x00);
    return ~(uint32_t)_mm_extract_epi32(_mm_xor_si128(a, q), 1);
}

static size_t fast_part(uint32_t *crc, const uint8_t *p, size_t n)
{
    if (n < 64 || !__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("sse4.1"))
        return 0;
    n = n / 16 * 16;
    *crc = crc_clmul(*crc, p, n);
    return n;
}
#else
static size_t fast_part(uint32_t *crc, const uint8_t *p, size_t n)
{
    (void)crc, (void)p, (void)n;
    return 0;
}
#endif

uint32_t ps_crc32(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;
    size_t done = fast_part(&crc, p, n);
    return done < n ? (uint32_t)crc32_z(crc, p + done, n - done) : crc;
}

uint32_t ps_crc_join(uint32_t first, uint32_t second, uint64_t n)
{
    return (uint32_t)crc32_combine64(first, second, (z_off64_t)n);
}
