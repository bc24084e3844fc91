/* out.c - output half of io.h. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "io.h"
#include "mem.h"
#include "visible.h"

enum { BUF = 1 << 16, MAX_PENDING = 16 };

struct ps_out {
    int fd;
    int gzip;
    int terminal; /* a person looks: control characters are made visible */
    int pending; /* index of the temporary name, -1: written directly */
    char *name;  /* final name, or "<stdout>" */
    z_stream z;
    ps_visible seen;
    size_t have;
    uint8_t buf[BUF];
    uint8_t packed[BUF];
};

/* Temporary names that a signal must remove: filled before the file exists. */
static char *volatile pending[MAX_PENDING];
static pthread_mutex_t pending_lock = PTHREAD_MUTEX_INITIALIZER;

void ps_out_abandon(void)
{
    for (int i = 0; i < MAX_PENDING; i++)
        if (pending[i])
            unlink(pending[i]);
}

static void on_signal(int sig)
{
    ps_out_abandon();
    signal(sig, SIG_DFL);
    raise(sig);
}

static void catch_signals(void)
{
    static const int sigs[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++) {
        struct sigaction old, act = {.sa_handler = on_signal};
        if (sigaction(sigs[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(sigs[i], &act, NULL);
    }
}

static int claim_slot(char *temp)
{
    int slot = -1;
    pthread_mutex_lock(&pending_lock);
    for (int i = 0; i < MAX_PENDING && slot < 0; i++)
        if (!pending[i]) {
            pending[i] = temp;
            slot = i;
        }
    catch_signals();
    pthread_mutex_unlock(&pending_lock);
    return slot;
}

static void release_slot(int slot)
{
    char *temp = pending[slot];
    pending[slot] = NULL;
    free(temp);
}

/* A file beside the target, so that the rename stays inside one file system. */
static int open_temp(ps_out *out, const char *path)
{
    char *copy1 = strdup(path), *copy2 = strdup(path), *temp = NULL;
    int rc = ps_fail(PS_EMEM, "out of memory");
    if (!copy1 || !copy2 || asprintf(&temp, "%s/.%s.XXXXXX", dirname(copy1), basename(copy2)) < 0)
        goto done;
    int slot = claim_slot(temp);
    if (slot < 0) {
        free(temp);
        rc = ps_fail(PS_ESYS, "%s: too many outputs at once", path);
        goto done;
    }
    out->fd = mkostemp(temp, O_CLOEXEC);
    if (out->fd < 0) {
        rc = ps_fail(PS_ESYS, "%s: cannot create", path);
        release_slot(slot);
        goto done;
    }
    mode_t mask = umask(0);
    umask(mask);
    (void)fchmod(out->fd, 0666 & ~mask);
    out->pending = slot;
    rc = 0;
done:
    free(copy1);
    free(copy2);
    return rc;
}

/* Of /dev/stdout and such links, which are not to be replaced by a file; -1: another path. */
static int descriptor_of(const char *path)
{
    char to[64];
    int fd, end = 0;
    ssize_t n = readlink(path, to, sizeof to - 1);
    to[n > 0 ? n : 0] = 0;
    return sscanf(to, "/proc/self/fd/%d%n", &fd, &end) == 1 && end == n ? fd : -1;
}

static int open_target(ps_out *out, const char *path, int flags)
{
    struct stat st;
    if (!path) {
        out->fd = STDOUT_FILENO;
        if ((!(flags & PS_OUT_TEXT) || flags & PS_OUT_GZIP) && isatty(STDOUT_FILENO))
            return ps_fail(PS_EUSAGE, "<stdout>: will not write binary data to a terminal (use -o FILE, a pipe or psview)");
        return 0;
    }
    if (!*path)
        return ps_fail(PS_EUSAGE, "-o: the name of the output is empty");
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return ps_fail(PS_ESYS, "%s: cannot create", path);
    }
    const int fd = descriptor_of(path);
    if (fd >= 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode))) {
        out->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : open(path, O_WRONLY | O_CLOEXEC);
        return out->fd < 0 ? ps_fail(PS_ESYS, "%s: cannot open", path) : 0;
    }
    return open_temp(out, path);
}

ps_out *ps_out_open(const char *path, int flags)
{
    ps_out *out = ps_zalloc(1, sizeof *out);
    if (!out)
        return NULL;
    out->fd = -1;
    out->pending = -1;
    out->name = strdup(path ? path : "<stdout>");
    if (!out->name) {
        ps_fail(PS_EMEM, "out of memory");
        goto fail;
    }
    if (open_target(out, path, flags) < 0)
        goto fail;
    out->terminal = isatty(out->fd) && !(flags & PS_OUT_GZIP);
    if (flags & PS_OUT_GZIP) {
        if (deflateInit2(&out->z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
            ps_fail(PS_EMEM, "%s: out of memory for gzip", out->name);
            goto fail;
        }
        out->gzip = 1;
    }
    return out;
fail:
    ps_out_abort(out);
    return NULL;
}

ps_out *ps_out_on(int fd, const char *name)
{
    ps_out *out = ps_zalloc(1, sizeof *out);
    if (!out)
        return NULL;
    out->pending = -1;
    out->fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    out->name = strdup(name);
    if (out->fd >= 0 && out->name)
        return out;
    ps_fail(PS_ESYS, "%s: cannot write", name);
    ps_out_abort(out);
    return NULL;
}

const char *ps_out_name(const ps_out *out)
{
    return out->name;
}

static int write_all(ps_out *out, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t put = write(out->fd, p, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return ps_fail(PS_ESYS, "%s: cannot write", out->name);
        p += put;
        n -= (size_t)put;
    }
    return 0;
}

static int deflate_all(ps_out *out, const uint8_t *p, size_t n, int flush)
{
    z_stream *z = &out->z;
    z->next_in = (Bytef *)(uintptr_t)p;
    z->avail_in = (uInt)n;
    do {
        z->next_out = out->packed;
        z->avail_out = sizeof out->packed;
        if (deflate(z, flush) == Z_STREAM_ERROR)
            return ps_fail(PS_ESYS, "%s: gzip failed", out->name);
        int rc = write_all(out, out->packed, sizeof out->packed - z->avail_out);
        if (rc < 0)
            return rc;
    } while (z->avail_out == 0);
    return 0;
}

static int write_visible(ps_out *out, const uint8_t *p, size_t n)
{
    char *text = (char *)out->packed;
    int rc = 0;
    while (n > 0 && rc == 0) {
        size_t part = n < sizeof out->packed / PS_VISIBLE_ROOM ? n : sizeof out->packed / PS_VISIBLE_ROOM;
        rc = write_all(out, out->packed, ps_visible_copy(&out->seen, p, part, "\n\t", text));
        p += part;
        n -= part;
    }
    return rc;
}

static int drain(ps_out *out, int flush)
{
    int rc = out->gzip       ? deflate_all(out, out->buf, out->have, flush)
             : out->terminal ? write_visible(out, out->buf, out->have)
                             : write_all(out, out->buf, out->have);
    out->have = 0;
    return rc;
}

int ps_out_write(ps_out *out, const void *data, size_t n)
{
    const uint8_t *p = data;
    while (n > 0) {
        if (out->have == 0 && n >= BUF && !out->gzip && !out->terminal)
            return write_all(out, p, n);
        size_t part = BUF - out->have < n ? BUF - out->have : n;
        memcpy(out->buf + out->have, p, part);
        out->have += part;
        p += part;
        n -= part;
        if (out->have == BUF) {
            int rc = drain(out, Z_NO_FLUSH);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

int ps_out_printf(ps_out *out, const char *fmt, ...)
{
    char line[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof line)
        return ps_out_write(out, line, (size_t)n);
    char *big = NULL;
    va_start(ap, fmt);
    n = vasprintf(&big, fmt, ap);
    va_end(ap);
    if (n < 0)
        return ps_fail(PS_EMEM, "out of memory");
    int rc = ps_out_write(out, big, (size_t)n);
    free(big);
    return rc;
}

int ps_out_flush(ps_out *out)
{
    return drain(out, Z_SYNC_FLUSH);
}

int ps_out_place(const ps_out *out)
{
    struct stat st;
    int flags = fcntl(out->fd, F_GETFL);
    if (out->gzip || out->have > 0 || flags < 0 || (flags & O_APPEND) || fstat(out->fd, &st) < 0 ||
        !S_ISREG(st.st_mode) || st.st_size != 0 || lseek(out->fd, 0, SEEK_CUR) != 0)
        return -1;
    return out->fd;
}

int ps_out_close(ps_out *out)
{
    int rc = drain(out, Z_FINISH);
    if (rc == 0 && out->pending >= 0) {
        if (fsync(out->fd) < 0)
            rc = ps_fail(PS_ESYS, "%s: cannot write", out->name);
        int fd = out->fd;
        out->fd = -1;
        if (close(fd) < 0 && rc == 0)
            rc = ps_fail(PS_ESYS, "%s: cannot write", out->name);
        if (rc == 0 && rename(pending[out->pending], out->name) < 0)
            rc = ps_fail(PS_ESYS, "%s: cannot rename into place", out->name);
        if (rc == 0) {
            release_slot(out->pending);
            out->pending = -1;
        }
    } else if (rc == 0 && close(out->fd) < 0) {
        rc = ps_fail(PS_ESYS, "%s: cannot write", out->name);
        out->fd = -1;
    } else if (rc == 0) {
        out->fd = -1;
    }
    ps_out_abort(out);
    return rc;
}

void ps_out_abort(ps_out *out)
{
    if (!out)
        return;
    if (out->gzip)
        deflateEnd(&out->z);
    if (out->fd > STDOUT_FILENO)
        close(out->fd);
    if (out->pending >= 0) {
        unlink(pending[out->pending]);
        release_slot(out->pending);
    }
    free(out->name);
    free(out);
}
