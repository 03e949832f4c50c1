import CArchive
import Glibc
import Host
import Runtime

/// Directories that layers have something in and no entry for. As containerd and Docker have it, such a one is what the layers below say;
/// of an overlay's directories, however, the uppermost is shown, whatever it is. So an image of such layers gets one more on top:
/// directories alone, as they are to be seen. No file is copied. (containerd, pkg/archive/tar.go, mkparent)
///
/// Layers are nobody's to change but ours, so a path in which no link was found stays what it was.
struct ImpliedDirectories {
    /// The lowest first.
    let layers: [String]
    /// Those that hold any.
    let implying: Set<String>

    /// One that the image shows.
    private struct Shown {
        let path: String
        /// The layers that it comes from, the highest first.
        let layers: [String]
        /// Those whose attributes are on top, and those that it is to have.
        let top: String
        let source: String
    }

    /// Makes the layer in `directory`; false, and nothing is made, when what the overlay shows is right without.
    func make(in directory: String) throws -> Bool {
        var shown: [String: Shown] = [:], wrong: [String] = [], open = [""]
        if let root = layers.last { shown[""] = Shown(path: "", layers: layers.reversed(), top: root, source: root) }
        while let path = open.popLast(), let parent = shown[path] {
            // What only one layer has is what that one says.
            let implying = parent.layers.count > 1 ? parent.layers.filter(implying.contains) : []
            for name in Set(implying.flatMap { Files.directories(in: $0 + path) }) {
                guard let child = look(parent, name) else { continue }
                shown[child.path] = child
                open.append(child.path)
                if child.top != child.source, try Attributes(child.top) != Attributes(child.source) { wrong.append(child.path) }
            }
        }
        guard !wrong.isEmpty else { return false }
        var paths: Set<String> = [""]
        for path in wrong {
            var path = path
            while paths.insert(path).inserted, let cut = path.lastIndex(of: "/") { path = String(path[..<cut]) }
        }
        // A directory comes after what it lies in, and has its times when all is in it.
        let sorted = paths.sorted()
        for path in sorted { try Files.makeDirectory(directory + path) }
        for path in sorted.reversed() {
            if let source = shown[path]?.source { try Attributes(source).set(directory + path) }
        }
        return true
    }

    /// The directory `name` of one that is shown; nil where something else is.
    private func look(_ parent: Shown, _ name: String) -> Shown? {
        let path = "\(parent.path)/\(name)"
        var found: [String] = []
        for layer in parent.layers {
            var info = stat()
            guard lstat(layer + path, &info) == 0 else { continue }
            // A file, a link or a whiteout hides what is below, as an opaque directory does.
            guard info.st_mode & S_IFMT == S_IFDIR else { break }
            found.append(layer)
            if getxattr(layer + path, "trusted.overlay.opaque", nil, 0) > 0 { break }
        }
        guard let top = found.first else { return nil }
        let named = found.first { getxattr($0 + path, "trusted.minik.implied", nil, 0) < 0 }
        return Shown(path: path, layers: found, top: top + path, source: (named ?? top) + path)
    }

    /// What a directory is like.
    private struct Attributes: Equatable {
        let mode: mode_t
        let user: uid_t
        let group: gid_t
        let seconds: Int
        let nanoseconds: Int
        /// The image's own.
        let extended: [String: [UInt8]]

        init(_ path: String) throws {
            var info = stat()
            guard lstat(path, &info) == 0 else { throw FileError("look at", path, errno: errno) }
            (mode, user, group) = (info.st_mode & 0o7777, info.st_uid, info.st_gid)
            (seconds, nanoseconds) = (info.st_mtim.tv_sec, info.st_mtim.tv_nsec)
            var names = [CChar](repeating: 0, count: 1 << 16), extended: [String: [UInt8]] = [:]
            let length = listxattr(path, &names, names.count)
            for name in names.prefix(max(0, length)).split(separator: 0) {
                let name = String(decoding: name.map(UInt8.init(bitPattern:)), as: UTF8.self)
                guard name.hasPrefix("user.") else { continue }
                var value = [UInt8](repeating: 0, count: 1 << 16)
                let size = getxattr(path, name, &value, value.count)
                guard size >= 0 else { throw FileError("read \(name) of", path, errno: errno) }
                extended[name] = Array(value.prefix(size))
            }
            self.extended = extended
        }

        func set(_ path: String) throws {
            guard chown(path, user, group) == 0, chmod(path, mode) == 0 else {
                throw FileError("give its owner and mode to", path, errno: errno)
            }
            for (name, value) in extended where setxattr(path, name, value, value.count, 0) < 0 {
                throw FileError("set \(name) of", path, errno: errno)
            }
            var times = [timespec(tv_sec: seconds, tv_nsec: nanoseconds), timespec(tv_sec: seconds, tv_nsec: nanoseconds)]
            guard utimensat(AT_FDCWD, path, &times, 0) == 0 else { throw FileError("set the times of", path, errno: errno) }
        }
    }
}
