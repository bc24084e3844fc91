/* gzip: what is unpacked does not depend on how it is asked for, and packed well it is what was packed.
 *
 * Bit 0 of the first byte: the rest is text, to be packed in one member or (bit 1) two, with one byte changed (bit 2:
 * its place and value are the next three bytes); otherwise the rest is the file. */
#include "fuzz.h"
#include "io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t pack(const uint8_t *data, size_t n, uint8_t *to, size_t room)
{
    z_stream z = {0};
    MUST(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)n;
    z.next_out = to;
    z.avail_out = (uInt)room;
    MUST(deflate(&z, Z_FINISH) == Z_STREAM_END);
    size_t packed = z.total_out;
    deflateEnd(&z);
    return packed;
}

/* Reads all: CRC-32 and length of what came, or *failed. */
static uint32_t read_by(const char *path, size_t want, size_t *length, int *failed)
{
    ps_in *in = ps_in_open(path);
    uint32_t crc = 0;
    long got = in ? 0 : -1;
    *length = 0;
    const uint8_t *p;
    while (in && (got = ps_in_peek(in, &p, want)) > 0) {
        size_t taken = (size_t)got < want ? (size_t)got : want;
        crc = (uint32_t)crc32_z(crc, p, taken);
        *length += taken;
        ps_in_skip(in, taken);
        MUST(ps_in_offset(in) == *length);
    }
    ps_in_close(in);
    *failed = got < 0;
    return crc;
}

static void check(const char *path, const uint8_t *plain, size_t n)
{
    size_t a_length, b_length;
    int a_failed, b_failed;
    uint32_t a = read_by(path, 1000, &a_length, &a_failed), b = read_by(path, 1 << 20, &b_length, &b_failed);
    MUST(a_failed == b_failed && (a_failed || (a == b && a_length == b_length)));
    if (plain)
        MUST(!a_failed && a_length == n && a == (uint32_t)crc32_z(0, plain, n));
    ps_blob blob;
    int rc = ps_blob_open(&blob, path);
    MUST((rc < 0) == a_failed);
    if (rc == 0) {
        MUST(blob.size == a_length && a == (uint32_t)crc32_z(0, blob.data, blob.size));
        ps_blob_close(&blob);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 4)
        return 0;
    const int how = data[0];
    const uint8_t *text = data + 4;
    const size_t length = n - 4, half = how & 2 ? length / 2 : length, room = 2 * length + 200;
    if (!(how & 1)) {
        fuzz_file f = fuzz_file_make(data + 1, n - 1);
        check(f.path, NULL, 0);
        fuzz_file_close(&f);
        return 0;
    }
    uint8_t *packed = malloc(room);
    size_t size = pack(text, half, packed, room);
    if (how & 2)
        size += pack(text + half, length - half, packed + size, room - size);
    if (how & 4)
        packed[(size_t)(data[1] | data[2] << 8) % size] ^= data[3];
    fuzz_file f = fuzz_file_make(packed, size);
    check(f.path, how & 4 ? NULL : text, length);
    fuzz_file_close(&f);
    free(packed);
    return 0;
}
