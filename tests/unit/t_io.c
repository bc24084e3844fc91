/* Inputs plain and packed, in pieces; outputs that appear whole or not at all. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "check.h"
#include "io.h"

enum { BIG = 5 << 19 };

static uint8_t *big;

static void spill(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0)
        exit(1);
}

/* Reads it all, peeking `want` and skipping `step` at a time: it is `big`[0 .. n - 1]. */
static void reads_back(const char *path, size_t n, size_t want, size_t step)
{
    ps_in *in = ps_in_open(path);
    CHECK(in != NULL);
    size_t at = 0;
    const uint8_t *p;
    long got;
    while ((got = ps_in_peek(in, &p, want)) > 0) {
        size_t have = (size_t)got < step ? (size_t)got : step;
        CHECK(at + have <= n && memcmp(p, big + at, have) == 0);
        CHECK(ps_in_offset(in) == at);
        CHECK((size_t)got >= want || (size_t)got == n - at);
        ps_in_skip(in, have);
        at += have;
    }
    CHECK_OK((int)got);
    CHECK(at == n);
    ps_in_close(in);
}

static size_t pack(const uint8_t *p, size_t n, uint8_t *to, size_t room)
{
    z_stream z = {0};
    if (deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        exit(1);
    z.next_in = (Bytef *)(uintptr_t)p;
    z.avail_in = (uInt)n;
    z.next_out = to;
    z.avail_out = (uInt)room;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        exit(1);
    deflateEnd(&z);
    return room - z.avail_out;
}

static void inputs(void)
{
    const size_t sizes[] = {0, 1, 2, 3, 65535, 65536, 65537, BIG};
    uint8_t *packed = malloc(2 * BIG);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i], half = n / 3;
        spill("plain", big, n);
        reads_back("plain", n, 1, 100000);
        reads_back("plain", n, 1 << 20, (1 << 20) - 7);
        /* Two members in a row are one input. */
        size_t a = pack(big, half, packed, 2 * BIG), b = pack(big + half, n - half, packed + a, 2 * BIG - a);
        spill("packed", packed, a + b);
        reads_back("packed", n, 1, 100000);
        reads_back("packed", n, 1 << 20, (1 << 20) - 7);
        ps_blob blob;
        CHECK_OK(ps_blob_open(&blob, "packed"));
        CHECK(blob.size == n && (n == 0 || memcmp(blob.data, big, n) == 0) && !blob.mapped);
        ps_blob_close(&blob);
        CHECK_OK(ps_blob_open(&blob, "plain"));
        CHECK(blob.size == n && (n == 0 || memcmp(blob.data, big, n) == 0) && blob.mapped == (n > 0));
        ps_blob_close(&blob);
    }
    free(packed);
}

/* Cut anywhere, or with a bit wrong: an error, never a short input. */
static void damaged_gzip(void)
{
    uint8_t packed[4096];
    size_t n = pack(big, 1000, packed, sizeof packed);
    for (size_t cut = 3; cut < n; cut++) {
        ps_blob b;
        spill("packed", packed, cut);
        CHECK(ps_blob_open(&b, "packed") == PS_EDATA && strstr(ps_errmsg(), "truncated"));
    }
    for (size_t at = 10; at < n; at++) { /* the first ten bytes say when and by what it was made */
        ps_blob b;
        packed[at] ^= 4;
        spill("packed", packed, n);
        CHECK(ps_blob_open(&b, "packed") == PS_EDATA);
        packed[at] ^= 4;
    }
}

static void bad_inputs(void)
{
    ps_blob b;
    CHECK(ps_in_open("nowhere") == NULL && strstr(ps_errmsg(), "nowhere: cannot open"));
    CHECK(ps_in_open(".") == NULL && strstr(ps_errmsg(), ".: cannot read"));
    CHECK(ps_blob_open(&b, "nowhere") == PS_ESYS);
    CHECK(ps_blob_open(&b, ".") == PS_ESYS);
}

/* What rests of a mapped file is still there, and nothing beyond its end is touched. */
static void resting(void)
{
    enum { PAGE = 4096, N = 3 * PAGE };
    uint8_t *text = malloc(N);
    memset(text, 7, N);
    spill("plain", text, N);
    ps_blob b;
    CHECK_OK(ps_blob_open(&b, "plain"));
    CHECK(b.mapped && b.size == N);
    uint8_t *behind = mmap((void *)(uintptr_t)(b.data + N), PAGE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (behind == b.data + N)
        *behind = 1;
    ps_blob_rest(&b, 0, N);
    ps_blob_rest(&b, PAGE + 5, N + 2 * PAGE);
    ps_blob_rest(&b, N + PAGE, N + 2 * PAGE);
    CHECK(memcmp(b.data, text, N) == 0);
    CHECK(behind != b.data + N || *behind == 1);
    if (behind != MAP_FAILED)
        munmap(behind, PAGE);
    ps_blob_close(&b);
    free(text);
}

static size_t files_here(void)
{
    DIR *d = opendir(".");
    size_t n = 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static int holds(const char *path, const void *p, size_t n)
{
    ps_blob b;
    CHECK_OK(ps_blob_open(&b, path));
    int same = b.size == n && (n == 0 || memcmp(b.data, p, n) == 0);
    ps_blob_close(&b);
    return same;
}

static void outputs(void)
{
    const size_t sizes[] = {0, 65537, BIG}; /* few: each is made durable, which takes its time */
    for (int flags = 0; flags <= PS_OUT_GZIP; flags++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t n = sizes[i], first = n / 2;
            ps_out *out = ps_out_open("out", flags);
            CHECK_OK(ps_out_write(out, big, first));
            CHECK_OK(ps_out_flush(out));
            CHECK_OK(ps_out_write(out, big + first, n - first));
            CHECK_OK(ps_out_close(out));
            CHECK(holds("out", big, n));
        }
    ps_out *out = ps_out_open("out", 0);
    CHECK_OK(ps_out_printf(out, "%d %s\n", 5, "x"));
    CHECK_OK(ps_out_printf(out, "%*d", 10000, 7)); /* longer than any buffer on the way */
    CHECK_OK(ps_out_close(out));
    ps_blob b;
    CHECK_OK(ps_blob_open(&b, "out"));
    CHECK(b.size == 4 + 10000 && memcmp(b.data, "5 x\n ", 5) == 0 && b.data[10003] == '7');
    ps_blob_close(&b);
    unlink("out");
}

static void whole_or_not_at_all(void)
{
    size_t before = files_here();
    ps_out *out = ps_out_open("new", 0);
    CHECK_OK(ps_out_write(out, big, 100000));
    CHECK(access("new", F_OK) != 0); /* not yet */
    ps_out_abort(out);
    CHECK(files_here() == before);

    spill("old", "content", 7);
    CHECK(chmod("old", 0640) == 0);
    out = ps_out_open("old", 0);
    CHECK_OK(ps_out_write(out, big, 100000));
    CHECK(holds("old", "content", 7));
    ps_out_abort(out);
    CHECK(holds("old", "content", 7));
    CHECK(files_here() == before + 1);
    unlink("old");
}

/* A signal removes what is not finished. */
static void signals(void)
{
    const int sigs[] = {SIGINT, SIGTERM, SIGHUP};
    size_t before = files_here();
    for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            signal(sigs[i], SIG_DFL);
            ps_out *out = ps_out_open("new", 0);
            (void)!ps_out_write(out, big, 100000);
            raise(sigs[i]);
            _exit(0);
        }
        int status;
        CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == sigs[i]);
        CHECK(files_here() == before);
    }
}

static void refusing_outputs(void)
{
    CHECK(ps_out_open("nowhere/out", 0) == NULL && strstr(ps_errmsg(), "nowhere/out: cannot create"));
    CHECK(ps_out_open(".", 0) == NULL);
    ps_out *out = ps_out_open("/dev/full", 0);
    CHECK_OK(ps_out_write(out, big, 10)); /* only buffered */
    CHECK(ps_out_close(out) == PS_ESYS && strstr(ps_errmsg(), "/dev/full: cannot write"));
    out = ps_out_open("/dev/full", 0);
    CHECK(ps_out_write(out, big, BIG) == PS_ESYS);
    ps_out_abort(out);
    out = ps_out_open("/dev/full", PS_OUT_GZIP);
    CHECK_OK(ps_out_write(out, big, 10));
    CHECK(ps_out_close(out) == PS_ESYS);
}

int main(void)
{
    big = malloc(BIG);
    for (size_t i = 0; i < BIG; i++)
        big[i] = (uint8_t)(i * i >> 7 ^ i);
    inputs();
    damaged_gzip();
    bad_inputs();
    resting();
    outputs();
    whole_or_not_at_all();
    signals();
    refusing_outputs();
    free(big);
    CHECK_END();
}
