/* magic.h - which of psgraph's files one is, by its first bytes. */
#ifndef PS_MAGIC_H
#define PS_MAGIC_H

#include <stddef.h>
#include <stdint.h>

typedef enum {
    PS_FILE_OTHER,
    PS_FILE_RECORDS,
    PS_FILE_GRAPH,
    PS_FILE_MODEL,
    PS_FILE_INDEX,
    PS_FILE_FEATURES,
    PS_FILE_CHECKPOINT
} ps_file_type;

/* By the letters at p[1..3], which survive a transfer as text. */
ps_file_type ps_file_type_of(const uint8_t *p, size_t n);

/* "a record stream", "a graph", "a model", "an index", "a state of psfeat", "a checkpoint"; "something else" */
const char *ps_file_type_name(ps_file_type type);

#endif
