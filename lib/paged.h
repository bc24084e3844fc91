/* paged.h - an array that grows in memory and, told to, moves to a temporary file that is mapped: then the system may
 * keep on disk what does not fit. */
#ifndef PS_PAGED_H
#define PS_PAGED_H

#include "temp.h"

typedef struct {
    void *p;
    size_t bytes; /* that it can hold */
    int mapped;
    ps_temp file;
} ps_paged;

/* Room for `bytes`; new bytes of a mapped array are 0, others are not set. */
PS_MUST_USE int ps_paged_grow(ps_paged *a, size_t bytes);

/* It will be read at random: asks for huge pages, unless it is mapped. */
void ps_paged_huge(ps_paged *a);

/* The same contents in a file in `dir`, which must outlive it. */
PS_MUST_USE int ps_paged_to_file(ps_paged *a, const char *dir);

/* Gives the process's memory back; what is in it stays. */
void ps_paged_rest(ps_paged *a);
void ps_paged_free(ps_paged *a);

/* Bytes of memory that this process holds now. */
uint64_t ps_resident(void);

/* Half of what the machine has free, 64 MiB at least: what a tool may use that was not told. */
uint64_t ps_free_memory(void);

#endif
