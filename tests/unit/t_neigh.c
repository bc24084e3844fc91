/* Neighbourhoods: the record made from visits, the table by item, what it refuses. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "neigh.h"

enum { T = 3 };
static char path[4096];

typedef struct {
    uint64_t item;
    uint64_t at[T];
    float weight[T];
} row;

static int write_rows(const row *rows, size_t n, int width, uint64_t graph)
{
    ps_head h = ps_head_make(PS_NEIGHBOURS, T);
    uint8_t record[8 + T * 12];
    h.width = width;
    h.graph = graph;
    CHECK_OK(ps_head_size(&h));
    ps_out *out = ps_out_open(path, 0);
    ps_writer *w = out ? ps_writer_new(out, &h) : NULL;
    int rc = w ? 0 : -1;
    for (size_t i = 0; i < n && rc == 0; i++) {
        uint8_t *p = record + width;
        ps_put_num(record, width, rows[i].item);
        for (int j = 0; j < T; j++, p += width + 4) {
            ps_put_num(p, width, rows[i].at[j]);
            ps_putf32(p + width, rows[i].weight[j]);
        }
        rc = ps_writer_put(w, record, 1);
    }
    if (rc == 0)
        rc = ps_writer_close(w);
    return rc == 0 ? ps_out_close(out) : rc;
}

static void test_put(void)
{
    ps_head h = ps_head_make(PS_NEIGHBOURS, T);
    uint8_t record[4 + T * 8];
    const ps_visit five[] = {{9, 40}, {2, 30}, {7, 20}, {1, 10}, {3, 10}};
    ps_neighbours_put(record, &h, 9, five, 5);
    CHECK(ps_get32(record) == 9 && ps_get32(record + 4) == 2 && ps_get32(record + 12) == 7 && ps_get32(record + 20) == 1);
    CHECK(ps_getf32(record + 8) == .5f && ps_getf32(record + 16) == (float)(1 / 3.0) &&
          ps_getf32(record + 24) == (float)(1 / 6.0));
    ps_neighbours_put(record, &h, 5, five, 2);
    CHECK(ps_get32(record + 4) == 9 && ps_getf32(record + 8) == (float)(4 / 7.0));
    CHECK(ps_get32(record + 20) == UINT32_MAX && ps_getf32(record + 24) == 0);
    ps_neighbours_put(record, &h, 9, five, 1); /* visited itself only */
    CHECK(ps_get32(record) == 9 && ps_get32(record + 4) == UINT32_MAX && ps_getf32(record + 8) == 0);
    ps_neighbours_put(record, &h, 4, five, 0);
    CHECK(ps_get32(record) == 4 && ps_get32(record + 4) == UINT32_MAX);
}

#define NO PS_NONE

static void test_table(const row *rows, size_t n, int width, int in_order)
{
    ps_neighbours t;
    uint32_t items[T];
    float weights[T];
    CHECK_OK(write_rows(rows, n, width, 77));
    CHECK(ps_neighbours_open(&t, path, 78, 0) == PS_EMATCH);
    CHECK_OK(ps_neighbours_open(&t, path, 77, 0));
    CHECK(t.dim == T && t.n == n && t.in_order == in_order);
    for (size_t i = 0; i < n; i++) {
        size_t got = ps_neighbours_get(&t, rows[i].item, items, weights), want = 0;
        for (; want < T && rows[i].at[want] != NO; want++)
            CHECK(want < got && items[want] == rows[i].at[want] && weights[want] == rows[i].weight[want]);
        CHECK(got == want);
    }
    CHECK(ps_neighbours_get(&t, 1000, items, weights) == 0);
    CHECK(ps_neighbours_get(&t, PS_NONE, items, weights) == 0);
    ps_neighbours_close(&t);
}

static void refused(row bad, uint64_t items, int width, int line)
{
    const row good = {0, {1, 2, NO}, {.75f, .25f, 0}}, rows[] = {good, bad};
    ps_neighbours t;
    CHECK_OK(write_rows(rows, 2, width, 0));
    if (ps_neighbours_open(&t, path, 77, items) != PS_EDATA) {
        fprintf(stderr, "%s:%d: taken, though it is damaged\n", __FILE__, line);
        check_failures++;
    }
}
#define REFUSED(items, width, ...) refused((row)__VA_ARGS__, items, width, __LINE__)

int main(void)
{
    snprintf(path, sizeof path, "%s/t_neigh.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    test_put();
    const row ordered[] = {{0, {2, 1, NO}, {.75f, .25f, 0}}, {1, {NO, NO, NO}, {0}}, {2, {5, 0, 9}, {.5f, .25f, .25f}}};
    const row loose[] = {{7, {2, 1, NO}, {.75f, .25f, 0}}, {0, {NO, NO, NO}, {0}}, {2, {5, 0, 9}, {.5f, .25f, .25f}}};
    test_table(ordered, 3, 4, 1);
    test_table(ordered, 3, 8, 1);
    test_table(loose, 3, 4, 0);
    test_table(loose, 3, 8, 0);
    test_table(ordered, 0, 4, 1);
    REFUSED(0, 4, {0, {NO, NO, NO}, {0}});                      /* item 0 again */
    REFUSED(10, 4, {10, {NO, NO, NO}, {0}});                    /* out of range */
    REFUSED(10, 4, {1, {10, NO, NO}, {1}});                     /* a neighbour out of range */
    REFUSED(0, 8, {1, {UINT64_C(1) << 33, NO, NO}, {1}});       /* beyond 32 bits */
    REFUSED(0, 8, {UINT64_C(1) << 33, {NO, NO, NO}, {0}});
    REFUSED(0, 4, {1, {NO, 2, NO}, {0, 1, 0}});                 /* after padding */
    REFUSED(0, 4, {1, {2, 3, NO}, {NAN, 1, 0}});
    REFUSED(0, 4, {1, {2, 3, NO}, {INFINITY, 1, 0}});
    REFUSED(0, 4, {1, {2, 3, NO}, {1.5f, -.5f, 0}});
    REFUSED(0, 4, {1, {2, 3, NO}, {1, 0, 0}});                  /* a weight of 0 */
    REFUSED(0, 4, {1, {2, 3, NO}, {.5f, .25f, 0}});             /* do not sum to 1 */
    REFUSED(0, 4, {1, {2, 3, 2}, {.5f, .25f, .25f}});           /* a neighbour twice */
    REFUSED(0, 4, {1, {2, 2, NO}, {.5f, .5f, 0}});
    unlink(path);
    CHECK_END();
}
