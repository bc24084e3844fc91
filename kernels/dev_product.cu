/* dev_product.cu - matrix products by cuBLAS, and the conversions to and from bf16.
 *
 * cuBLAS is opened when a device is: the tools start without it, and it is large.  The tests, which have it compiled
 * in, define PS_CUBLAS_LINKED. */
#include "dev_cuda.cuh"

enum { CONVERT_THREADS = 256 };

/* In C++ cublasGemmEx has two forms; the library's is this one. */
typedef cublasStatus_t gemm_ex(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void *,
                               const void *, cudaDataType, int, const void *, cudaDataType, int, const void *, void *,
                               cudaDataType, int, cublasComputeType_t, cublasGemmAlgo_t);

static decltype(&cublasCreate_v2) create;
static decltype(&cublasDestroy_v2) destroy;
static decltype(&cublasSetStream_v2) set_stream;
static decltype(&cublasSetWorkspace_v2) set_workspace;
static decltype(&cublasGetStatusString) status_string;
static gemm_ex *multiply;

#define FUNCTIONS(F)                  \
    F(create, cublasCreate_v2)        \
    F(destroy, cublasDestroy_v2)      \
    F(set_stream, cublasSetStream_v2) \
    F(set_workspace, cublasSetWorkspace_v2) F(status_string, cublasGetStatusString) F(multiply, cublasGemmEx)

#ifdef PS_CUBLAS_LINKED
static int load()
{
#define ADDRESS(pointer, name) pointer = name;
    FUNCTIONS(ADDRESS)
    return 0;
}
#else
static int load()
{
    void *lib = ps_cuda_library("libcublas.so." PS_STRING(CUBLAS_VER_MAJOR), PS_CUDA_LIBRARIES);
    if (!lib)
        return PS_EDATA;
#define LOOK_UP(pointer, name)                             \
    if (!(pointer = (decltype(pointer))dlsym(lib, #name))) \
        return ps_fail(PS_EDATA, "cuBLAS has no function " #name);
    FUNCTIONS(LOOK_UP)
    return 0;
}
#endif

static void note_blas(ps_device *dev, cublasStatus_t rc)
{
    if (rc != CUBLAS_STATUS_SUCCESS && !dev->failed) {
        dev->failed = PS_EDATA;
        snprintf(dev->why, sizeof dev->why, "cuBLAS: %s", status_string(rc));
    }
}

/* A workspace of our own: then a product does not depend on what ran before it. */
int ps_cuda_blas_open(ps_cuda *c)
{
    int rc = load();
    if (rc < 0)
        return rc;
    cublasStatus_t status = create(&c->blas);
    if (status != CUBLAS_STATUS_SUCCESS)
        return ps_fail(PS_EDATA, "%s: cuBLAS: %s", c->dev.name, status_string(status));
    if (!(c->workspace = c->dev.ops->alloc(&c->dev, PS_CUDA_WORKSPACE)))
        return PS_EMEM;
    note_blas(&c->dev, set_stream(c->blas, c->compute));
    note_blas(&c->dev, set_workspace(c->blas, c->workspace, PS_CUDA_WORKSPACE));
    return ps_cuda_fused_open(c);
}

void ps_cuda_blas_close(ps_cuda *c)
{
    ps_cuda_fused_close(c);
    if (c->blas)
        (void)destroy(c->blas);
    c->dev.ops->release(&c->dev, c->workspace, PS_CUDA_WORKSPACE);
    for (int i = 0; i < 2; i++)
        c->dev.ops->release(&c->dev, c->rounded[i], c->rounded_cap[i] * sizeof **c->rounded);
}

/* ---- conversions ---- */

/* As ps_vec_ops's to_bf16. */
static __device__ uint16_t round_to_bf16(float x)
{
    uint32_t bits = __float_as_uint(x), even = bits + 0x7fff + (bits >> 16 & 1);
    return (uint16_t)(((bits & 0x7fffffff) > 0x7f800000 ? bits | 0x400000 : even) >> 16);
}

static __global__ void to_bf16_kernel(size_t rows, size_t n, const float *x, size_t ld, uint16_t *out)
{
    size_t j = (size_t)blockIdx.y * blockDim.x + threadIdx.x, u = (size_t)blockIdx.x * PS_STRIP;
    size_t end = u + PS_STRIP < rows ? u + PS_STRIP : rows;
    if (j >= n)
        return;
#pragma unroll 8
    for (; u < end; u++)
        out[u * n + j] = round_to_bf16(x[u * ld + j]);
}

static void to_bf16(ps_device *dev, size_t rows, size_t n, const float *x, size_t ld, uint16_t *out)
{
    unsigned threads = threads_for(n, 1, CONVERT_THREADS);
    launch(dev, "to_bf16", dim3(parts_of(rows, PS_STRIP), parts_of(n, threads)), threads, to_bf16_kernel, rows, n, x,
           ld, out);
}

static __global__ void from_bf16_kernel(size_t n, const uint16_t *x, float *out)
{
    size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        out[i] = __uint_as_float((uint32_t)x[i] << 16);
}

static void from_bf16(ps_device *dev, size_t n, const uint16_t *x, float *out)
{
    launch(dev, "from_bf16", dim3(parts_of(n, CONVERT_THREADS)), CONVERT_THREADS, from_bf16_kernel, n, x, out);
}

/* ---- products ---- */

/* A factor in bf16, without gaps, in room of its own; NULL if there is none. */
static const uint16_t *rounded(ps_device *dev, int which, size_t rows, size_t cols, const float *x, size_t ld)
{
    ps_cuda *c = cuda_of(dev);
    if (c->rounded_cap[which] < rows * cols) {
        size_t more = rows * cols + rows * cols / 8; /* batches differ a little, and making room waits for the device */
        dev->ops->release(dev, c->rounded[which], c->rounded_cap[which] * sizeof **c->rounded);
        c->rounded[which] = (uint16_t *)dev->ops->alloc(dev, more * sizeof **c->rounded);
        c->rounded_cap[which] = c->rounded[which] ? more : 0;
        if (!c->rounded[which]) {
            dev->failed = PS_EMEM;
            snprintf(dev->why, sizeof dev->why, "%s", ps_errmsg());
            return NULL;
        }
    }
    to_bf16(dev, rows, cols, x, ld, c->rounded[which]);
    return c->rounded[which];
}

int ps_cuda_round_factors(ps_device *dev, size_t a_rows, size_t a_cols, size_t b_rows, size_t b_cols,
                          ps_cuda_factors *f)
{
    f->a = rounded(dev, 0, a_rows, a_cols, (const float *)f->a, f->lda);
    f->b = rounded(dev, 1, b_rows, b_cols, (const float *)f->b, f->ldb);
    f->lda = a_cols;
    f->ldb = b_cols;
    f->type = CUDA_R_16BF;
    return f->a && f->b ? 0 : PS_EMEM;
}

/* Row by row is column by column of the transpose: C^T = op(B)^T op(A)^T. */
void ps_cuda_product(ps_device *dev, ps_trans ta, ps_trans tb, const ps_cuda_factors *f, float beta, float *out,
                     size_t ldc)
{
    const float one = 1;
    cublasComputeType_t compute = dev->products == PS_PRODUCTS_TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    note_blas(dev,
              multiply(cuda_of(dev)->blas, tb == PS_T ? CUBLAS_OP_T : CUBLAS_OP_N,
                       ta == PS_T ? CUBLAS_OP_T : CUBLAS_OP_N, (int)f->n, (int)f->m, (int)f->k, &one, f->b, f->type,
                       (int)f->ldb, f->a, f->type, (int)f->lda, &beta, out, CUDA_R_32F, (int)ldc, compute,
                       CUBLAS_GEMM_DEFAULT));
}

static void gemm(ps_device *dev, ps_trans ta, ps_trans tb, size_t m, size_t n, size_t k, const float *a, size_t lda,
                 const float *b, size_t ldb, float beta, float *out, size_t ldc)
{
    ps_cuda_factors f = {m, n, k, a, lda, b, ldb, CUDA_R_32F};
    if (m == 0 || n == 0 || dev->failed)
        return;
    if (k == 0) { /* an empty sum */
        for (size_t i = 0; i < m && beta == 0; i++)
            dev->ops->zero(dev, out + i * ldc, n * sizeof *out);
        return;
    }
    if (dev->products == PS_PRODUCTS_BF16 && ps_cuda_round_factors(dev, ta == PS_T ? k : m, ta == PS_T ? m : k,
                                                                   tb == PS_T ? n : k, tb == PS_T ? k : n, &f) < 0)
        return;
    ps_cuda_product(dev, ta, tb, &f, beta, out, ldc);
}

void ps_cuda_add_product(ps_device_ops *ops)
{
    ops->gemm = gemm;
    ops->to_bf16 = to_bf16;
    ops->from_bf16 = from_bf16;
}
