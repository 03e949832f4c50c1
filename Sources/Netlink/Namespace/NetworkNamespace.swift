import CSandbox
import Glibc
import Host

/// A network namespace held open by a descriptor.
package struct NetworkNamespace: ~Copyable {
    private let opened: Descriptor
    package var descriptor: Int32 { opened.number }

    /// Opens the namespace bound to `path`: `/run/netns/NAME` or `/proc/PID/ns/net`.
    package init(path: String) throws(NetlinkError) {
        do { opened = try Descriptor(opening: path, O_RDONLY) } catch {
            throw NetlinkError("open network namespace \(path)", errno: error.errno)
        }
    }

    /// The namespace this process runs in.
    package static func current() throws(NetlinkError) -> NetworkNamespace { try NetworkNamespace(path: "/proc/self/ns/net") }

    /// `ip netns add NAME`, for the namespace file `path`.
    package static func create(path: String) throws(NetlinkError) {
        let result = sandbox_new_network(path)
        guard result == 0 else { throw NetlinkError("ip netns add \(path)", errno: -result) }
    }

    /// Binds the network namespace of process `pid` to `path`: `ip netns attach`.
    package static func bind(pid: Int, path: String) throws(NetlinkError) {
        do { _ = try Descriptor(opening: path, O_RDONLY | O_CREAT | O_EXCL, mode: 0o444) } catch {
            throw NetlinkError("create \(path)", errno: error.errno)
        }
        do { try Mounts.bind("/proc/\(pid)/ns/net", on: path) } catch {
            unlink(path)
            throw NetlinkError("bind the network namespace of process \(pid) to \(path)", errno: error.errno)
        }
    }

    /// Removes the name; the namespace lives on while a process or a descriptor holds it. Nothing there is no error.
    package static func delete(path: String) {
        Mounts.remove(path)
        unlink(path)
    }

    /// As sysctl(8) has it, a slash in a key stands for a dot in a name.
    private static func path(sysctl key: String) -> String {
        "/proc/sys/"
            + key.split(separator: ".", omittingEmptySubsequences: false).map { $0.replacing("/", with: ".") }.joined(separator: "/")
    }

    /// `sysctl -w KEY=VALUE` for a key under `net.`, which belongs to the namespace.
    package borrowing func set(sysctl key: String, _ value: String) throws(NetlinkError) {
        let path = Self.path(sysctl: key)
        let result = sandbox_write_in(descriptor, path, value)
        guard result == 0 else { throw NetlinkError("sysctl -w \(key)=\(value)", errno: -result) }
    }

    /// `sysctl -n KEY` for a key under `net.`; nil where there is no such key.
    package borrowing func sysctl(_ key: String) throws(NetlinkError) -> String? {
        let path = Self.path(sysctl: key)
        var buffer = [CChar](repeating: 0, count: 256)
        let count = sandbox_read_in(descriptor, path, &buffer, buffer.count)
        if count == -ENOENT { return nil }
        guard count >= 0 else { throw NetlinkError("sysctl -n \(key)", errno: Int32(-count)) }
        let text = String(decoding: buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.last == "\n" ? String(text.dropLast()) : text
    }

    /// True when `path` is bound to the network namespace of process `pid`.
    package static func isBound(path: String, pid: Int) -> Bool { isSame(path, "/proc/\(pid)/ns/net") }

    /// True when `path` leads to the namespace this process runs in.
    package static func isOwn(path: String) -> Bool { isSame(path, "/proc/self/ns/net") }

    private static func isSame(_ path: String, _ other: String) -> Bool {
        var name = stat(), own = stat()
        guard stat(path, &name) == 0, stat(other, &own) == 0 else { return false }
        return name.st_dev == own.st_dev && name.st_ino == own.st_ino
    }
}
