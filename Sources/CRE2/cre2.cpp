#include "cre2.h"

#include <cstdio>
#include <re2/re2.h>

struct cre2_pattern {
    RE2 expression;
};

// Programs and the tables made while matching, a pattern: more than any schema's needs, and no way to the machine's memory.
static const int most_memory = 2 << 20;

extern "C" cre2_pattern *cre2_compile(const char *pattern, size_t length, char *why, size_t room) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_never_capture(true);
    options.set_max_mem(most_memory);
    cre2_pattern *made = new cre2_pattern{{re2::StringPiece(pattern, length), options}};
    if (made->expression.ok()) return made;
    std::snprintf(why, room, "error parsing regexp: %s: `%s`", made->expression.error().c_str(), made->expression.error_arg().c_str());
    delete made;
    return nullptr;
}

extern "C" void cre2_free(cre2_pattern *pattern) { delete pattern; }

extern "C" int cre2_steps(const cre2_pattern *pattern) { return pattern->expression.ProgramSize(); }

extern "C" int cre2_matches(const cre2_pattern *pattern, const char *text, size_t length) {
    return RE2::PartialMatch(re2::StringPiece(text, length), pattern->expression);
}
