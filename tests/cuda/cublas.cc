/* cublas.cc - cuBLAS and cublasLt on the CPU, by the project's own products. */
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <cublasLt.h>
#include <cublas_v2.h>

extern "C" {
#include "gemm.h"
}

struct emulated_blas {
    cudaStream_t stream;
};

cublasStatus_t cublasCreate_v2(cublasHandle_t *handle)
{
    *handle = new emulated_blas{NULL};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t, void *workspace, size_t bytes)
{
    return emulated_is_device(workspace, bytes) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

const char *cublasGetStatusString(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_SUCCESS ? "success" : "an unsupported value or parameter was passed to the function";
}

/* Columns of a factor at distance ld, as floats without gaps between them. */
static std::vector<float> widened(const void *x, cudaDataType type, size_t rows, size_t cols, size_t ld)
{
    std::vector<float> out(rows * cols);
    for (size_t j = 0; j < cols; j++)
        for (size_t i = 0; i < rows; i++)
            out[j * rows + i] = type == CUDA_R_32F ? ((const float *)x)[j * ld + i]
                                                   : __uint_as_float((uint32_t)((const uint16_t *)x)[j * ld + i] << 16);
    return out;
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                            const void *alpha, const void *a, cudaDataType a_type, int lda, const void *b,
                            cudaDataType b_type, int ldb, const void *beta, void *c, cudaDataType c_type, int ldc,
                            cublasComputeType_t, cublasGemmAlgo_t)
{
    float scale = *(const float *)alpha, keep = *(const float *)beta;
    int a_rows = ta == CUBLAS_OP_N ? m : k, b_rows = tb == CUBLAS_OP_N ? k : n;
    if (m < 0 || n < 0 || k < 0 || lda < std::max(1, a_rows) || ldb < std::max(1, b_rows) || ldc < std::max(1, m) ||
        a_type != b_type || c_type != CUDA_R_32F)
        return CUBLAS_STATUS_INVALID_VALUE;
    int a_cols = ta == CUBLAS_OP_N ? k : m, b_cols = tb == CUBLAS_OP_N ? n : k;
    emulated_queue(handle->stream, [=] {
        std::vector<float> left = widened(a, a_type, a_rows, a_cols, lda),
                           right = widened(b, b_type, b_rows, b_cols, ldb);
        ps_gemm_one(tb == CUBLAS_OP_N ? PS_N : PS_T, ta == CUBLAS_OP_N ? PS_N : PS_T, n, m, k, scale, right.data(),
                    b_rows, left.data(), a_rows, keep, (float *)c, ldc);
    });
    return CUBLAS_STATUS_SUCCESS;
}

/* ---- cublasLt: A^T B of columns, a bias for each row, ReLU ---- */

struct emulated_lt_how {
    cublasComputeType_t compute;
    cublasOperation_t ta;
    cublasLtEpilogue_t epilogue;
    const float *bias;
};

struct emulated_lt_layout {
    cudaDataType type;
    uint64_t rows, cols;
    int64_t ld;
};

struct emulated_lt_wish {
    uint32_t alignment[4];
};

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    *handle = new emulated_lt;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *how, cublasComputeType_t compute, cudaDataType)
{
    *how = new emulated_lt_how{compute, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, NULL};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t how, cublasLtMatmulDescAttributes_t what,
                                              const void *value, size_t bytes)
{
    void *place = what == CUBLASLT_MATMUL_DESC_TRANSA     ? (void *)&how->ta
                  : what == CUBLASLT_MATMUL_DESC_EPILOGUE ? (void *)&how->epilogue
                                                          : (void *)&how->bias;
    if (bytes != (what == CUBLASLT_MATMUL_DESC_BIAS_POINTER ? sizeof how->bias : sizeof how->ta))
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(place, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t how)
{
    delete how;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows,
                                          uint64_t cols, int64_t ld)
{
    *layout = new emulated_lt_layout{type, rows, cols, ld};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
    delete layout;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *wish)
{
    *wish = new emulated_lt_wish{{256, 256, 256, 256}};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t wish,
                                                    cublasLtMatmulPreferenceAttributes_t what, const void *value,
                                                    size_t bytes)
{
    bool size = what == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
    if (bytes != (size ? sizeof(uint64_t) : sizeof(uint32_t)))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!size)
        memcpy(&wish->alignment[what - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t wish)
{
    delete wish;
    return CUBLAS_STATUS_SUCCESS;
}

/* As cublasLt does, there is none for odd shapes, columns of less than 16 bytes' alignment, and none of TF32 for
 * factors of bf16. TF32 without its compute type would be float: right, and slow; so that is not found either. */
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t how, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t out, cublasLtMatmulPreference_t wish, int,
                                              cublasLtMatmulHeuristicResult_t *best, int *found)
{
    bool fits = how->ta == CUBLAS_OP_T && how->epilogue == CUBLASLT_EPILOGUE_RELU_BIAS && a->rows == b->rows &&
                out->rows == a->cols && out->cols == b->cols && a->type == b->type;
    uint64_t element = a->type == CUDA_R_32F ? 4 : 2;
    for (uint32_t bytes : wish->alignment)
        fits = fits && bytes >= 16;
    fits = fits && (how->compute == CUBLAS_COMPUTE_32F_FAST_TF32) == (a->type == CUDA_R_32F);
    *found = fits && a->ld * element % 16 == 0 && b->ld * element % 16 == 0 && out->ld % 4 == 0;
    best->state = CUBLAS_STATUS_SUCCESS;
    return *found ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t how, const void *, const void *a,
                              cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout,
                              const void *, const void *, cublasLtMatrixLayout_t, void *out,
                              cublasLtMatrixLayout_t out_layout, const cublasLtMatmulAlgo_t *, void *workspace,
                              size_t bytes, cudaStream_t stream)
{
    emulated_lt_layout al = *a_layout, bl = *b_layout, ol = *out_layout;
    const float *bias = how->bias;
    if ((uintptr_t)bias % 16) { /* on a GPU a fault, behind which nothing runs */
        fprintf(stderr, "cublasLtMatmul: misaligned bias\n");
        abort();
    }
    if (!emulated_is_device(workspace, bytes) || !emulated_is_device(bias, ol.rows * sizeof *bias) ||
        !emulated_is_device(out, ((ol.cols - 1) * ol.ld + ol.rows) * sizeof *bias))
        return CUBLAS_STATUS_INVALID_VALUE;
    emulated_queue(stream, [=] {
        std::vector<float> left = widened(a, al.type, al.rows, al.cols, al.ld),
                           right = widened(b, bl.type, bl.rows, bl.cols, bl.ld);
        float *c = (float *)out;
        ps_gemm_one(PS_N, PS_T, bl.cols, al.cols, al.rows, 1, right.data(), bl.rows, left.data(), al.rows, 0, c, ol.ld);
        for (uint64_t j = 0; j < ol.cols; j++)
            for (uint64_t i = 0; i < ol.rows; i++)
                c[j * ol.ld + i] = std::max(c[j * ol.ld + i] + bias[i], 0.f);
    });
    return CUBLAS_STATUS_SUCCESS;
}
