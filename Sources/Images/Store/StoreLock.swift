import Glibc
import Host
import Runtime

/// A lock between processes, on a file. Given back when it goes, also by a process that is killed. (flock(2))
struct StoreLock: ~Copyable {
    private let descriptor: Descriptor

    /// Waits until it is ours: alone, or with others that share it.
    init(_ path: String, shared: Bool = false) throws {
        let descriptor = try Descriptor(opening: path, O_RDWR | O_CREAT, mode: 0o600)
        while flock(descriptor.number, shared ? LOCK_SH : LOCK_EX) < 0 {
            guard errno == EINTR else { throw FileError("lock", path, errno: errno) }
        }
        self.descriptor = descriptor
    }

    consuming func release() {}
}
