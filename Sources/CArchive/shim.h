#include <archive.h>
#include <archive_entry.h>
// With the extended attributes of files, which Swift's Glibc does not show.
#include <sys/xattr.h>
