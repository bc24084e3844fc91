/* Folders of parts by their manifests: read as one stream, or refused with the reason; a FIFO among them makes nobody
 * wait. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "crc.h"
#include "manifest.h"
#include "rec.h"

typedef struct {
    uint64_t records, bytes;
    uint32_t crc;
} part;

/* Ids first .. first + n - 1. */
static part put_part(const char *path, uint32_t first, uint32_t n)
{
    part p = {.records = n};
    ps_head h = ps_head_make(PS_IDS, 0);
    ps_out *out = ps_out_open(path, 0);
    ps_writer *w = ps_writer_new(out, &h);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t r[4];
        ps_put_num(r, 4, first + i);
        p.crc = ps_crc32(p.crc, r, sizeof r);
        CHECK_OK(ps_writer_put(w, r, 1));
    }
    CHECK_OK(ps_writer_close(w));
    CHECK_OK(ps_out_close(out));
    struct stat st;
    CHECK(stat(path, &st) == 0);
    p.bytes = (uint64_t)st.st_size;
    return p;
}

static const char path[] = "manifest.tmp";

static void put(const char *text)
{
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* These lines between a title and an end that is right for them, or for so many parts. */
static void put_lines(const char *lines, unsigned parts, uint64_t records)
{
    char *text = NULL, *all = NULL;
    CHECK(asprintf(&text, "psgraph parts 1\n%s", lines) > 0);
    CHECK(asprintf(&all, "%send\t%u\t%lu\t%08x\n", text, parts, records, ps_crc32(0, text, strlen(text))) > 0);
    put(all);
    free(all);
    free(text);
}

static const char *line(const char *name, const part *p)
{
    static char text[4][400];
    static int at;
    char *to = text[at++ % 4];
    snprintf(to, sizeof text[0], "%s\t%lu\t%08x\t%lu\n", name, p->records, p->crc, p->bytes);
    return to;
}

static void refused(const char *why)
{
    const uint8_t *p;
    long got = -1;
    ps_reader *r = ps_reader_open(path, 0);
    while (r && (got = ps_reader_next(r, &p, 100)) > 0)
        continue;
    ps_reader_close(r);
    if (got >= 0 || !strstr(ps_errmsg(), why)) {
        fprintf(stderr, "expected '%s', got %ld: %s\n", why, got, ps_errmsg());
        CHECK(0);
    }
}

static void whole(const part *a, const part *b)
{
    char lines[900];
    snprintf(lines, sizeof lines, "%s%s%s", line("part-a", a), line("part-b", b), line("part-a", a));
    put_lines(lines, 3, 2 * a->records + b->records);
    ps_table t;
    CHECK_OK(ps_table_open(&t, path, PS_IDS));
    CHECK(t.count == 7);
    for (uint32_t i = 0; i < 7; i++)
        CHECK(ps_num(t.records + 4 * i, 4) == (i < 2 ? i : i < 5 ? 8 + i : i - 5));
    ps_table_close(&t);
}

static void damaged(const part *a)
{
    put("psgraph parts 1\n");
    refused("truncated");
    put("psgraph parts 1\npart-a\t1\t00000000\t100\n");
    refused("truncated");
    put("psgraph parts 1\nend\t1\t1\t00000000\n");
    refused("its CRC does not match");
    put_lines("", 0, 0);
    refused("it has no parts");
    put_lines("part-a\n", 1, 1);
    refused("a line of it makes no sense");
    put_lines(line("part-a", a), 2, a->records);
    refused("its parts are not as many as its end says");
    put_lines(line("part-a", a), 1, a->records + 1);
    refused("its parts are not as many as its end says");
}

static void other_parts(const part *a, const part *b)
{
    put_lines(line("part-c", a), 1, a->records);
    refused("part-c: cannot open");
    put_lines(line("../part-a", a), 1, a->records);
    refused("a line of it makes no sense");
    put_lines(line("part-b", a), 1, a->records);
    refused("its part part-b has");
    part p = *a;
    p.crc++;
    put_lines(line("part-a", &p), 1, p.records);
    refused("is another one");
    p = *b;
    p.records++;
    put_lines(line("part-b", &p), 1, p.records);
    refused("is another one");
    CHECK(mkfifo("pipe.tmp", 0600) == 0);
    put_lines(line("pipe.tmp", a), 1, a->records);
    alarm(20); /* whoever waits for a writer is ended */
    refused("is not a plain file");
    alarm(0);
}

int main(void)
{
    const part a = put_part("part-a", 0, 2), b = put_part("part-b", 10, 3);
    whole(&a, &b);
    damaged(&a);
    other_parts(&a, &b);
    CHECK_END();
}
