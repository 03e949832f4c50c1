import CHost
import Glibc
import Host
import Model

/// A node's files, as the node's own processes find them: its links and mounts are meant, and nothing leads to the machine's.
package struct NodeRoot: Sendable {
    private let directory: String

    /// That of the node as it runs now.
    package init(_ node: String, paths: ClusterPaths) throws {
        guard let process = ProcessIdentity(file: paths.nodePID(node)) else { throw NodeDown(node: node) }
        directory = "/proc/\(process.pid)/root"
    }

    /// What lies below a directory of this machine that is to be a part of a node's root.
    init(directory: String) { self.directory = directory }

    struct NodeDown: Error, CustomStringConvertible {
        let node: String
        var description: String { "node \(node) has no init that runs" }
    }

    /// The type of what is there (S_IFDIR ...), links followed; nil when nothing is.
    package func type(of path: String) throws(FileError) -> mode_t? {
        try opened(path) { root throws(FileError) in
            let mode = host_mode_in_root(root, path)
            if mode >= 0 { return mode_t(mode) & S_IFMT }
            if mode == -ENOENT || mode == -ENOTDIR { return nil }
            throw FileError("look at", path, errno: -mode)
        }
    }

    /// `mkdir -p`, or an empty file with the directories above it; what is there stays.
    package func make(_ path: String, isDirectory: Bool) throws(FileError) {
        try opened(path) { root throws(FileError) in
            let place = Descriptor.result(host_make_in_root(root, path, isDirectory ? 1 : 0))
            _ = try Descriptor(place, isDirectory ? "make the directory" : "create", path)
        }
    }

    /// Opens a directory, links to it followed.
    func directory(_ path: String) throws(FileError) -> Descriptor {
        try opened(path) { root throws(FileError) in
            try Descriptor(Descriptor.result(host_open_in_root(root, path, O_RDONLY | O_DIRECTORY)), "open", path)
        }
    }

    /// The regular files in a directory, by name, as text; nothing when there is no such directory.
    package func texts(in folder: String) throws(FileError) -> [String: String] {
        guard try type(of: folder) == S_IFDIR else { return [:] }
        let names = try opened(folder) { root throws(FileError) in
            let place = try Descriptor(Descriptor.result(host_open_in_root(root, folder, O_RDONLY | O_DIRECTORY)), "open", folder)
            return Files.list("/proc/self/fd/\(place.number)")
        }
        return Dictionary(
            names.compactMap { name in text("\(folder)/\(name)").map { (name, $0) } }, uniquingKeysWith: { first, _ in first })
    }

    /// A regular file's text; nil when there is none.
    package func text(_ path: String) -> String? { Files.text(path, inRoot: directory) }

    /// Writes a file whole, in directories that are made where they are missing.
    package func write(_ text: String, to path: String) throws(FileError) { try write(Array(text.utf8), to: path) }

    /// The same with a mode, which the file has from then on.
    package func write(_ text: String, to path: String, mode: mode_t) throws(FileError) {
        try write(Array(text.utf8), to: path, mode: mode)
    }

    package func write(_ bytes: [UInt8], to path: String, mode: mode_t? = nil) throws(FileError) {
        try opened(path) { root throws(FileError) in
            var result = Descriptor.result(host_open_in_root(root, path, O_WRONLY | O_TRUNC | O_NONBLOCK))
            if result == -ENOENT {
                _ = try Descriptor(Descriptor.result(host_make_in_root(root, path, 0)), "create", path)
                result = Descriptor.result(host_open_in_root(root, path, O_WRONLY | O_TRUNC | O_NONBLOCK))
            }
            let file = try Descriptor(result, "open", path)
            try file.write(bytes, to: path)
            if let mode, fchmod(file.number, mode) != 0 { throw FileError("change the mode of", path, errno: errno) }
        }
    }

    /// Makes a file that is not there yet, in directories that are made where they are missing; false when something has its name.
    package func create(_ text: String, at path: String) throws(FileError) -> Bool {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        return try opened(path) { root throws(FileError) in
            let above = String(path[..<slash])
            var found = Descriptor.result(host_open_in_root(root, above, O_RDONLY | O_DIRECTORY))
            if found == -ENOENT { found = Descriptor.result(host_make_in_root(root, above, 1)) }
            let folder = try Descriptor(found, "make the directory of", path)
            let name = String(path[path.index(after: slash)...])
            let result = Descriptor.result(openat(folder.number, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o644))
            if result == -EEXIST { return false }
            try Descriptor(result, "create", path).write(Array(text.utf8), to: path)
            return true
        }
    }

    /// Removes a file; nothing there is no error.
    package func remove(_ path: String) throws(FileError) {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        try opened(path) { root throws(FileError) in
            let found = Descriptor.result(host_open_in_root(root, String(path[..<slash]) + "/", O_RDONLY | O_DIRECTORY))
            if found == -ENOENT { return }
            let folder = try Descriptor(found, "remove", path)
            guard unlinkat(folder.number, String(path[path.index(after: slash)...]), 0) == 0 || errno == ENOENT else {
                throw FileError("remove", path, errno: errno)
            }
        }
    }

    private func opened<R: ~Copyable>(_ path: String, _ body: (Int32) throws(FileError) -> R) throws(FileError) -> R {
        let result = Descriptor.result(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        let root = try Descriptor(result, "open \(directory) for", path)
        return try body(root.number)
    }
}
