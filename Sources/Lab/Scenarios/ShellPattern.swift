import Glibc

/// A shell's pattern for paths: `*` ends at a slash, `**` does not.
enum ShellPattern {
    static func matches(_ pattern: String, _ path: String) -> Bool {
        fnmatch(pattern, path, pattern.contains("**") ? 0 : FNM_PATHNAME) == 0
    }
}
