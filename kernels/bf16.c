#include "bf16.h"

#if defined PS_ONEDNN && defined __x86_64__ && !defined PS_DOUBLE
#include <cpuid.h>
#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "vec.h"

/* The functions that are used, from the library. */
#define FUNCTIONS(F)                                                                                                   \
    F(dnnl_version) F(dnnl_engine_create) F(dnnl_stream_create) F(dnnl_stream_destroy) F(dnnl_stream_wait)            \
    F(dnnl_memory_desc_init_by_strides) F(dnnl_matmul_desc_init) F(dnnl_primitive_attr_create)                        \
    F(dnnl_primitive_attr_destroy) F(dnnl_primitive_attr_set_post_ops) F(dnnl_post_ops_create)                        \
    F(dnnl_post_ops_destroy) F(dnnl_post_ops_append_sum) F(dnnl_primitive_desc_create)                                \
    F(dnnl_primitive_desc_destroy) F(dnnl_primitive_create) F(dnnl_primitive_destroy) F(dnnl_primitive_execute)       \
    F(dnnl_memory_create) F(dnnl_memory_destroy)
#define DECLARE(name) static __typeof__(name) *name##_;
FUNCTIONS(DECLARE)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static dnnl_engine_t engine;
static void (*set_threads)(int);
static char backend[64];
static const char *missing;

/* Bits of cpuid's leaf 7: not all compilers know the names of these. */
static int has_bf16(void)
{
    unsigned a, b, c, d;
    return __builtin_cpu_supports("avx512bw") && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}

static int has_amx(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1);
}

static void load(void)
{
    if (!has_bf16()) {
        missing = "this processor has no bf16 products";
        return;
    }
    void *lib = dlopen("libdnnl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!lib) {
        missing = "oneDNN (libdnnl.so.2) is not installed";
        return;
    }
    missing = "oneDNN (libdnnl.so.2) is not the version that was built for";
#define LOOK_UP(name)                                                                                                  \
    if (!(name##_ = (__typeof__(name) *)dlsym(lib, #name)))                                                            \
        return;
    FUNCTIONS(LOOK_UP)
    /* Threads are ours; the library's own come from OpenMP, where there is any. */
    set_threads = (void (*)(int))dlsym(lib, "omp_set_num_threads");
    const dnnl_version_t *v = dnnl_version_();
    if (v->major != DNNL_VERSION_MAJOR || dnnl_engine_create_(&engine, dnnl_cpu, 0) != dnnl_success)
        return;
    snprintf(backend, sizeof backend, "oneDNN %d.%d.%d (%s)", v->major, v->minor, v->patch,
             has_amx() ? "AMX" : "AVX-512 BF16");
    missing = NULL;
}

const char *ps_bf16_backend(const char **why)
{
    pthread_once(&once, load);
    if (why)
        *why = missing;
    return missing ? NULL : backend;
}

/* rows x cols at distance ld, rounded, without gaps. */
static void convert(size_t rows, size_t cols, const float *from, size_t ld, uint16_t *to)
{
    for (size_t i = 0; i < rows; i++)
        ps_vec()->to_bf16(cols, from + i * ld, to + i * cols);
}

typedef struct {
    dnnl_memory_desc_t a, b, c;
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t sum;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t run;
    dnnl_memory_t memory[3];
    dnnl_stream_t stream;
} product;

static int describe(product *p, ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, int add, size_t ldc)
{
    int64_t M = (int64_t)m, N = (int64_t)n, K = (int64_t)k;
    const dnnl_dims_t a = {M, K}, b = {K, N}, c = {M, N}, c_step = {(int64_t)ldc, 1};
    const dnnl_dims_t a_step = {ta == PS_T ? 1 : K, ta == PS_T ? M : 1}, b_step = {tb == PS_T ? 1 : N, tb == PS_T ? K : 1};
    dnnl_matmul_desc_t matmul;
    if (dnnl_memory_desc_init_by_strides_(&p->a, 2, a, dnnl_bf16, a_step) != dnnl_success ||
        dnnl_memory_desc_init_by_strides_(&p->b, 2, b, dnnl_bf16, b_step) != dnnl_success ||
        dnnl_memory_desc_init_by_strides_(&p->c, 2, c, dnnl_f32, c_step) != dnnl_success ||
        dnnl_matmul_desc_init_(&matmul, &p->a, &p->b, NULL, &p->c) != dnnl_success)
        return 0;
    if (add && (dnnl_primitive_attr_create_(&p->attr) != dnnl_success || dnnl_post_ops_create_(&p->sum) != dnnl_success ||
                dnnl_post_ops_append_sum_(p->sum, 1) != dnnl_success ||
                dnnl_primitive_attr_set_post_ops_(p->attr, p->sum) != dnnl_success))
        return 0;
    return dnnl_primitive_desc_create_(&p->desc, &matmul, p->attr, engine, NULL) == dnnl_success &&
           dnnl_primitive_create_(&p->run, p->desc) == dnnl_success;
}

static int run(product *p, void *a, void *b, void *c)
{
    if (dnnl_memory_create_(&p->memory[0], &p->a, engine, a) != dnnl_success ||
        dnnl_memory_create_(&p->memory[1], &p->b, engine, b) != dnnl_success ||
        dnnl_memory_create_(&p->memory[2], &p->c, engine, c) != dnnl_success ||
        dnnl_stream_create_(&p->stream, engine, dnnl_stream_default_flags) != dnnl_success)
        return 0;
    const dnnl_exec_arg_t args[] = {
        {DNNL_ARG_SRC, p->memory[0]}, {DNNL_ARG_WEIGHTS, p->memory[1]}, {DNNL_ARG_DST, p->memory[2]}};
    return dnnl_primitive_execute_(p->run, p->stream, 3, args) == dnnl_success &&
           dnnl_stream_wait_(p->stream) == dnnl_success;
}

static void release(product *p)
{
    if (p->stream)
        dnnl_stream_destroy_(p->stream);
    for (int i = 0; i < 3; i++)
        if (p->memory[i])
            dnnl_memory_destroy_(p->memory[i]);
    if (p->run)
        dnnl_primitive_destroy_(p->run);
    if (p->desc)
        dnnl_primitive_desc_destroy_(p->desc);
    if (p->sum)
        dnnl_post_ops_destroy_(p->sum);
    if (p->attr)
        dnnl_primitive_attr_destroy_(p->attr);
}

void ps_bf16_one(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a, size_t lda,
                 const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc)
{
    if (m == 0 || n == 0)
        return;
    product p = {0};
    size_t room = (m * k + 31) / 32 * 32;
    uint16_t *ra = k ? aligned_alloc(64, 2 * (room + (k * n + 31) / 32 * 32)) : NULL, *rb = ra + room;
    int done = 0;
    if (ra) {
        if (set_threads)
            set_threads(1); /* of this thread */
        convert(ta == PS_T ? k : m, ta == PS_T ? m : k, a, lda, ra);
        convert(tb == PS_T ? n : k, tb == PS_T ? k : n, b, ldb, rb);
        done = describe(&p, ta, tb, m, n, k, beta != 0, ldc) && run(&p, ra, rb, c);
        release(&p);
        free(ra);
    }
    if (!done) /* no memory */
        ps_gemm_one(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
#else
const char *ps_bf16_backend(const char **why)
{
    if (why)
        *why = "this program was built without oneDNN";
    return NULL;
}

void ps_bf16_one(ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, ps_real alpha, const ps_real *a, size_t lda,
                 const ps_real *b, size_t ldb, ps_real beta, ps_real *c, size_t ldc)
{
    ps_gemm_one(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
#endif
