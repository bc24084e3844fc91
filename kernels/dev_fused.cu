/* dev_fused.cu - C = ReLU(A B^T + bias): bias and ReLU by cublasLt as the product is written, where that pays.
 *
 * It saves a pass over C: of a step at the paper's size 1.7 ms, 2 or 3% from TF32 and bf16 numbers, but .4% from float,
 * where it is left to two kernels (README).  cublasLt knows no algorithm for some shapes; then these serve, too. */
#include "dev_cuda.cuh"

#include <cublasLt.h>
#include <stdio.h>

#define FUNCTIONS(F)                                                                                                \
    F(Create)                                                                                                       \
    F(Destroy) F(MatmulDescCreate) F(MatmulDescSetAttribute) F(MatmulDescDestroy) F(MatrixLayoutCreate)             \
        F(MatrixLayoutDestroy) F(MatmulPreferenceCreate) F(MatmulPreferenceSetAttribute) F(MatmulPreferenceDestroy) \
            F(MatmulAlgoGetHeuristic) F(Matmul)

#define POINTER(name) decltype(&cublasLt##name) name;
static struct {
    FUNCTIONS(POINTER)
} lt;

static int load()
{
#ifdef PS_CUBLAS_LINKED
#define ADDRESS(name) lt.name = cublasLt##name;
    FUNCTIONS(ADDRESS)
#else
    void *lib = ps_cuda_library("libcublasLt.so." PS_STRING(CUBLAS_VER_MAJOR), PS_CUDA_LIBRARIES);
    if (!lib)
        return PS_EDATA;
#define LOOK_UP(name)                                                 \
    if (!(lt.name = (decltype(lt.name))dlsym(lib, "cublasLt" #name))) \
        return ps_fail(PS_EDATA, "cublasLt has no function cublasLt" #name);
    FUNCTIONS(LOOK_UP)
#endif
    return 0;
}

int ps_cuda_fused_open(ps_cuda *c)
{
    int rc = load();
    if (rc < 0)
        return rc;
    cublasStatus_t status = lt.Create(&c->fused);
    return status == CUBLAS_STATUS_SUCCESS ? 0
                                           : ps_fail(PS_EDATA, "%s: cublasLt cannot begin (%d)", c->dev.name, status);
}

void ps_cuda_fused_close(ps_cuda *c)
{
    if (c->fused)
        (void)lt.Destroy(c->fused);
}

/* What describes a product to cublasLt; one that could not be made is NULL, and `ok` is false. */
typedef struct {
    cublasLtMatmulDesc_t how;
    cublasLtMatrixLayout_t left, right, out;
    cublasLtMatmulPreference_t wish;
    bool ok;
} description;

static void check(description *d, cublasStatus_t status)
{
    d->ok = d->ok && status == CUBLAS_STATUS_SUCCESS;
}

template <class T> static void set(description *d, cublasLtMatmulDescAttributes_t what, const T &value)
{
    if (d->ok)
        check(d, lt.MatmulDescSetAttribute(d->how, what, &value, sizeof value));
}

template <class T> static void wish(description *d, cublasLtMatmulPreferenceAttributes_t what, const T &value)
{
    if (d->ok)
        check(d, lt.MatmulPreferenceSetAttribute(d->wish, what, &value, sizeof value));
}

static uint32_t alignment(const void *p)
{
    uintptr_t at = (uintptr_t)p | 256;
    return (uint32_t)(at & -at);
}

/* Row by row is column by column of the transpose: C^T = B A^T, and the bias is one of rows, as cublasLt has it. */
static void describe(description *d, const ps_device *dev, const ps_cuda_factors *f, const float *bias,
                     const float *out)
{
    cublasComputeType_t compute = dev->products == PS_PRODUCTS_TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    *d = {};
    d->ok = true;
    check(d, lt.MatmulDescCreate(&d->how, compute, CUDA_R_32F));
    set(d, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    set(d, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_RELU_BIAS);
    set(d, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    check(d, lt.MatrixLayoutCreate(&d->left, f->type, f->k, f->n, (int64_t)f->ldb));
    check(d, lt.MatrixLayoutCreate(&d->right, f->type, f->k, f->m, (int64_t)f->lda));
    check(d, lt.MatrixLayoutCreate(&d->out, CUDA_R_32F, f->n, f->m, (int64_t)f->n));
    check(d, lt.MatmulPreferenceCreate(&d->wish));
    wish(d, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, (uint64_t)PS_CUDA_WORKSPACE);
    wish(d, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(f->b));
    wish(d, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(f->a));
    wish(d, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(out));
    wish(d, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(out));
}

static void forget(description *d)
{
    if (d->how)
        (void)lt.MatmulDescDestroy(d->how);
    if (d->left)
        (void)lt.MatrixLayoutDestroy(d->left);
    if (d->right)
        (void)lt.MatrixLayoutDestroy(d->right);
    if (d->out)
        (void)lt.MatrixLayoutDestroy(d->out);
    if (d->wish)
        (void)lt.MatmulPreferenceDestroy(d->wish);
}

/* False: cublasLt cannot. */
static bool multiply(ps_device *dev, const ps_cuda_factors *f, const float *bias, float *out)
{
    const float one = 1, none = 0;
    ps_cuda *c = cuda_of(dev);
    cublasLtMatmulHeuristicResult_t best = {};
    int found = 0;
    description d;
    describe(&d, dev, f, bias, out);
    if (d.ok)
        check(&d, lt.MatmulAlgoGetHeuristic(c->fused, d.how, d.left, d.right, d.out, d.out, d.wish, 1, &best, &found));
    if (d.ok && found > 0)
        check(&d, lt.Matmul(c->fused, d.how, &one, f->b, d.left, f->a, d.right, &none, out, d.out, out, d.out,
                            &best.algo, c->workspace, PS_CUDA_WORKSPACE, c->compute));
    forget(&d);
    return d.ok && found > 0;
}

static void gemm_bias_relu(ps_device *dev, size_t m, size_t n, size_t k, const float *a, const float *b, size_t ldb,
                           const float *bias, float *out)
{
    ps_cuda_factors f = {m, n, k, a, k, b, ldb, CUDA_R_32F};
    bool some = m > 0 && n > 0 && k > 0 && !dev->failed;
    /* The heuristic is told of the alignment of all but the bias, which epilogues read 16 bytes at a time. */
    bool fuse = some && dev->products != PS_PRODUCTS_F32 && (uintptr_t)bias % 16 == 0;
    if (some && dev->products == PS_PRODUCTS_BF16 && ps_cuda_round_factors(dev, m, k, n, k, &f) < 0)
        return;
    if (fuse && multiply(dev, &f, bias, out)) {
        dev->fused++;
        return;
    }
    dev->unfused += some && dev->products != PS_PRODUCTS_F32;
    if (some)
        ps_cuda_product(dev, PS_N, PS_T, &f, 0, out, n);
    else
        dev->ops->gemm(dev, PS_N, PS_T, m, n, k, a, k, b, ldb, 0, out, n);
    dev->ops->bias_relu(dev, m, n, out, bias);
}

void ps_cuda_add_fused(ps_device_ops *ops)
{
    ops->gemm_bias_relu = gemm_bias_relu;
}
