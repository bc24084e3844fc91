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
    uint64_t before = emulator_blocks ? emulator_blocks() : 0, fused = device->fused, all = fused + device->unfused;
    device->products = how;
    ON_BOTH(gemm_bias_relu(dev, m, n, k, A(a), A(b), k + 4, A(bias), A(c)));
    device->products = PS_PRODUCTS_F32;
    compare("gemm_bias_relu", c, bound);
    if (emulator_blocks && how == PS_PRODUCTS_TF32 && m && k) {
        CHECK((emulator_blocks() == before) == (n % 4 == 0 && k % 4 == 0 && shift == 0));
        CHECK((device->fused == fused + 1) == (emulator_blocks() == before));
    }
    CHECK(device->fused + device->unfused == all + (how != PS_PRODUCTS_F32 && m && k));
    free_arrays();
}

/* A fused product waits for what makes its factor, and what reads its result waits for it: on a queue of its own it
 * would not, which some order of the emulated queues shows.  Of odd seeds the bias is not aligned. */
static void test_order(ps_products how, double bound)
{
    enum { M = 40, N = 32, K = 24 };
    uint32_t rows[M];
    for (uint32_t i = 0; i < M; i++)
        rows[i] = M - 1 - i;
    for (uint64_t seed = 1; seed <= (emulator_seed ? 12 : 1); seed++) {
        array *from = reals((size_t)M * K), *b = reals((size_t)N * K), *bias = reals(N + 1),
              *row = make(M, sizeof *rows, rows);
        array *a = empty((size_t)M * K), *c = empty((size_t)M * N), *turned = empty((size_t)M * N);
        if (emulator_seed)
            emulator_seed(seed);
        snprintf(trial, sizeof trial, "order %u, products %d", (unsigned)seed, how);
        device->products = how;
        for (int side = 0; side < 2; side++) {
            ps_device *dev = side ? device : host;
            dev->ops->gather_rows(dev, M, K, A(from), A(row), A(a));
            dev->ops->gemm_bias_relu(dev, M, N, K, A(a), A(b), K, (const float *)A(bias) + seed % 2, A(c));
            dev->ops->gather_rows(dev, M, N, A(c), A(row), A(turned));
        }
        CHECK_OK(device->ops->finish(device));
        device->products = PS_PRODUCTS_F32;
        compare("rows of gemm_bias_relu", turned, bound);
        free_arrays();
    }
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
    test_order(PS_PRODUCTS_TF32, 4e-3);
    test_order(PS_PRODUCTS_BF16, 3e-2);
}

int main(void)
{
    int rc = begin();
    if (rc)
        return rc;
    test_products();
    shift = 1;
    test_products();
    end();
    CHECK_END();
}
