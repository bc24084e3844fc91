/* t_dict.c - names to numbers: dense, in the order of their first coming, any bytes. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "dict.h"
#include "rec.h"

enum { MANY = 30000 };

static ps_str str(const char *s)
{
    return (ps_str){s, strlen(s)};
}

static ps_str numbered(char *buffer, size_t size, int i)
{
    snprintf(buffer, size, "name-%d", i);
    return str(buffer);
}

static void test_few(void)
{
    static const ps_str odd[] = {{"", 0}, {"a", 1}, {"a ", 2}, {"\xff\xfe", 2}, {"a\x01", 2}, {"ab", 2}, {"b", 1}};
    ps_dict d = {0};
    uint64_t number;
    CHECK(ps_dict_find(&d, str("a")) == PS_NONE);
    CHECK(ps_dict_find(&d, str("")) == PS_NONE);
    for (uint64_t pass = 0; pass < 2; pass++)
        for (uint64_t i = 0; i < sizeof odd / sizeof *odd; i++) {
            CHECK_OK(ps_dict_add(&d, odd[i], &number));
            CHECK(number == i && ps_dict_find(&d, odd[i]) == i);
        }
    CHECK(d.n == sizeof odd / sizeof *odd);
    CHECK(ps_dict_find(&d, str("abc")) == PS_NONE && ps_dict_find(&d, str("c")) == PS_NONE);
    CHECK(d.off[0] == 0 && d.off[1] == 0 && d.off[2] == 1 && memcmp(d.text + d.off[3], "\xff\xfe", 2) == 0);
    ps_dict_free(&d);
    CHECK(d.n == 0 && d.off == NULL);
}

/* Names of every length around what a place in the table holds, that differ in one byte, or by a zero at the end. */
static void test_alike(void)
{
    enum { LONGEST = 30 };
    static const char zeros[LONGEST + 1];
    ps_dict d = {0};
    uint64_t number, n = 0;
    char name[LONGEST + 1];
    for (size_t len = 0; len <= LONGEST; len++)
        for (size_t differs = 0; differs <= len; differs++) {
            memset(name, 'a', sizeof name);
            if (differs < len)
                name[differs] = 'b';
            CHECK_OK(ps_dict_add(&d, (ps_str){name, len}, &number));
            CHECK(number == n++);
        }
    for (size_t len = 1; len <= LONGEST; len++) {
        CHECK_OK(ps_dict_add(&d, (ps_str){zeros, len}, &number));
        CHECK(number == n++);
        name[0] = 'a';
        memset(name + 1, 0, LONGEST);
        CHECK_OK(ps_dict_add(&d, (ps_str){name, len + 1}, &number));
        CHECK(number == n++);
    }
    n = 0;
    for (size_t len = 0; len <= LONGEST; len++)
        for (size_t differs = 0; differs <= len; differs++) {
            memset(name, 'a', sizeof name);
            if (differs < len)
                name[differs] = 'b';
            CHECK(ps_dict_find(&d, (ps_str){name, len}) == n++);
        }
    ps_dict_free(&d);
}

/* Long names of one hash: the second word of each undoes what the first one did to it. */
static void test_same_hash(void)
{
    const uint64_t step = UINT64_C(0x9e3779b97f4a7c15), aim = ps_mix64(77);
    ps_dict d = {0};
    uint64_t number, words[3][2];
    for (uint64_t i = 0; i < 3; i++) {
        words[i][0] = i + 1;
        words[i][1] = aim ^ (ps_mix64(sizeof *words ^ words[i][0]) + step);
        const ps_str name = {(const char *)words[i], sizeof words[i]};
        const ps_name_key key = ps_name_key_of(name),
                          first = ps_name_key_of((ps_str){(const char *)words[0], name.len});
        CHECK(key.tail == PS_NAME_LONG && key.head == first.head);
        CHECK_OK(ps_dict_add(&d, name, &number));
        CHECK(number == i);
        CHECK_OK(ps_dict_add(&d, name, &number));
        CHECK(number == i);
    }
    ps_dict_free(&d);
}

/* Through many enlargements; none is lost, none doubled, and probing stays short. */
static void test_many(void)
{
    ps_dict d = {0};
    uint64_t number;
    char name[32];
    for (int i = 0; i < MANY; i++) {
        CHECK_OK(ps_dict_add(&d, numbered(name, sizeof name, i), &number));
        CHECK(number == (uint64_t)i);
        if (i % 3 == 0) {
            CHECK_OK(ps_dict_add(&d, numbered(name, sizeof name, i / 2), &number));
            CHECK(number == (uint64_t)i / 2);
        }
    }
    CHECK(d.n == MANY && d.slots >= 2 * MANY);
    for (int i = 0; i < MANY; i++)
        CHECK(ps_dict_find(&d, numbered(name, sizeof name, i)) == (uint64_t)i);
    CHECK(ps_dict_find(&d, numbered(name, sizeof name, MANY)) == PS_NONE);
    ps_dict_free(&d);
}

/* The table also comes from a file: a full one, and one with numbers from n on, must end the search; and names
 * of the same slot are told apart by all their bytes. */
static void test_table(void)
{
    static const uint64_t off[] = {0, 1, 2, 3}, pair[] = {0, 2, 4};
    static const uint32_t full[] = {1, 2, 1, 2}, beyond[] = {3, 3, 3, 3}, one[] = {1}, both[] = {1, 2, 1, 2};
    CHECK(ps_name_lookup(full, 4, off, "xyz", 3, 2, str("z")) == PS_NONE);
    CHECK(ps_name_lookup(full, 4, off, "xyz", 3, 2, str("y")) == 1);
    CHECK(ps_name_lookup(beyond, 4, off, "xyz", 3, 2, str("z")) == PS_NONE);
    CHECK(ps_name_lookup(NULL, 0, NULL, NULL, 0, 0, str("x")) == PS_NONE);
    CHECK(ps_name_lookup(one, 1, pair, "xyxz", 4, 2, str("x")) == PS_NONE);
    CHECK(ps_name_lookup(one, 1, pair, "xyxz", 4, 2, str("xyx")) == PS_NONE);
    CHECK(ps_name_lookup(both, 4, pair, "xyxz", 4, 2, str("xz")) == 1);
}

int main(void)
{
    test_few();
    test_alike();
    test_same_hash();
    test_many();
    test_table();
    CHECK_END();
}
