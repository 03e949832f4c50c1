import Glibc
import Host
import Runtime

/// A lock between processes, on a file. Given back when it goes, also by a process that is killed. (flock(2))
struct StoreLock: ~Copyable {
    private let descriptor: Int32

    /// Waits until it is ours: alone, or with others that share it.
    init(_ path: String, shared: Bool = false) throws {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError("open", path, errno: errno) }
        while flock(descriptor, shared ? LOCK_SH : LOCK_EX) < 0 {
            guard errno == EINTR else {
                let reason = errno
                close(descriptor)
                throw FileError("lock", path, errno: reason)
            }
        }
    }

    consuming func release() {}

    deinit { close(descriptor) }
}
