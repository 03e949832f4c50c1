// RE2 behind C: regular expressions whose matching takes time in proportion to the text, whatever the pattern is.
#ifndef CRE2_H
#define CRE2_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cre2_pattern cre2_pattern;

/// Compiles `pattern`. NULL: it is none, and `why` (of `room` bytes) says why not.
cre2_pattern *cre2_compile(const char *pattern, size_t length, char *why, size_t room);
void cre2_free(cre2_pattern *pattern);

/// The steps its program has: a match may cost as many for each byte of the text.
int cre2_steps(const cre2_pattern *pattern);

/// Whether it matches anywhere in `text`.
int cre2_matches(const cre2_pattern *pattern, const char *text, size_t length);

#ifdef __cplusplus
}
#endif
#endif
