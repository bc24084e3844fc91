/* embed_data.c - inputs for tests/bench/embed: vectors, neighbourhoods and models of any size, of random numbers.
 *
 *   embed_data vectors ITEMS D [CHANGED]        CHANGED of every 100 groups of 64 items have other numbers than without
 *   embed_data near ITEMS T [local]             neighbours anywhere, or within an item's group of 64
 *   embed_data model D HIDDEN OUT LAYERS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "neigh.h"
#include "rng.h"
#include "vectors.h"

enum { GROUP = 64 };

static int need(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "embed_data: %s\n", ps_errmsg());
        exit(1);
    }
    return rc;
}

static void write_vectors(ps_out *out, uint64_t items, uint32_t d, uint64_t changed)
{
    ps_head head = ps_head_make(PS_VECTORS, d);
    head.elem = PS_F32;
    head.qspace = PS_ITEMS;
    need(ps_head_size(&head));
    ps_writer *w = ps_writer_new(out, &head);
    uint8_t *p = malloc(head.size);
    need(w && p ? 0 : -1);
    for (uint64_t i = 0; i < items; i++) {
        uint64_t key = ps_mix64(i + (i / GROUP % 100 < changed ? UINT64_C(1) << 40 : 0));
        ps_put_num(p, 4, i);
        for (uint32_t j = 0; j < d; j++)
            ps_putf32(p + 4 + 4 * j, (float)(ps_mix64(key + j) >> 40) * 0x1p-23f - 1);
        need(ps_writer_put(w, p, 1));
    }
    free(p);
    need(ps_writer_close(w));
}

static void write_near(ps_out *out, uint64_t items, uint32_t T, int local)
{
    ps_head head = ps_head_make(PS_NEIGHBOURS, T);
    head.qspace = head.nspace = PS_ITEMS;
    ps_writer *w = ps_writer_new(out, &head);
    uint8_t *record = malloc(head.size);
    need(w && record ? 0 : -1);
    for (uint64_t i = 0; i < items; i++) {
        uint8_t *p = record;
        uint64_t span = local ? GROUP : items, first = local ? i / GROUP * GROUP : 0,
                 step = 1 + ps_mix64(i) % (span / (T + 1));
        span = items - first < span ? items - first : span;
        ps_put_num(p, 4, i);
        p += 4;
        for (uint32_t t = 0; t < T; t++, p += 8) {
            ps_put_num(p, 4, first + (i - first + (t + 1) * step) % span);
            ps_putf32(p + 4, 2.0f * (float)(T - t) / (float)(T * (T + 1)));
        }
        need(ps_writer_put(w, record, 1));
    }
    free(record);
    need(ps_writer_close(w));
}

static void write_model(ps_out *out, const ps_shape *shape)
{
    ps_model m;
    need(ps_model_make(&m, shape));
    ps_model_init(&m, 1);
    need(ps_model_write(&m, out));
    ps_model_free(&m);
}

static uint64_t number(int argc, char **argv, int i)
{
    return i < argc ? strtoull(argv[i], NULL, 10) : 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 3 ? argv[1] : "";
    uint64_t n = number(argc, argv, 2);
    uint32_t d = (uint32_t)number(argc, argv, 3);
    ps_out *out = ps_out_open(NULL, 0);
    need(out ? 0 : -1);
    if (strcmp(what, "vectors") == 0)
        write_vectors(out, n, d, number(argc, argv, 4));
    else if (strcmp(what, "near") == 0)
        write_near(out, n, d, argc > 4);
    else if (strcmp(what, "model") == 0 && argc > 5)
        write_model(out, &(ps_shape){.dx = (uint32_t)n,
                                     .m = d,
                                     .d = (uint32_t)number(argc, argv, 4),
                                     .layers = (uint32_t)number(argc, argv, 5),
                                     .normalize = 1,
                                     .tau = 1});
    else
        need(ps_fail(PS_EUSAGE, "see the head of embed_data.c"));
    need(ps_out_close(out));
    return 0;
}
