#include "topk.h"

#include <string.h>

enum { FEW = 128 };

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

/* Each hit's place is the number of those before it: for few that is sooner counted than a heap is emptied. */
static void sort_few(ps_hit *hit, size_t n)
{
    float score[FEW];
    ps_hit sorted[FEW];
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        score[i] = hit[i].score;
    for (size_t i = 0; i < n; i++) {
        uint32_t place = 0, equal = 0;
        for (size_t j = 0; j < n; j++) {
            place += score[j] > score[i];
            equal += score[j] == score[i];
        }
        for (size_t j = 0; j < n && equal > 1; j++)
            if (score[j] == score[i])
                place += j < i ? hit[j].item <= hit[i].item : hit[j].item < hit[i].item;
        sorted[place] = hit[i];
    }
    memcpy(hit, sorted, n * sizeof *hit);
}

void ps_topk_sort(ps_topk *t)
{
    if (t->n <= FEW) {
        sort_few(t->hit, t->n);
        return;
    }
    for (size_t n = t->n; n > 1; n--) {
        ps_hit last = t->hit[n - 1];
        t->hit[n - 1] = t->hit[0];
        sift_down(t->hit, n - 1, 0, last);
    }
}
