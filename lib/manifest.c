#include "manifest.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc.h"
#include "io.h"
#include "mem.h"
#include "rec_head.h"

static const char title[] = "psgraph parts 1\n";
_Static_assert(sizeof title - 1 == PS_MANIFEST_MAGIC, "");

struct ps_manifest {
    char *path, *text;
    const char *next, *end; /* lines of parts that are to come; the last line */
};

int ps_manifest_magic(const uint8_t *p, size_t n)
{
    return n >= sizeof title - 1 && memcmp(p, title, sizeof title - 1) == 0;
}

static int damaged(const ps_manifest *m, const char *why)
{
    return ps_fail(PS_EDATA, "%s: a manifest of parts, but %s", m->path, why);
}

/* The last line counts the parts and their records, and has the CRC of all lines before. */
static int check(ps_manifest *m, size_t size)
{
    uint64_t parts = 0, records = 0, have = 0, lines = 0;
    uint32_t crc;
    int used = 0;
    const char *last = size > sizeof title && m->text[size - 1] == '\n' ? memrchr(m->text, '\n', size - 1) : NULL;
    if (!last || strlen(m->text) != size ||
        sscanf(last + 1, "end\t%" SCNu64 "\t%" SCNu64 "\t%8" SCNx32 "\n%n", &parts, &records, &crc, &used) != 3 ||
        last + 1 + used != m->text + size)
        return damaged(m, "truncated: its last line is not its end");
    m->next = m->text + sizeof title - 1;
    m->end = last + 1;
    if (crc != ps_crc32(0, m->text, (size_t)(m->end - m->text)))
        return damaged(m, "damaged: its CRC does not match");
    for (const char *p = m->next; p < m->end; p = strchr(p, '\n') + 1, lines++) {
        uint64_t n;
        if (sscanf(p, "%*[^\t\n]\t%" SCNu64 "\t", &n) != 1)
            return damaged(m, "a line of it makes no sense");
        have += n;
    }
    if (lines != parts || have != records || parts == 0)
        return damaged(m, parts ? "its parts are not as many as its end says" : "it has no parts");
    return 0;
}

static int load(ps_manifest *m, const char *path)
{
    ps_blob b;
    struct stat st;
    m->path = strdup(path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (!m->path || fd < 0 || fstat(fd, &st) < 0 || ps_blob_map_open(&b, fd, (size_t)st.st_size, path) < 0) {
        int rc = ps_fail(PS_ESYS, "%s: cannot read", path);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    close(fd);
    m->text = ps_zalloc(b.size + 1, 1);
    if (m->text)
        memcpy(m->text, b.data, b.size);
    int rc = m->text ? check(m, b.size) : PS_EMEM;
    ps_blob_close(&b);
    return rc;
}

ps_manifest *ps_manifest_open(const char *path)
{
    ps_manifest *m = ps_zalloc(1, sizeof *m);
    if (!m || load(m, path) == 0)
        return m;
    ps_manifest_close(m);
    return NULL;
}

void ps_manifest_close(ps_manifest *m)
{
    if (!m)
        return;
    free(m->path);
    free(m->text);
    free(m);
}

/* ---- parts ---- */

typedef struct {
    char name[256];
    uint64_t records, bytes;
    uint32_t crc;
} part;

static int other(const ps_manifest *m, const part *p, const char *why)
{
    return ps_fail(PS_EDATA, "%s: its part %s %s", m->path, p->name, why);
}

static int look(const ps_manifest *m, const part *p, int fd)
{
    uint8_t end[PS_REC_END];
    struct stat st;
    uint64_t records;
    uint32_t crc;
    if (fstat(fd, &st) < 0)
        return ps_fail(PS_ESYS, "%s: its part %s: cannot look at it", m->path, p->name);
    if (!S_ISREG(st.st_mode))
        return other(m, p, "is not a plain file");
    if ((uint64_t)st.st_size != p->bytes || p->bytes < PS_REC_END)
        return ps_fail(PS_EDATA, "%s: its part %s has %lld bytes, not %" PRIu64, m->path, p->name,
                       (long long)st.st_size, p->bytes);
    if (pread(fd, end, sizeof end, (off_t)(p->bytes - PS_REC_END)) != (ssize_t)sizeof end)
        return ps_fail(PS_ESYS, "%s: its part %s: cannot read", m->path, p->name);
    if (ps_end_decode(end, &records, &crc, p->name, p->bytes - PS_REC_END) < 0)
        return ps_fail_in(PS_EDATA, m->path);
    return records == p->records && crc == p->crc ? 0 : other(m, p, "is another one: number of records or CRC differ");
}

int ps_manifest_next(ps_manifest *m, int *fd)
{
    part p;
    int used = 0;
    *fd = -1;
    if (m->next == m->end)
        return 0;
    if (sscanf(m->next, "%255[^\t\n]\t%" SCNu64 "\t%8" SCNx32 "\t%" SCNu64 "\n%n", p.name, &p.records, &p.crc, &p.bytes,
               &used) != 4 ||
        m->next[used - 1] != '\n' || strchr(p.name, '/'))
        return damaged(m, "a line of it makes no sense");
    m->next += used;
    const char *slash = strrchr(m->path, '/');
    char *path;
    if (asprintf(&path, "%.*s%s", slash ? (int)(slash - m->path + 1) : 0, m->path, p.name) < 0)
        return ps_fail(PS_EMEM, "out of memory");
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not make it wait */
    int rc = *fd < 0 ? ps_fail(PS_ESYS, "%s: cannot open", path) : look(m, &p, *fd);
    free(path);
    if (rc < 0 && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return rc;
}
