/* embed_sources.h - the files that psembed reads, opened together, and whether they belong together. */
#ifndef PS_EMBED_SOURCES_H
#define PS_EMBED_SOURCES_H

#include "embed_new.h"
#include "embed_update.h"

/* Their names, NULL for what is not there; vectors NULL: standard input. */
typedef struct {
    const char *model, *graph, *vectors, *neighbours, *texts;
    int asked;        /* standard input names the items that are wanted, */
    int text;         /* as lines of names (the boards too), */
    int skip_unknown; /* of which those that the graph does not know are left out */
    void (*bad_line)(const char *message); /* of ps_query_options */
    const char *fresh, *boards,
        *fresh_texts;     /* new items: their neighbourhoods or boards, texts; vectors on standard input */
    ps_walk_options walk; /* from boards */
    uint32_t top;         /* neighbours then; 0: as many as the neighbourhoods have */
    const char *old_z, *old_x, *old_n, *old_y; /* of an earlier run */
} ps_embed_files;

typedef struct {
    ps_model model;
    ps_vectors x, old_x, old_z;
    ps_neighbours n, old_n;
    ps_sparse texts, fresh_texts, old_texts;
    ps_graph graph;
    ps_spill spill;      /* memory that is left, and where temporary files go */
    ps_queries *queries; /* of the items that are asked for; NULL: of none */
    ps_reader *vectors;  /* of new items; NULL: there are none */
    ps_new_from fresh;
    ps_embed_earlier earlier; /* its vectors NULL: there is none */
    int have_graph;
} ps_embed_sources;

/* Zeroes *s, opens all files within that memory; to be closed even after a failure.  Inputs of other dimensions, kinds
 * or graphs are refused as by those who read them. */
PS_MUST_USE int ps_embed_sources_open(ps_embed_sources *s, const ps_embed_files *f, uint64_t memory, const char *dir);
void ps_embed_sources_close(ps_embed_sources *s);

/* The texts alone, into sources with a model: what --gather needs. */
PS_MUST_USE int ps_embed_sources_texts(ps_embed_sources *s, const ps_embed_files *f);

#endif
