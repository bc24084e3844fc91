/* walk_answer.h - the records that queries of walks are answered with; what walk_run.c keeps of a task. */
#ifndef PS_WALK_ANSWER_H
#define PS_WALK_ANSWER_H

#include "pixie.h"
#include "rec.h"
#include "walk.h"

typedef struct {
    uint8_t *records;
    size_t cap, n; /* records */
    uint64_t steps;
    double left_out; /* of pushes: the largest share */
} ps_answer;

/* Room for n more records of head->size bytes; NULL without memory. */
PS_MUST_USE uint8_t *ps_answer_more(ps_answer *a, const ps_head *head, size_t n);

/* Each of these adds the records of one query: visits as they are, one of itself with the count 0 if there are none;
 * one record of hits, with the shares of all steps as scores; one of walks for each path, or one of padding. */
PS_MUST_USE int ps_answer_visits(ps_answer *a, const ps_head *head, uint64_t query, const ps_visit *v, size_t n);
PS_MUST_USE int ps_answer_hits(ps_answer *a, const ps_head *head, uint64_t query, const ps_visit *v, size_t n,
                               uint64_t steps);
PS_MUST_USE int ps_answer_paths(ps_answer *a, const ps_head *head, uint64_t query, ps_walker *walker);

/* The same of a set, which has no visits of itself: without any it has no record. */
PS_MUST_USE int ps_answer_set_visits(ps_answer *a, const ps_head *head, uint64_t set, const ps_scored *s, size_t n);
PS_MUST_USE int ps_answer_set_hits(ps_answer *a, const ps_head *head, uint64_t set, const ps_scored *s, size_t n,
                                   uint64_t steps);

#endif
