#define _GNU_SOURCE
#include "unpack.h"
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Two of libarchive's readers, one on the other: the first takes the compression off, and what it gives is hashed on its way to the second.

struct stream {
    struct archive *plain;
    EVP_MD_CTX *hash;
    uint64_t bytes, most;
    int has_ended;
};

static ssize_t next_piece(struct stream *stream, const void **piece) {
    size_t length = 0;
    int64_t offset = 0;
    if (stream->has_ended) return 0;
    int result = archive_read_data_block(stream->plain, piece, &length, &offset);
    if (result == ARCHIVE_EOF) {
        stream->has_ended = 1;
        return 0;
    }
    if (result != ARCHIVE_OK) fail("it is damaged or cut short: %s", archive_error_string(stream->plain));
    stream->bytes += length;
    if (stream->bytes > stream->most) fail("it unpacks to more than %llu bytes", (unsigned long long)stream->most);
    if (EVP_DigestUpdate(stream->hash, *piece, length) != 1) fail("hash the layer");
    return (ssize_t)length;
}

static ssize_t read_piece(struct archive *tar, void *stream, const void **piece) {
    (void)tar;
    return next_piece(stream, piece);
}

struct stream *open_stream(int file, uint64_t most_bytes) {
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream || !(stream->plain = archive_read_new()) || !(stream->hash = EVP_MD_CTX_new())) fail("no memory");
    if (EVP_DigestInit_ex(stream->hash, EVP_sha256(), NULL) != 1) fail("hash the layer");
    stream->most = most_bytes;
    struct archive *plain = stream->plain;
    archive_read_support_filter_gzip(plain);
    archive_read_support_filter_zstd(plain);
    archive_read_support_filter_xz(plain);
    archive_read_support_filter_bzip2(plain);
    archive_read_support_format_raw(plain);
    archive_read_support_format_empty(plain);
    struct archive_entry *entry;
    int result = archive_read_open_fd(plain, file, 1 << 18);
    if (result == ARCHIVE_OK) result = archive_read_next_header(plain, &entry);
    if (result == ARCHIVE_EOF) stream->has_ended = 1;
    else if (result != ARCHIVE_OK) fail("it is damaged or cut short: %s", archive_error_string(plain));
    return stream;
}

struct archive *open_tar(struct stream *stream) {
    struct archive *tar = archive_read_new();
    if (!tar) fail("no memory");
    archive_read_support_format_tar(tar);
    archive_read_support_format_empty(tar);
    if (archive_read_open(tar, stream, NULL, read_piece, NULL) != ARCHIVE_OK) fail("it is no tar: %s", archive_error_string(tar));
    return tar;
}

uint64_t finish_stream(struct stream *stream, char hex[65]) {
    const void *piece;
    while (next_piece(stream, &piece) > 0) {}
    unsigned char digest[32];
    unsigned int length = sizeof digest;
    if (EVP_DigestFinal_ex(stream->hash, digest, &length) != 1) fail("hash the layer");
    for (unsigned int i = 0; i < length; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return stream->bytes;
}
