/* Text to records (psview -t) of every kind: what is taken obeys the rules, printed it is taken again, as the same
 * records. */
#include "fuzz.h"
#include "view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

typedef struct {
    const ps_graph *graph;
    ps_printer printer;
    ps_out *out;
    uint64_t n;
    uint32_t crc;
} taking;

static int take(void *ctx, const ps_head *head, const uint8_t *record, const char *stream)
{
    taking *t = ctx;
    if (ps_rules_record(head, t->graph, record, stream, t->n++) < 0)
        return PS_EDATA;
    t->crc = (uint32_t)crc32_z(t->crc, record, head->size);
    t->printer.head = head;
    return t->out ? ps_print_record(&t->printer, t->out, record) : 0;
}

static int load(const char *path, ps_kind kind, uint32_t dim, int wide, taking *t)
{
    ps_loader l = {.head = ps_head_make(kind, dim), .graph = t->graph, .wide = wide};
    ps_usual_spaces(&l.head);
    ps_in *in = ps_in_open(path);
    int rc = in ? ps_load(&l, in, take, t) : PS_EDATA; /* a manifest of nothing */
    ps_in_close(in);
    ps_loader_free(&l);
    return rc;
}

/* First byte: kind, and whether by names; second: dimension and form. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    const ps_kind kind = (ps_kind)(1 + (data[0] & 15) % (PS_KIND_END - 1));
    const int wide = (data[1] & 128) != 0 && (kind == PS_HITS || kind == PS_NEIGHBOURS);
    const uint32_t dim = kind == PS_EDGES || kind == PS_IDS || kind == PS_VISITS || kind == PS_PAIRS ? 0
                                                                                                     : 1 + data[1] % 8;
    taking first = {.graph = data[0] & 16 ? fuzz_small_graph() : NULL, .printer = {.wide = wide}}, second = first;
    first.printer.graph = second.printer.graph = first.graph;
    fuzz_file f = fuzz_file_make(data + 2, n - 2), text = fuzz_file_make(NULL, 0);
    first.out = ps_out_on(text.fd, "fuzz");
    MUST(first.out);
    int rc = load(f.path, kind, dim, wide, &first);
    MUST(ps_out_close(first.out) == 0);
    /* Numbers are printed to so many digits that they come back; two records that stand behind each other may be one in
     * print. */
    if (rc == 0 && first.n > 0 &&
        (kind == PS_EDGES || kind == PS_IDS || kind == PS_VISITS || kind == PS_PAIRS || kind == PS_SPARSE)) {
        MUST(load(text.path, kind, dim, wide, &second) == 0);
        MUST(second.n == first.n && second.crc == first.crc);
    }
    fuzz_file_close(&text);
    fuzz_file_close(&f);
    return 0;
}
