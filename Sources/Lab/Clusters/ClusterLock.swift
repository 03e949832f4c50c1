import Glibc
import Host
import Runtime

/// The right to make, remove or exchange a cluster: one `minik up`, `down`, `snapshot`, ... a cluster at a time. Given back when it goes,
/// also by a process that is killed. (flock(2))
package struct ClusterLock: ~Copyable {
    private let descriptor: Descriptor
    private let path: String

    package init(_ paths: ClusterPaths) throws {
        try self.init(path: paths.commandLock, cluster: paths.cluster)
    }

    package init(path: String, cluster: String) throws {
        self.path = path
        while true {
            let descriptor = try Descriptor(opening: path, O_RDWR | O_CREAT, mode: 0o600)
            guard flock(descriptor.number, LOCK_EX | LOCK_NB) == 0 else {
                guard errno == EWOULDBLOCK else { throw FileError("lock", path, errno: errno) }
                throw UserError(
                    "another command is at work on cluster \"\(cluster)\" (minik up, down, pause, resume or snapshot)",
                    hint: "wait for it to end")
            }
            // Whoever had it may have removed the file between our two calls: a lock on a file without a name excludes nobody.
            if Self.isNamed(descriptor.number, path) {
                self.descriptor = descriptor
                return
            }
        }
    }

    private static func isNamed(_ descriptor: Int32, _ path: String) -> Bool {
        var held = stat(), named = stat()
        return fstat(descriptor, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev
    }

    package consuming func release() {}

    /// Does something to a cluster that is there, while nobody else makes or removes it.
    static func with<R>(_ paths: ClusterPaths, _ body: () throws -> R) throws -> R {
        let lock = try ClusterLock(paths)
        let outcome = Result { try body() }
        lock.release()
        return try outcome.get()
    }

    static func with<R>(_ paths: ClusterPaths, _ body: () async throws -> R) async throws -> R {
        let lock = try ClusterLock(paths)
        let outcome: Result<R, any Error>
        do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
        lock.release()
        return try outcome.get()
    }

    /// Gives it back for good: the cluster is gone, and its file goes as well.
    package consuming func remove() { unlink(path) }
}
