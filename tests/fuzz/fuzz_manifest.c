/* Manifests in a folder with three parts: what is told of them is what is read, or it is refused; nothing else is
 * opened.
 *
 * First byte: the last line is made right for the lines before it (bit 0), as records one by one (1). */
#include <fcntl.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char folder[] = "/dev/shm/psgraph-fuzz.XXXXXX";

static void remove_folder(void)
{
    static const char *const names[] = {"a", "b", "c", "pipe", "all"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* Parts a, b and c with 1 to 3 ids, whose sizes and CRCs are the seeds' (tests/fuzz/run). */
static void make_folder(void)
{
    MUST(mkdtemp(folder));
    atexit(remove_folder);
    for (uint32_t part = 0; part < 3; part++) {
        char path[64];
        snprintf(path, sizeof path, "%s/%c", folder, 'a' + (int)part);
        ps_head h = ps_head_make(PS_IDS, 0);
        ps_out *out = ps_out_open(path, 0);
        ps_writer *w = ps_writer_new(out, &h);
        for (uint32_t i = 0; i <= part; i++) {
            uint8_t r[4];
            ps_put_num(r, 4, 10 * part + i);
            MUST(ps_writer_put(w, r, 1) == 0);
        }
        MUST(ps_writer_close(w) == 0 && ps_out_close(out) == 0);
    }
    char path[64];
    snprintf(path, sizeof path, "%s/pipe", folder);
    MUST(mkfifo(path, 0600) == 0);
}

/* The lines with a last one that counts them. */
static size_t sealed(char *text, size_t n)
{
    uint64_t parts = 0, records = 0, of;
    char *end = memrchr(text, '\n', n);
    const size_t length = end ? (size_t)(end + 1 - text) : 0;
    text[length] = 0;
    for (const char *p = text; (p = strchr(p, '\n')) && p[1]; parts++)
        if (sscanf(++p, "%*[^\t\n]\t%lu\t", &of) == 1)
            records += of;
    return length + (size_t)sprintf(text + length, "end\t%lu\t%lu\t%08x\n", parts, records,
                                    (unsigned)crc32_z(0, (uint8_t *)text, length));
}

static void read_all(const char *path, size_t batch)
{
    ps_reader *r = ps_reader_open(path, 0);
    const uint8_t *p;
    uint64_t count = 0;
    long got = 0;
    while (r && (got = ps_reader_next(r, &p, batch)) > 0)
        count += (uint64_t)got;
    MUST(!r || ps_reader_count(r) == count);
    ps_reader_close(r);
    ps_table table;
    if (ps_table_open(&table, path, 0) == 0) {
        MUST(r && got == 0 && table.count == count);
        ps_table_close(&table);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1)
        return 0;
    if (folder[sizeof folder - 2] == 'X')
        make_folder();
    char path[64], *text = malloc(n + 100);
    MUST(text);
    memcpy(text, data + 1, n - 1);
    const size_t size = data[0] & 1 ? sealed(text, n - 1) : n - 1;
    snprintf(path, sizeof path, "%s/all", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0 && write(fd, text, size) == (ssize_t)size);
    close(fd);
    free(text);
    read_all(path, data[0] & 2 ? 1 : 1000);
    return 0;
}
