/* t_cuda_products.c - matrix products on the device: by cuBLAS, and with bias and ReLU by cublasLt; of float, TF32,
 * bf16. */
#include "cuda_twins.h"

static void test_gemm(size_t m, size_t n, size_t k, ps_products how, double bound)
{
    for (int form = 0; form < 8; form++) {
        ps_trans ta = form & 1 ? PS_T : PS_N, tb = form & 2 ? PS_T : PS_N;
        float beta = form & 4 ? 1.f : 0.f;
        size_t lda = (ta == PS_T ? m : k) + 2, ldb = (tb == PS_T ? k : n) + 1, ldc = n + 3;
        array *a = reals((ta == PS_T ? k : m) * lda), *b = reals((tb == PS_T ? n : k) * ldb), *c = reals(m * ldc);
        snprintf(trial, sizeof trial, "gemm %zu x %zu x %zu, form %d, products %d", m, n, k, form, how);
        device->products = how;
        ON_BOTH(gemm(dev, ta, tb, m, n, k, A(a), lda, A(b), ldb, beta, A(c), ldc));
        device->products = PS_PRODUCTS_F32;
        compare("gemm", c, bound);
        free_arrays();
    }
}

/* On the CPU the fused product launches no kernel but bf16's two conversions; cublasLt cannot have every shape. */
static void test_fused(size_t m, size_t n, size_t k, ps_products how, double bound)
{
    array *a = reals(m * k), *b = reals(n * (k + 4)), *bias = reals(n), *c = empty(m * n);
    snprintf(trial, sizeof trial, "gemm_bias_relu %zu x %zu x %zu, products %d", m, n, k, how);
    CHECK_OK(device->ops->finish(device));
    uint64_t before = emulator_blocks ? emulator_blocks() : 0;
    device->products = how;
    ON_BOTH(gemm_bias_relu(dev, m, n, k, A(a), A(b), k + 4, A(bias), A(c)));
    device->products = PS_PRODUCTS_F32;
    compare("gemm_bias_relu", c, bound);
    if (emulator_blocks && how == PS_PRODUCTS_TF32 && m && k)
        CHECK((emulator_blocks() == before) == (n % 4 == 0 && k % 4 == 0));
    free_arrays();
}

static void test_products(void)
{
    static const size_t sizes[][3] = {{0, 3, 4}, {3, 0, 4}, {3, 4, 0}, {1, 1, 1}, {31, 33, 17}, {64, 5, 130}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        test_gemm(sizes[i][0], sizes[i][1], sizes[i][2], PS_PRODUCTS_F32, 2e-6);
        test_gemm(sizes[i][0], sizes[i][1], sizes[i][2], PS_PRODUCTS_TF32, 4e-3);
        test_gemm(sizes[i][0], sizes[i][1], sizes[i][2], PS_PRODUCTS_BF16, 3e-2);
    }
    static const size_t fused[][3] = {{0, 4, 4}, {1, 4, 8}, {3, 4, 0}, {31, 32, 36}, {64, 5, 16}, {33, 64, 31}};
    for (size_t i = 0; i < sizeof fused / sizeof *fused; i++) {
        test_fused(fused[i][0], fused[i][1], fused[i][2], PS_PRODUCTS_F32, 2e-6);
        test_fused(fused[i][0], fused[i][1], fused[i][2], PS_PRODUCTS_TF32, 4e-3);
        test_fused(fused[i][0], fused[i][1], fused[i][2], PS_PRODUCTS_BF16, 3e-2);
    }
}

int main(void)
{
    int rc = begin();
    if (rc)
        return rc;
    test_products();
    end();
    CHECK_END();
}
