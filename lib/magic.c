#include "magic.h"

#include <string.h>

static const struct {
    const char *letters, *name;
} types[] = {[PS_FILE_OTHER] = {"", "something else"},      [PS_FILE_RECORDS] = {"PSR", "a record stream"},
             [PS_FILE_GRAPH] = {"PSG", "a graph"},          [PS_FILE_MODEL] = {"PSM", "a model"},
             [PS_FILE_INDEX] = {"PSI", "an index"},         [PS_FILE_FEATURES] = {"PSF", "a state of psfeat"},
             [PS_FILE_CHECKPOINT] = {"PSC", "a checkpoint"}};

ps_file_type ps_file_type_of(const uint8_t *p, size_t n)
{
    for (size_t i = PS_FILE_RECORDS; n >= 4 && i < sizeof types / sizeof *types; i++)
        if (memcmp(p + 1, types[i].letters, 3) == 0)
            return (ps_file_type)i;
    return PS_FILE_OTHER;
}

const char *ps_file_type_name(ps_file_type type)
{
    return types[type].name;
}
