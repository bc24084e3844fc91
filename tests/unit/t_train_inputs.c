/* t_train_inputs.c - what a checkpoint says that it belongs to: sums over all pairs, and how they are put in order. */
#include "train_inputs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "check.h"
#include "mem.h"
#include "producer.h"

enum { PAIRS = 10000 };

static char *run_of(const ps_pairs *pairs)
{
    ps_train_inputs in = {.pairs = *pairs};
    const ps_train_paths from = {.graph = "g", .vectors = "x"};
    const ps_recipe recipe = ps_recipe_default();
    return ps_train_run(&in, &from, &recipe);
}

/* The line of a run that begins with these words. */
static int has_line(const char *run, const char *words)
{
    const size_t n = strlen(words);
    for (const char *line = run; line; line = (line = strchr(line, '\n')) ? line + 1 : NULL)
        if (strncmp(line, words, n) == 0)
            return 1;
    return 0;
}

static int says_sum(const ps_pairs *p, uLong sum)
{
    char line[80], *run = run_of(p);
    CHECK(run);
    snprintf(line, sizeof line, "pairs=%zu, sum %08lx\n", p->n, sum);
    int has = run && has_line(run, line);
    free(run);
    return has;
}

static uLong sum_of(const ps_pairs *p)
{
    const void *const arrays[] = {p->query, p->positive, p->weight};
    uLong sum = 0;
    for (int i = 0; i < 3; i++)
        sum = crc32_z(sum, arrays[i], p->n * 4);
    return sum;
}

/* All of every pair counts, and where it stands. */
static void sums(void)
{
    ps_pairs p = {.n = PAIRS, .query = ps_zalloc(PAIRS, 4), .positive = ps_zalloc(PAIRS, 4), .weight = ps_zalloc(PAIRS, 4)};
    CHECK(p.query && p.positive && p.weight);
    for (uint32_t i = 0; i < PAIRS; i++) {
        p.query[i] = i / 3;
        p.positive[i] = i * 7 % 501;
        p.weight[i] = (float)(1 + i % 4);
    }
    const uLong was = sum_of(&p);
    CHECK(says_sum(&p, was));
    const size_t places[] = {0, 4095, 4096, PAIRS - 1};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        p.weight[places[i]] += 1;
        CHECK(!says_sum(&p, was) && says_sum(&p, sum_of(&p)));
        p.weight[places[i]] -= 1;
        p.positive[places[i]]++;
        CHECK(!says_sum(&p, was) && says_sum(&p, sum_of(&p)));
        p.positive[places[i]]--;
    }
    /* A pair that is there twice is not taken away by itself: with other weights the sum is another. */
    p.query[1] = p.query[0];
    p.positive[1] = p.positive[0];
    p.weight[0] = p.weight[1] = 1;
    const uLong once = sum_of(&p);
    p.weight[0] = p.weight[1] = 2;
    CHECK(!says_sum(&p, once) && says_sum(&p, sum_of(&p)));
    free(p.query);
    free(p.positive);
    free(p.weight);
}

/* More pairs than are put in order by a list have an order by a key, and their run says so. */
static void keyed(void)
{
    const size_t n = (size_t)PS_ORDER_LISTED + 1;
    ps_pairs p = {.query = calloc(n, 4), .positive = calloc(n, 4), .weight = calloc(n, 4)}; /* never written: no memory */
    CHECK(p.query && p.positive && p.weight);
    for (p.n = n - 1; p.n <= n; p.n++) {
        char *run = run_of(&p);
        CHECK(run && has_line(run, "order=keyed\n") == (p.n > PS_ORDER_LISTED));
        free(run);
    }
    free(p.query);
    free(p.positive);
    free(p.weight);
}

int main(void)
{
    sums();
    keyed();
    CHECK_END();
}
