#include "temp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *ps_temp_dir(const char *dir)
{
    if (!dir)
        dir = getenv("TMPDIR");
    return dir && *dir ? dir : "/tmp";
}

int ps_temp_open(ps_temp *t, const char *dir)
{
    char *name = NULL;
    t->dir = dir;
    t->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (t->fd >= 0)
        return 0;
    /* Some file systems have no nameless files: make one and take its name away. */
    if ((errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) && asprintf(&name, "%s/psgraph.XXXXXX", dir) > 0) {
        t->fd = mkostemp(name, O_CLOEXEC);
        if (t->fd >= 0)
            unlink(name);
        free(name);
    }
    return t->fd >= 0 ? 0 : ps_fail(PS_ESYS, "%s: cannot make a temporary file", dir);
}

void ps_temp_close(ps_temp *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

int ps_write_at(int fd, uint64_t at, const void *data, size_t n)
{
    const char *p = data;
    while (n > 0) {
        ssize_t put = pwrite(fd, p, n, (off_t)at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        p += put;
        at += (uint64_t)put;
        n -= (size_t)put;
    }
    return 0;
}

int ps_read_at(int fd, uint64_t at, void *data, size_t n)
{
    char *p = data;
    while (n > 0) {
        ssize_t got = pread(fd, p, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO;
        if (got <= 0)
            return -1;
        p += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

int ps_temp_write(const ps_temp *t, uint64_t at, const void *data, size_t n)
{
    return ps_write_at(t->fd, at, data, n) == 0 ? 0 : ps_fail(PS_ESYS, "%s: cannot write a temporary file", t->dir);
}

int ps_temp_read(const ps_temp *t, uint64_t at, void *data, size_t n)
{
    return ps_read_at(t->fd, at, data, n) == 0 ? 0 : ps_fail(PS_ESYS, "%s: cannot read a temporary file", t->dir);
}
