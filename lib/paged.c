#include "paged.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };

/* Space on the disk is taken beforehand: a full one would be a signal later. */
static int extend(ps_paged *a, size_t bytes)
{
    int e = posix_fallocate(a->file.fd, 0, (off_t)bytes);
    if (e == 0)
        return 0;
    errno = e;
    return ps_fail(PS_ESYS, "%s: cannot write a temporary file", a->file.dir);
}

int ps_paged_grow(ps_paged *a, size_t bytes)
{
    if (bytes <= a->bytes)
        return 0;
    size_t n = a->bytes + a->bytes / 2 + PAGE;
    n = ((n < bytes ? bytes : n) + PAGE - 1) / PAGE * PAGE;
    if (a->mapped && extend(a, n) < 0)
        return PS_ESYS;
    void *p = a->mapped ? mremap(a->p, a->bytes, n, MREMAP_MAYMOVE) : realloc(a->p, n);
    if (a->mapped ? p == MAP_FAILED : !p)
        return ps_fail(PS_EMEM, "out of memory: %zu bytes", n);
    a->p = p;
    a->bytes = n;
    return 0;
}

void ps_paged_huge(ps_paged *a)
{
    enum { HUGE_PAGE = 2 << 20 };
    const size_t before = -(uintptr_t)a->p % HUGE_PAGE;
    if (!a->mapped && a->bytes >= 2 * HUGE_PAGE)
        (void)madvise((char *)a->p + before, (a->bytes - before) / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
}

int ps_paged_to_file(ps_paged *a, const char *dir)
{
    if (a->mapped)
        return 0;
    ps_paged to = {.bytes = (a->bytes + PAGE - 1) / PAGE * PAGE + PAGE, .mapped = 1};
    int rc = ps_temp_open(&to.file, dir);
    if (rc == 0)
        rc = extend(&to, to.bytes);
    to.p = rc == 0 ? mmap(NULL, to.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, to.file.fd, 0) : MAP_FAILED;
    if (rc == 0 && to.p == MAP_FAILED)
        rc = ps_fail(PS_ESYS, "%s: cannot map a temporary file", dir);
    if (rc < 0) {
        ps_temp_close(&to.file);
        return rc;
    }
    if (a->bytes > 0)
        memcpy(to.p, a->p, a->bytes);
    free(a->p);
    *a = to;
    ps_paged_rest(a);
    return 0;
}

void ps_paged_rest(ps_paged *a)
{
    if (a->mapped)
        (void)madvise(a->p, a->bytes, MADV_DONTNEED);
}

void ps_paged_free(ps_paged *a)
{
    if (a->mapped) {
        munmap(a->p, a->bytes);
        ps_temp_close(&a->file);
    } else {
        free(a->p);
    }
    memset(a, 0, sizeof *a);
}

uint64_t ps_resident(void)
{
    unsigned long long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%llu %llu", &total, &resident) != 2)
            resident = 0;
        fclose(f);
    }
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t ps_free_memory(void)
{
    unsigned long long kib = 0;
    char line[256];
    FILE *f = fopen("/proc/meminfo", "re");
    while (f && fgets(line, sizeof line, f) && sscanf(line, "MemAvailable: %llu kB", &kib) != 1)
        ;
    if (f)
        fclose(f);
    uint64_t half = kib ? (uint64_t)kib * 512 : UINT64_C(1) << 30;
    return half < 64 << 20 ? 64 << 20 : half;
}
