/* .npy headers, good and bad, and the elements behind them. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "check.h"
#include "npy.h"

static const char path[] = "t_npy.tmp";

static void put(const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(data, 1, n, f) == n);
    CHECK(f && fclose(f) == 0);
}

/* A version 1.0 file of that dictionary and data. */
static void put_npy(const char *dict, const void *data, size_t n)
{
    uint8_t all[1024];
    size_t len = strlen(dict);
    memcpy(all, "\x93NUMPY\x01\x00", 8);
    ps_put16(all + 8, (uint16_t)(len + 1));
    memcpy(all + 10, dict, len);
    all[10 + len] = '\n';
    memcpy(all + 11 + len, data, n);
    put(all, 11 + len + n);
}

static void refused(const char *why)
{
    ps_npy a;
    int rc = ps_npy_open(&a, path);
    if (rc == 0)
        ps_npy_close(&a);
    if (rc != PS_EDATA || !strstr(ps_errmsg(), why)) {
        fprintf(stderr, "expected '%s', got %d: %s\n", why, rc, ps_errmsg());
        CHECK(0);
    }
}

static const float six[6] = {1, -2, 3.5f, 0, 5, 6};

static void good(void)
{
    static const char *const dicts[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }     ",
        "{'shape':(2,3,),\"descr\":\"<f4\",'fortran_order':False}",
        "  { 'fortran_order' : False , 'shape' : ( 2 , 3 ) , 'descr' : '<f4' }",
    };
    float row[3];
    ps_npy a;
    for (int i = 0; i < 3; i++) {
        put_npy(dicts[i], six, sizeof six);
        CHECK_OK(ps_npy_open(&a, path));
        CHECK(a.rows == 2 && a.cols == 3);
        ps_npy_row(&a, 1, row);
        CHECK(row[0] == 0 && row[1] == 5 && row[2] == 6);
        ps_npy_close(&a);
    }
    const double wide[2] = {0.1, -1e30};
    put_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }", wide, sizeof wide);
    CHECK_OK(ps_npy_open(&a, path));
    ps_npy_row(&a, 0, row);
    CHECK(row[0] == 0.1f && row[1] == -1e30f);
    ps_npy_close(&a);
    const uint16_t half[2] = {0x3c00, 0xc500};
    put_npy("{'descr': '<f2', 'fortran_order': False, 'shape': (2, 1), }", half, sizeof half);
    CHECK_OK(ps_npy_open(&a, path));
    ps_npy_row(&a, 0, row);
    CHECK(row[0] == 1);
    ps_npy_row(&a, 1, row);
    CHECK(row[0] == -5);
    ps_npy_close(&a);
    put_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", six, 0);
    CHECK_OK(ps_npy_open(&a, path));
    CHECK(a.rows == 0 && a.cols == 3);
    ps_npy_close(&a);
}

static void bad_headers(void)
{
    static const struct {
        const char *dict, *why;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", "Fortran order"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", "elements of type '>f4'"},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }", "elements of type '<i4'"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,), }", "structured"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", "1 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }", "3 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3), }", "expected a dimension"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 99999999999999999999), }", "beyond all bounds"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "do not make"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6, 0), }", "without columns"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }", "truncated"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", "too long"},
        {"{'descr': '<f4', 'fortran_order': False, }", "missing"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", "twice"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}", "unknown key"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3), }", "neither True nor False"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } x", "something follows"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", "expected , or }"},
        {"{'descr': '<f4, 'fortran_order': False, 'shape': (2, 3), }", "header"},
        {"{'descr", "header"},
        {"", "expected {"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_npy(cases[i].dict, six, sizeof six);
        refused(cases[i].why);
    }
}

static void bad_files(void)
{
    put("", 0);
    refused("empty");
    put("\x93NUMPX\x01\0xxxx", 12);
    refused("neither a .npy nor a .npz file");
    put("\x93NUMPY\x04\0\x01\0{}", 12);
    refused("version 4.0");
    put("\x93NUMPY\x01\0\xff\xff{}", 12);
    refused("header is not whole");
    put("\x93NUMPY\x02\0\xff\xff\xff\xff", 12);
    refused("header is not whole");
    put("\x93NUMPY\x02\0\xff\xff", 10);
    refused("header is not whole");
    float v[6] = {1, 2, 3, 4, NAN, 6};
    put_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", v, sizeof v);
    refused("row 1, column 1: NaN");
    const double d[2] = {1, 1e40};
    put_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }", d, sizeof d);
    refused("row 1, column 0: infinite");
}

int main(void)
{
    good();
    bad_headers();
    bad_files();
    unlink(path);
    CHECK_END();
}
