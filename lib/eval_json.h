/* eval_json.h - parts that reports of one file and of several have in common, as JSON. */
#ifndef PS_EVAL_JSON_H
#define PS_EVAL_JSON_H

#include "eval.h"
#include "json.h"

/* "name": {"10": values[0], ...}, a member for each K. */
void ps_eval_json_cutoffs(ps_json *j, const char *name, const ps_cutoffs *c, const double *values);

/* "distribution": {...} */
void ps_eval_json_distribution(ps_json *j, const ps_distribution *d);

#endif
