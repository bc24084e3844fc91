/* neigh.h - neighbourhoods: the T items most visited from an item, with weights that sum to 1.
 *
 * A record of PS_NEIGHBOURS holds the item and T pairs (item, weight), heaviest first, padded with (PS_NONE, 0).
 * An item with no neighbours has a record of padding only.
 */
#ifndef PS_NEIGH_H
#define PS_NEIGH_H

#include "rec.h"
#include "visits.h"

/* ---- making them (PinSage, section 3.1) ---- */

/* Writes the record of `node` at `record` (head->size bytes): of `n` visits, sorted as by ps_visits_sorted, the
 * first head->dim that are not of the node itself; weight: count divided by the sum of those counts. */
void ps_neighbours_put(uint8_t *record, const ps_head *head, uint64_t node, const ps_visit *visits, size_t n);

/* The line of history that making them leaves, the same for every way of making them. */
PS_MUST_USE int ps_neighbours_note(ps_head *head);

/* Makes them from a stream of visits or walks, grouped by query; in walks every item arrived at is a visit.
 * First the header for T neighbours, from the reader's; PS_EKIND if the stream holds something else or
 * its queries are sets.  Then all records; a query without visits gets a record of padding; one whose
 * visits do not stand together is PS_EDATA, at the end. `progress` (NULL: none) is told the number of records read now
 * and then. */
PS_MUST_USE int ps_neighbours_head(ps_head *head, const ps_reader *r, uint32_t neighbours);
PS_MUST_USE int ps_neighbours_make(ps_reader *r, ps_writer *w, const ps_head *head, void (*progress)(uint64_t));

/* ---- a stream of them as a table ---- */

typedef struct {
    uint64_t n;   /* records */
    uint32_t dim; /* T */
    ps_head head; /* of the stream; the table owns it */
    ps_table table;
    int in_order;   /* record i is item i */
    uint32_t *slot; /* otherwise a hash: record + 1, 0: empty */
    uint64_t slots; /* a power of two */
} ps_neighbours;

/* Maps or reads a stream (path NULL: standard input) and checks all of it.  `graph`: the fingerprint it must match,
 * 0: any.  `items`: every item number must be below it, 0: any below 2^32 - 1.  PS_EDATA, naming the record: a number
 * out of range, an item twice, a weight that is not finite and positive, weights that do not sum to 1,
 * padding before a neighbour, a neighbour twice. */
PS_MUST_USE int ps_neighbours_open(ps_neighbours *t, const char *path, uint64_t graph, uint64_t items);
void ps_neighbours_close(ps_neighbours *t);

/* The same within limits, and what rests: as vectors do. */
PS_MUST_USE int ps_neighbours_open_within(ps_neighbours *t, const char *path, uint64_t graph, uint64_t items,
                                          ps_spill *spill);
void ps_neighbours_rest(const ps_neighbours *t, uint64_t first, uint64_t n);

/* What ps_neighbours_open says of the entries of one record, number i of the stream `name`. */
PS_MUST_USE int ps_neighbours_check(const ps_head *head, const uint8_t *record, const char *name, uint64_t i,
                                    uint64_t items);

/* Neighbours of the item, heaviest first, into arrays of `dim`: how many there are.  0: none, or the item has no
 * record.  Any number of threads at once. */
size_t ps_neighbours_get(const ps_neighbours *t, uint64_t item, uint32_t *items, float *weights);

#endif
