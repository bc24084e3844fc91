/* The k best against a full sort, for sizes around k, with many ties. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rng.h"
#include "topk.h"

enum { MOST = 300 };

static int order(const void *a, const void *b)
{
    ps_hit x = *(const ps_hit *)a, y = *(const ps_hit *)b;
    return ps_hit_before(x, y) ? -1 : ps_hit_before(y, x);
}

static int agrees(size_t n, size_t k, uint64_t seed, unsigned scores)
{
    ps_hit all[MOST], kept[MOST + 1];
    ps_topk t = {kept, k, 0};
    kept[k] = (ps_hit){-77, 77}; /* guard */
    for (size_t i = 0; i < n; i++) {
        uint64_t item = (i * 7 + seed) % n; /* every number once where 7 does not divide n */
        all[i] = (ps_hit){(float)ps_below(ps_rng(seed, i), scores) - 2, item};
        int wanted = ps_topk_wants(&t, all[i].score);
        ps_hit before = t.n ? t.hit[0] : (ps_hit){0, 0};
        size_t held = t.n;
        ps_topk_put(&t, all[i]);
        int changed = t.n != held || (t.n && memcmp(&before.item, &t.hit[0].item, sizeof before.item) != 0);
        if (changed && !wanted)
            return 0;
    }
    qsort(all, n, sizeof *all, order);
    ps_topk_sort(&t);
    if (t.n != (n < k ? n : k) || kept[k].item != 77)
        return 0;
    for (size_t i = 0; i < t.n; i++)
        if (t.hit[i].item != all[i].item || t.hit[i].score != all[i].score)
            return 0;
    return 1;
}

int main(void)
{
    static const size_t sizes[] = {0, 1, 2, 3, 8, 100, 299};
    static const size_t ks[] = {0, 1, 2, 3, 7, 100, 300};
    for (size_t a = 0; a < 7; a++)
        for (size_t b = 0; b < 7; b++)
            for (uint64_t seed = 1; seed <= 5; seed++) {
                CHECK(agrees(sizes[a], ks[b], seed, 4));    /* mostly ties */
                CHECK(agrees(sizes[a], ks[b], seed, 1));    /* ties only */
                CHECK(agrees(sizes[a], ks[b], seed, 1000)); /* few */
            }
    ps_hit minus = {-0.0f, 3}, plus = {0.0f, 5};
    CHECK(ps_hit_before(minus, plus) && !ps_hit_before(plus, minus));
    CHECK_END();
}
