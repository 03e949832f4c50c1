import CHost

/// Mounts of the mount namespace that we live in.
package enum Mounts {
    /// Binds `source` on `target`.
    package static func bind(_ source: String, on target: String) throws(FileError) {
        let result = host_bind_mount(source, target)
        guard result == 0 else { throw FileError("bind \(source) on", target, errno: -result) }
    }

    /// Lets nothing of an overlay's layers below show in a directory of its upper one. (overlayfs, "whiteouts and opaque directories")
    package static func makeOpaque(_ directory: String) throws(FileError) {
        let result = host_make_opaque(directory)
        guard result == 0 else { throw FileError("make an opaque directory of", directory, errno: -result) }
    }

    /// Takes away what is mounted there, as soon as nobody uses it; nothing there is no error.
    package static func remove(_ path: String) { _ = host_unmount(path) }

    /// Makes `path` a shared mount point of its own, as `ip netns add` does with /run/netns; false when it was one already.
    @discardableResult
    package static func share(_ path: String) throws(FileError) -> Bool {
        let result = host_share_mount(path)
        guard result >= 0 else { throw FileError("make a shared mount of", path, errno: -result) }
        return result == 1
    }
}
