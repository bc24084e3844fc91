/* shim.c - to be preloaded: makes the n-th call of one kind fail, and counts the calls of each.
 *
 * PS_FAULT=KIND:HOW:N   the N-th call (from 1) of KIND; HOW is one of
 *     fail    with an error
 *     stuck   that one and all after it, as a disk stays full
 *     short   half of what was asked for is transferred
 *     eintr   interrupted before anything was done
 *     kill    SIGKILL just before the call
 * PS_FAULT_IN=PROGRAM   nowhere but there: a script runs several
 * PS_FAULT_MARK=FILE    is made when a call was made to fail
 * PS_FAULT_COUNT=FILE   "KIND count" lines at the end
 *
 * Only calls from main() on, and by the program itself, zlib, or libc on its behalf: what OpenBLAS or the loader do
 * without memory is not the program's to mend.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KINDS(X) \
    X(alloc)     \
    X(mmap)      \
    X(open) X(read) X(write) X(pread) X(pwrite) X(fsync) X(rename) X(close) X(ftruncate) X(stat) X(lseek) X(thread)
#define AS_ENUM(name) K_##name,
#define AS_TEXT(name) #name,
enum { KINDS(AS_ENUM) N_KINDS };
static const char *const kind_names[] = {KINDS(AS_TEXT)};

enum { NOTHING, FAIL, STUCK, SHORT, EINTR_ONCE, KILL, N_HOWS };
static const char *const hows[] = {"", "fail", "stuck", "short", "eintr", "kill"};
enum { MAX_RANGES = 16, EARLY = 1 << 16 };

static _Atomic int active;
static _Atomic long counts[N_KINDS];
static int fault_kind = -1, fault_how;
static long fault_at;
static const char *mark_path, *count_path;
static struct {
    uintptr_t begin, end;
} ours[MAX_RANGES];
static int ranges;

/* ---- whose call it is ---- */

static int note_object(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size;
    (void)ctx;
    const char *name = info->dlpi_name;
    if (*name && !strstr(name, "/libc.so") && !strstr(name, "/libz.so"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum && ranges < MAX_RANGES; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        ours[ranges].begin = info->dlpi_addr + p->p_vaddr;
        ours[ranges++].end = info->dlpi_addr + p->p_vaddr + p->p_memsz;
    }
    return 0;
}

static int is_ours(const void *caller)
{
    for (int i = 0; i < ranges; i++)
        if ((uintptr_t)caller >= ours[i].begin && (uintptr_t)caller < ours[i].end)
            return 1;
    return 0;
}

static void leave_mark(void)
{
    int saved = errno;
    if (mark_path) {
        long fd = syscall(SYS_openat, AT_FDCWD, mark_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd >= 0)
            syscall(SYS_close, fd);
    }
    errno = saved;
}

/* What is to be done to this call. */
static int verdict(int kind, const void *caller)
{
    if (!atomic_load(&active) || !is_ours(caller))
        return NOTHING;
    long n = atomic_fetch_add(&counts[kind], 1) + 1;
    if (kind != fault_kind || !(n == fault_at || (fault_how == STUCK && n > fault_at)))
        return NOTHING;
    leave_mark();
    if (fault_how == KILL)
        syscall(SYS_kill, getpid(), SIGKILL);
    return fault_how;
}

/* ---- from main() on ---- */

static void parse(const char *text)
{
    char kind[32] = "", how[16] = "";
    if (!text || sscanf(text, "%31[^:]:%15[^:]:%ld", kind, how, &fault_at) != 3)
        return;
    for (int i = 0; i < N_KINDS; i++)
        if (strcmp(kind, kind_names[i]) == 0)
            fault_kind = i;
    for (int i = 1; i < N_HOWS; i++)
        if (strcmp(how, hows[i]) == 0)
            fault_how = i;
}

static void report(void)
{
    char line[64];
    active = 0;
    if (!count_path)
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, count_path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
    for (int i = 0; i < N_KINDS && fd >= 0; i++)
        syscall(SYS_write, fd, line, (size_t)snprintf(line, sizeof line, "%s %ld\n", kind_names[i], counts[i]));
    syscall(SYS_close, fd);
}

static int (*real_main)(int, char **, char **);

static int counted_main(int argc, char **argv, char **env)
{
    const char *only = getenv("PS_FAULT_IN");
    if (only && strcmp(only, program_invocation_short_name) != 0)
        return real_main(argc, argv, env);
    parse(getenv("PS_FAULT"));
    mark_path = getenv("PS_FAULT_MARK");
    count_path = getenv("PS_FAULT_COUNT");
    dl_iterate_phdr(note_object, NULL);
    active = 1;
    int status = real_main(argc, argv, env);
    active = 0;
    return status;
}

int __libc_start_main(int (*f)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end);
int __libc_start_main(int (*f)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end)
{
    int (*next)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
    *(void **)&next = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = f;
    return next(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}

__attribute__((destructor)) static void at_end(void)
{
    report();
}

/* ---- memory ---- */

/* dlsym may allocate before the real functions are known. */
static _Alignas(16) char early[EARLY];
static size_t early_used;

static void *early_alloc(size_t n)
{
    void *p = early + early_used;
    early_used += (n + 15) / 16 * 16;
    return early_used <= EARLY ? p : NULL;
}

static int is_early(const void *p)
{
    return (const char *)p >= early && (const char *)p < early + EARLY;
}

/* The real function of that name; NULL while it is being looked for. */
#define NEXT(type, name, args)                    \
    static type(*next) args;                      \
    static _Thread_local int looking;             \
    if (!next && !looking) {                      \
        looking = 1;                              \
        *(void **)&next = dlsym(RTLD_NEXT, name); \
        looking = 0;                              \
    }
#define CALLER __builtin_return_address(0)
#define NO_MEMORY_IF(kind)                  \
    if (verdict(kind, CALLER) != NOTHING) { \
        errno = ENOMEM;                     \
        return NULL;                        \
    }

void *malloc(size_t n)
{
    NEXT(void *, "malloc", (size_t))
    NO_MEMORY_IF(K_alloc)
    return next ? next(n) : early_alloc(n);
}

void *calloc(size_t count, size_t n)
{
    NEXT(void *, "calloc", (size_t, size_t))
    NO_MEMORY_IF(K_alloc)
    return next ? next(count, n) : early_alloc(count * n);
}

void *realloc(void *p, size_t n)
{
    NEXT(void *, "realloc", (void *, size_t))
    NO_MEMORY_IF(K_alloc)
    if (!is_early(p))
        return next(p, n);
    void *copy = malloc(n);
    return copy ? memcpy(copy, p, n < (size_t)(early + EARLY - (char *)p) ? n : (size_t)(early + EARLY - (char *)p))
                : NULL;
}

void *aligned_alloc(size_t to, size_t n)
{
    NEXT(void *, "aligned_alloc", (size_t, size_t))
    NO_MEMORY_IF(K_alloc)
    return next(to, n);
}

void free(void *p)
{
    NEXT(void, "free", (void *))
    if (next && !is_early(p))
        next(p);
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    NEXT(void *, "mmap", (void *, size_t, int, int, int, off_t))
    if (verdict(K_mmap, CALLER) != NOTHING) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return next(at, n, prot, flags, fd, offset);
}

void *mremap(void *at, size_t old, size_t n, int flags, ...)
{
    NEXT(void *, "mremap", (void *, size_t, size_t, int, ...))
    if (verdict(K_mmap, CALLER) != NOTHING) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return next(at, old, n, flags);
}

int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg)
{
    NEXT(int, "pthread_create", (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))
    return verdict(K_thread, CALLER) != NOTHING ? EAGAIN : next(t, a, f, arg);
}

/* ---- files ---- */

#define FAIL_IF(kind, error)                \
    if (verdict(kind, CALLER) != NOTHING) { \
        errno = error;                      \
        return -1;                          \
    }

/* A transfer: fails, is interrupted, or is cut to half (at least one byte). */
#define TRANSFER(kind, error, n)               \
    switch (verdict(kind, CALLER)) {           \
    case FAIL:                                 \
    case STUCK: errno = error; return -1;      \
    case EINTR_ONCE: errno = EINTR; return -1; \
    case SHORT: n = n > 1 ? n / 2 : n; break;  \
    default:;                                  \
    }

ssize_t read(int fd, void *p, size_t n)
{
    NEXT(ssize_t, "read", (int, void *, size_t))
    TRANSFER(K_read, EIO, n)
    return next(fd, p, n);
}

ssize_t write(int fd, const void *p, size_t n)
{
    NEXT(ssize_t, "write", (int, const void *, size_t))
    TRANSFER(K_write, ENOSPC, n)
    return next(fd, p, n);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    NEXT(ssize_t, "pread", (int, void *, size_t, off_t))
    TRANSFER(K_pread, EIO, n)
    return next(fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    NEXT(ssize_t, "pwrite", (int, const void *, size_t, off_t))
    TRANSFER(K_pwrite, ENOSPC, n)
    return next(fd, p, n, at);
}

int open(const char *path, int flags, ...)
{
    NEXT(int, "open", (const char *, int, ...))
    FAIL_IF(K_open, EMFILE)
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return next(path, flags, mode);
}

int mkostemp(char *name, int flags)
{
    NEXT(int, "mkostemp", (char *, int))
    FAIL_IF(K_open, EMFILE)
    return next(name, flags);
}

int memfd_create(const char *name, unsigned flags)
{
    NEXT(int, "memfd_create", (const char *, unsigned))
    FAIL_IF(K_open, EMFILE)
    return next(name, flags);
}

FILE *fopen(const char *path, const char *mode)
{
    NEXT(FILE *, "fopen", (const char *, const char *))
    if (verdict(K_open, CALLER) != NOTHING) {
        errno = EMFILE;
        return NULL;
    }
    return next(path, mode);
}

int dup2(int from, int to)
{
    NEXT(int, "dup2", (int, int))
    FAIL_IF(K_open, EMFILE)
    return next(from, to);
}

/* What had been written under a name is lost, or a program that goes on regardless would be right by chance. */
static int lose(int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY && syscall(SYS_fstat, fd, &st) == 0 && S_ISREG(st.st_mode) &&
        st.st_nlink > 0)
        syscall(SYS_ftruncate, fd, st.st_size / 2);
    errno = EIO;
    return -1;
}

int fsync(int fd)
{
    NEXT(int, "fsync", (int))
    return verdict(K_fsync, CALLER) != NOTHING ? lose(fd) : next(fd);
}

int rename(const char *from, const char *to)
{
    NEXT(int, "rename", (const char *, const char *))
    FAIL_IF(K_rename, EIO)
    return next(from, to);
}

/* The descriptor is gone all the same, as on Linux. */
int close(int fd)
{
    NEXT(int, "close", (int))
    if (verdict(K_close, CALLER) == NOTHING)
        return next(fd);
    lose(fd);
    next(fd);
    errno = EIO;
    return -1;
}

int fclose(FILE *f)
{
    NEXT(int, "fclose", (FILE *))
    int how = verdict(K_close, CALLER), rc = next(f);
    if (how == NOTHING)
        return rc;
    errno = ENOSPC;
    return EOF;
}

int fflush(FILE *f)
{
    NEXT(int, "fflush", (FILE *))
    int how = f == stderr ? NOTHING : verdict(K_write, CALLER);
    if (how == FAIL || how == STUCK) {
        errno = ENOSPC;
        return EOF;
    }
    return next(f);
}

size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
{
    NEXT(size_t, "fwrite", (const void *, size_t, size_t, FILE *))
    int how = f == stderr ? NOTHING : verdict(K_write, CALLER);
    if (how == FAIL || how == STUCK) {
        errno = ENOSPC;
        return 0;
    }
    return next(p, size, n, f);
}

int ftruncate(int fd, off_t n)
{
    NEXT(int, "ftruncate", (int, off_t))
    FAIL_IF(K_ftruncate, ENOSPC)
    return next(fd, n);
}

int posix_fallocate(int fd, off_t at, off_t n)
{
    NEXT(int, "posix_fallocate", (int, off_t, off_t))
    return verdict(K_ftruncate, CALLER) != NOTHING ? ENOSPC : next(fd, at, n);
}

int fstat(int fd, struct stat *st)
{
    NEXT(int, "fstat", (int, struct stat *))
    FAIL_IF(K_stat, EIO)
    return next(fd, st);
}

int stat(const char *restrict path, struct stat *restrict st)
{
    NEXT(int, "stat", (const char *, struct stat *))
    FAIL_IF(K_stat, EIO)
    return next(path, st);
}

off_t lseek(int fd, off_t at, int whence)
{
    NEXT(off_t, "lseek", (int, off_t, int))
    FAIL_IF(K_lseek, EIO)
    return next(fd, at, whence);
}
