#include "train_log.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char names[] = "step\tepoch\tloss\trate\tpairs/s\tgradient\tvalid\n";

static int fails(ps_train_log *log, const char *what)
{
    log->failed = ps_fail(PS_ESYS, "%s: cannot %s", log->path, what);
    return log->failed;
}

/* Cuts the file off behind the line of `step`, or behind the last whole line before. */
static int cut(ps_train_log *log, uint64_t step)
{
    char *line = NULL;
    size_t cap = 0;
    long keep = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, log->file)) > 0 && line[n - 1] == '\n') {
        if (keep == 0 && strcmp(line, names) != 0)
            break;
        if (keep > 0 && strtoull(line, NULL, 10) > step)
            break;
        keep = ftell(log->file);
    }
    free(line);
    if (keep == 0 && n > 0)
        return ps_fail(PS_EDATA, "%s: exists, but is no training log: its first line is not the names of its columns", log->path);
    if (ftruncate(fileno(log->file), keep) < 0 || fseek(log->file, keep, SEEK_SET) < 0)
        return fails(log, "cut off");
    if (keep == 0 && fputs(names, log->file) < 0)
        return fails(log, "write");
    return 0;
}

int ps_train_log_open(ps_train_log *log, const char *path, uint64_t step)
{
    *log = (ps_train_log){.path = path};
    log->file = step ? fopen(path, "r+e") : NULL;
    if (log->file)
        return cut(log, step);
    log->file = fopen(path, "we");
    if (!log->file)
        return fails(log, "create");
    if (fputs(names, log->file) < 0 || fflush(log->file) != 0)
        return fails(log, "write");
    return 0;
}

int ps_train_log_add(ps_train_log *log, const ps_step *s)
{
    if (!log->file || log->failed)
        return log->failed;
    fprintf(log->file, "%" PRIu64 "\t%u\t%.6g\t%.6g\t%.0f\t%.6g\t", s->step, s->epoch, s->loss, s->rate,
            s->seconds > 0 ? s->pairs / s->seconds : 0, s->gradient);
    if (!isnan(s->valid))
        fprintf(log->file, "%.6f", s->valid);
    fputc('\n', log->file);
    return fflush(log->file) != 0 || ferror(log->file) ? fails(log, "write") : 0;
}

int ps_train_log_close(ps_train_log *log)
{
    if (log->file && fclose(log->file) != 0 && !log->failed)
        fails(log, "write");
    log->file = NULL;
    return log->failed ? ps_fail(PS_EDATA, "%s: the training log could not be written", log->path) : 0;
}
