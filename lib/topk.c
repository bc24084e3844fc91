#include "topk.h"

/* Moves `hit` down from position i until no child of it is worse. */
static void sift_down(ps_hit *heap, size_t n, size_t i, ps_hit hit)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && ps_hit_before(heap[child], heap[child + 1]))
            child++;
        if (!ps_hit_before(hit, heap[child]))
            break;
        heap[i] = heap[child];
    }
    heap[i] = hit;
}

static void sift_up(ps_hit *heap, size_t i, ps_hit hit)
{
    for (; i > 0; i = (i - 1) / 2) {
        ps_hit parent = heap[(i - 1) / 2];
        if (!ps_hit_before(parent, hit))
            break;
        heap[i] = parent;
    }
    heap[i] = hit;
}

void ps_topk_put(ps_topk *t, ps_hit hit)
{
    if (t->n < t->k)
        sift_up(t->hit, t->n++, hit);
    else if (t->k > 0 && ps_hit_before(hit, t->hit[0]))
        sift_down(t->hit, t->n, 0, hit);
}

void ps_topk_sort(ps_topk *t)
{
    for (size_t n = t->n; n > 1; n--) {
        ps_hit last = t->hit[n - 1];
        t->hit[n - 1] = t->hit[0];
        sift_down(t->hit, n - 1, 0, last);
    }
}
