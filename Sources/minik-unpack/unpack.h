#ifndef UNPACK_H
#define UNPACK_H
#include <archive.h>
#include <archive_entry.h>
#include <stdint.h>

// minik-unpack DIRECTORY MOST-BYTES MOST-ENTRIES <LAYER: unpacks one layer of an image, plain or compressed, into an empty directory.
// It says `ok SHA256 BYTES ENTRIES IMPLIED` of the uncompressed tar, or `failed SENTENCE`, and ends with 0 or 1. IMPLIED are the
// directories that the layer holds something in and has no entry for: they are marked, for what they are like the layers below say.
//
// Whoever made the layer may wish us ill. So what reads it sees nothing of the machine but that directory, has no network and no other
// process to talk to, and of root's powers only those over files; what needs more (the marks of directories) its parent does for it.

/// What a layer may come to.
struct limits {
    uint64_t bytes, entries;
};

/// Says why it failed, and ends.
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

// confine.c
/// Namespaces of our own, for us and our children.
void leave_machine(void);
/// Makes `directory` our root, on which nothing runs and no device opens.
void enter_directory(const char *directory);
/// Gives up all powers but those over files.
void drop_capabilities(void);

// marks.c
/// What a directory is marked as, in attributes that only the machine's root sees.
enum mark {
    opaque_mark,   ///< hides what layers below have in it
    implied_mark,  ///< has no entry of its own
    named_mark,    ///< has one after all
};
/// Marks directories for the child at the other end of `socket`, until it has gone.
void serve_marks(int socket);
/// Has the directory `directory` marked, by whoever serves at `socket`.
void ask_for_mark(int socket, int directory, enum mark mark, const char *path);

// stream.c
/// A layer's bytes without their compression, counted and hashed as they go by.
struct stream;
struct stream *open_stream(int file, uint64_t most_bytes);
/// libarchive's reader of a tar, on that stream.
struct archive *open_tar(struct stream *stream);
/// Reads what follows the tar's end, and says the SHA-256 of all in hexadecimal; how many bytes it were.
uint64_t finish_stream(struct stream *stream, char hex[65]);

// apply.c
/// Applies all entries of the tar below the root; how many there were.
uint64_t apply_entries(struct archive *tar, int marks, uint64_t most_entries);
#endif
