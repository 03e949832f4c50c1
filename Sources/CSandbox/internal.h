#ifndef CSANDBOX_INTERNAL_H
#define CSANDBOX_INTERNAL_H
#include "csandbox.h"
void sandbox_fail(struct sandbox_failure *failure, const char *stage, const char *object);
#endif
