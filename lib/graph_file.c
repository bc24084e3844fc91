#include "graph_file.h"

#include "bytes.h"
#include "rng.h"

const uint8_t ps_graph_magic[8] = {0x89, 'P', 'S', 'G', '\r', '\n', 0x1a, '\n'};

uint64_t ps_graph_fingerprint(uint64_t items, uint64_t boards, uint64_t edges, const ps_section *s, int n)
{
    uint64_t h = ps_mix64(items + 1);
    h = ps_mix64(h ^ boards);
    h = ps_mix64(h ^ edges);
    for (int i = 0; i < n; i++)
        if (s[i].id != PS_SEC_HISTORY) {
            h = ps_mix64(h ^ s[i].id);
            h = ps_mix64(h ^ s[i].bytes);
            h = ps_mix64(h ^ s[i].crc);
        }
    return h ? h : 1;
}

void ps_section_encode(uint8_t *p, const ps_section *s)
{
    ps_put32(p, s->id);
    ps_put32(p + 4, s->elem);
    ps_put64(p + 8, s->offset);
    ps_put64(p + 16, s->bytes);
    ps_put32(p + 24, s->crc);
    ps_put32(p + 28, 0);
}

ps_section ps_section_decode(const uint8_t *p)
{
    return (ps_section){ps_get32(p), ps_get32(p + 4), ps_get64(p + 8), ps_get64(p + 16), ps_get32(p + 24)};
}

const char *ps_section_name(uint32_t id)
{
    static const char *const names[PS_SEC_END] = {
        NULL, "history", "item offsets", "item adjacency", "item weights", "item alias", "item accept",
        "item name offsets", "item names", "item name lookup", "board offsets", "board adjacency",
        "board weights", "board alias", "board accept", "board name offsets", "board names", "board name lookup",
        "ancestors"};
    return id > 0 && id < PS_SEC_END ? names[id] : "unknown section";
}
