/* Element types of vectors: every 16-bit pattern, rounding, the 8-bit scale; vectors as a table. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "vectors.h"

/* binary16 by its definition. */
static double f16_value(uint16_t h)
{
    int exp = h >> 10 & 31, man = h & 0x3ff;
    double v = exp == 0 ? ldexp(man, -24) : exp == 31 ? (man ? NAN : INFINITY) : ldexp(1024 + man, exp - 25);
    return h & 0x8000 ? -v : v;
}

static double bf16_value(uint16_t h)
{
    int exp = h >> 7 & 255, man = h & 0x7f;
    double v = exp == 0 ? ldexp(man, -133) : exp == 255 ? (man ? NAN : INFINITY) : ldexp(128 + man, exp - 134);
    return h & 0x8000 ? -v : v;
}

static uint16_t put16(ps_elem elem, float v)
{
    uint8_t p[2];
    ps_elem_put(p, elem, 1, v);
    return ps_get16(p);
}

/* Every pattern is read as what it means, and written back as itself; halfway between two neighbours goes to
 * the even one, a little off it to the nearer. */
static void all_patterns(ps_elem elem, double (*value)(uint16_t), uint16_t infinity)
{
    for (uint32_t h = 0; h < 0x10000; h++) {
        uint8_t p[2];
        ps_put16(p, (uint16_t)h);
        double wanted = value((uint16_t)h);
        float got = ps_elem_get(p, elem, 1);
        if (isnan(wanted)) {
            CHECK(isnan(got) && isnan(value(put16(elem, got))));
            continue;
        }
        CHECK((double)got == wanted && !signbit(got) == !(h & 0x8000));
        CHECK(put16(elem, got) == h);
        if ((h & 0x7fff) + 1 >= infinity)
            continue;
        double next = value((uint16_t)(h + 1)), half = (wanted + next) / 2;
        CHECK(put16(elem, (float)half) == (h & 1 ? h + 1 : h));
        CHECK(put16(elem, (float)(wanted + (next - wanted) * 0.25)) == h);
        CHECK(put16(elem, (float)(wanted + (next - wanted) * 0.75)) == h + 1);
    }
    CHECK(put16(elem, INFINITY) == infinity && put16(elem, -INFINITY) == (0x8000 | infinity));
}

static void i8(void)
{
    int8_t p;
    for (int q = -127; q <= 127; q++) {
        ps_elem_put(&p, PS_I8, 0.03125f, (float)q * 0.03125f);
        CHECK(p == q && ps_elem_get(&p, PS_I8, 0.03125f) == (float)q * 0.03125f);
    }
    ps_elem_put(&p, PS_I8, 1, 500);
    CHECK(p == 127);
    ps_elem_put(&p, PS_I8, 1, -500);
    CHECK(p == -127);
    ps_elem_put(&p, PS_I8, 1, 2.5f);
    CHECK(p == 2);
}

/* Items in the order that `item` gives, elements item + j / 4. */
static void write_vectors(const char *path, ps_elem elem, const uint32_t *item, size_t n, uint32_t d)
{
    ps_head h = ps_head_make(PS_VECTORS, d);
    h.elem = elem;
    h.qspace = PS_ITEMS;
    h.graph = 99;
    h.scale = elem == PS_I8 ? 0.25f : 1;
    CHECK_OK(ps_head_size(&h));
    ps_out *out = ps_out_open(path, 0);
    ps_writer *w = ps_writer_new(out, &h);
    uint8_t *r = malloc(h.size);
    for (size_t i = 0; i < n; i++) {
        ps_put_num(r, 4, item[i]);
        for (uint32_t j = 0; j < d; j++)
            ps_elem_put(r + 4 + j * ps_elem_size(elem), elem, h.scale, (float)item[i] + (float)j / 4);
        CHECK_OK(ps_writer_put(w, r, 1));
    }
    free(r);
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
}

/* limited: with memory for nothing, so that what is converted goes to a file. */
static void tables(int limited)
{
    const uint32_t straight[] = {0, 1, 2, 3, 4}, crooked[] = {7, 3, 20, 0, 4};
    for (int elem = PS_F32; elem < PS_ELEM_END; elem++)
        for (int k = 0; k < 2; k++) {
            const uint32_t *item = k ? crooked : straight;
            ps_vectors v;
            ps_spill none = {0, "."};
            write_vectors("v.psr", (ps_elem)elem, item, 5, 3);
            CHECK_OK(ps_vectors_open_within(&v, "v.psr", 99, limited ? &none : NULL));
            CHECK(v.converted.mapped == (limited && elem != PS_F32));
            ps_vectors_rest(&v, 1, 10);
            CHECK(v.n == 5 && v.d == 3 && v.in_order == !k && !v.has_bias);
            for (uint64_t i = 0; i < 5; i++) {
                CHECK(ps_vectors_item(&v, i) == item[i] && ps_vectors_find(&v, item[i]) == i);
                for (uint32_t j = 0; j < 3; j++)
                    CHECK(ps_vectors_row(&v, i)[j] == (float)item[i] + (float)j / 4);
            }
            CHECK(ps_vectors_find(&v, 6) == PS_NONE && ps_vectors_find(&v, PS_NONE) == PS_NONE);
            ps_vectors_close(&v);
            CHECK(ps_vectors_open(&v, "v.psr", 98) == PS_EMATCH);
        }
}

static void refused_tables(void)
{
    const uint32_t twice[] = {0, 5, 2, 5};
    ps_vectors v;
    write_vectors("v.psr", PS_F32, twice, 4, 3);
    CHECK(ps_vectors_open(&v, "v.psr", 0) == PS_EDATA && strstr(ps_errmsg(), "record 3: item 5 again"));

    const float not_finite[] = {NAN, -NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 4; i++) {
        ps_head h = ps_head_make(PS_VECTORS, 2);
        ps_out *out = ps_out_open("v.psr", 0);
        ps_writer *w = ps_writer_new(out, &h);
        uint8_t r[12] = {0};
        ps_putf32(r + 4, FLT_MAX);
        CHECK_OK(ps_writer_put(w, r, 1));
        ps_put32(r, 1);
        ps_putf32(r + 8, not_finite[i]);
        CHECK_OK(ps_writer_put(w, r, 1));
        CHECK_OK(ps_writer_close(w));
        CHECK_OK(ps_out_close(out));
        CHECK(ps_vectors_open(&v, "v.psr", 0) == PS_EDATA);
        CHECK(strstr(ps_errmsg(), i < 2 ? "record 1, element 1: NaN" : "record 1, element 1: infinity"));
    }
}

int main(void)
{
    all_patterns(PS_F16, f16_value, 0x7c00);
    all_patterns(PS_BF16, bf16_value, 0x7f80);
    i8();
    tables(0);
    tables(1);
    refused_tables();
    CHECK_END();
}
