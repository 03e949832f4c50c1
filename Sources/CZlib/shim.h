// zlib, and its two macros that make a stream.
#include <zlib.h>

static inline int minik_deflate_init(z_stream *stream) { return deflateInit(stream, Z_BEST_SPEED); }
static inline int minik_inflate_init(z_stream *stream) { return inflateInit(stream); }
