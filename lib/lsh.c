#include "index_inner.h"
int lsh_build(ps_knn *knn, const ps_index_options *o, ps_index *x, ps_pool *pool, ps_out *out)
{ (void)knn; (void)o; (void)x; (void)pool; (void)out; return PS_EDATA; }
int lsh_open(ps_index *x) { (void)x; return PS_EDATA; }
int lsh_search(const ps_index *x, const ps_knn *knn, const ps_knn_queries *q, ps_pool *pool, uint32_t effort,
                           size_t k, ps_hit *hits, size_t *found)
{ (void)x;(void)knn;(void)q;(void)pool;(void)effort;(void)k;(void)hits;(void)found; return PS_EDATA; }
