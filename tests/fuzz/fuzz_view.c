/* What psview -c, -H and its text make of any file: what is found to be well-formed can be shown, by itself and beside
 * a graph. */
#include "frame.h"
#include "fuzz.h"
#include "view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

typedef struct {
    ps_printer printer;
    ps_out *out;
} showing;

static int begin(void *ctx, const ps_head *head, const char *stream)
{
    (void)stream;
    ((showing *)ctx)->printer.head = head;
    return 0;
}

static int show(void *ctx, const ps_head *head, const uint8_t *record, const char *stream, uint64_t number)
{
    showing *s = ctx;
    if (ps_rules_record(head, s->printer.graph, record, stream, number) < 0)
        return PS_EDATA;
    return ps_print_record(&s->printer, s->out, record);
}

static void show_records(const char *path, const ps_graph *g, int json, int wide, ps_out *out)
{
    ps_in *in = ps_in_open(path);
    showing s = {.printer = {.graph = g, .json = json, .wide = wide}, .out = out};
    if (in)
        (void)!ps_view_records(in, g, begin, show, &s);
    ps_in_close(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    static int null = -1;
    if (null < 0) {
        FILE *f = fopen("/dev/null", "wb");
        MUST(f);
        null = fileno(f);
    }
    uint8_t *copy = malloc(n);
    memcpy(copy, data + 1, n - 1);
    if (data[0] & 1)
        fuzz_seal_stream(copy, n - 1);
    fuzz_file f = fuzz_file_make(copy, n - 1);
    free(copy);
    const ps_graph *g = data[0] & 8 ? fuzz_small_graph() : NULL;
    ps_out *out = ps_out_on(null, "fuzz");
    MUST(out);
    int checked = ps_view_check(f.path, g);
    int described = ps_view_describe(f.path, g, out, data[0] & 2, data[0] & 4);
    MUST(described == 0 || checked < 0);
    show_records(f.path, g, data[0] & 2, data[0] & 16, out);
    MUST(ps_out_close(out) == 0);
    fuzz_file_close(&f);
    return 0;
}
