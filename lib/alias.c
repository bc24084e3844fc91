#include "alias.h"

#include <stdlib.h>

#include "mem.h"

int ps_alias_make(const float *weight, const uint32_t *adj, size_t n, uint32_t *alias, uint32_t *accept)
{
    double *share = ps_alloc(n, sizeof *share), sum = 0;
    size_t *small = ps_alloc(n, sizeof *small), *large = ps_alloc(n, sizeof *large), smalls = 0, larges = 0;
    int rc = share && small && large ? 0 : PS_EMEM;
    for (size_t i = 0; i < n && rc == 0; i++)
        sum += (double)weight[i];
    for (size_t i = 0; i < n && rc == 0; i++) {
        share[i] = (double)weight[i] * (double)n / sum;
        alias[i] = adj[i];
        accept[i] = UINT32_MAX;
        if (share[i] < 1)
            small[smalls++] = i;
        else
            large[larges++] = i;
    }
    while (rc == 0 && smalls > 0 && larges > 0) {
        const size_t s = small[--smalls], l = large[larges - 1];
        accept[s] = (uint32_t)(share[s] * 0x1p32);
        alias[s] = adj[l];
        share[l] -= 1 - share[s];
        if (share[l] < 1) {
            larges--;
            small[smalls++] = l;
        }
    }
    free(share);
    free(small);
    free(large);
    return rc;
}
