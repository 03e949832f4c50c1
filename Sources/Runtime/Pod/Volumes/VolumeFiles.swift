import Glibc
import Host
import Model

/// The files of a volume that the cluster writes. Readers see all of a change or nothing of it: every file is a link through `..data`,
/// which is a link to the directory of one state of things, and a change is a new directory and one rename. That is how the kubelet lays
/// such volumes out, and programs watch for it. (kubernetes.io/docs/concepts/configuration/configmap, "Mounted ConfigMaps are updated")
struct VolumeFiles: Equatable {
    struct File: Equatable {
        var bytes: [UInt8]
        var mode: Int
        var owner = 0
    }

    var files: [String: File] = [:]
    /// The mode of the volume's own directory.
    var directoryMode = 0o777
    /// The group that owns them, which may read them all; nil: root's, modes as they stand.
    var group: Int?

    /// Brings a directory to this state; nothing happens when it is there already.
    func write(to directory: String) throws {
        let data = "\(directory)/..data"
        try Files.makeDirectory(directory)
        try give(directory, mode: directoryMode, isDirectory: true)
        if Files.exists(data), holds(in: data) { return }
        let name = Self.stateName(.now())
        let fresh = "\(directory)/\(name)"
        try Files.makeDirectory(fresh)
        try give(fresh, mode: 0o755, isDirectory: true)
        for (path, file) in files.sorted(by: { $0.key < $1.key }) {
            let parts = path.split(separator: "/").map(String.init)
            guard !parts.isEmpty, !parts.contains("..") else { continue }
            var place = fresh
            for part in parts.dropLast() {
                place += "/\(part)"
                try Files.makeDirectory(place)
                try give(place, mode: 0o755, isDirectory: true)
            }
            let full = "\(fresh)/\(path)"
            try Files.create(file.bytes, at: full, mode: mode_t(file.mode))
            try give(full, mode: file.mode, owner: file.owner, isDirectory: false)
        }
        var old = [CChar](repeating: 0, count: 4096)
        let length = readlink(data, &old, old.count - 1)
        try link("\(directory)/..data_tmp", to: name)
        guard rename("\(directory)/..data_tmp", data) == 0 else { throw FileError("rename to", data, errno: errno) }
        let shown = Set(files.keys.compactMap { $0.split(separator: "/").first.map(String.init) })
        for top in shown where length < 0 || !Files.isLink("\(directory)/\(top)") {
            try link("\(directory)/\(top)", to: "..data/\(top)")
            let owner = files[top]?.owner ?? 0
            if owner != 0, lchown("\(directory)/\(top)", uid_t(owner), gid_t.max) < 0 {
                throw FileError("change the owner of", "\(directory)/\(top)", errno: errno)
            }
        }
        for stale in Files.list(directory) where !stale.hasPrefix("..") && !shown.contains(stale) { unlink("\(directory)/\(stale)") }
        if length > 0 {
            Files.removeTree("\(directory)/\(String(decoding: old.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self))")
        }
    }

    /// The name of one state of a volume: its time, and what makes it the only one.
    static func stateName(_ now: Timestamp) -> String {
        let time = now.description.dropLast().replacing("-", with: "_").replacing("T", with: "_").replacing(":", with: "_")
        return "..\(time).\(String(repeating: "0", count: max(0, 9 - "\(now.nanoseconds)".count)))\(now.nanoseconds)"
    }

    /// A file's bytes as they stand in a directory.
    static func current(_ path: String, in directory: String) -> [UInt8]? { try? Files.read("\(directory)/..data/\(path)") }

    private func holds(in data: String) -> Bool {
        var found: [String] = []
        func walk(_ prefix: String) {
            for name in Files.list("\(data)/\(prefix)") {
                if Files.isDirectory("\(data)/\(prefix)\(name)") { walk("\(prefix)\(name)/") } else { found.append(prefix + name) }
            }
        }
        walk("")
        guard Set(found) == Set(files.keys) else { return false }
        return files.allSatisfy { path, file in
            var info = stat()
            return stat("\(data)/\(path)", &info) == 0 && Int(info.st_uid) == file.owner
                && Int(info.st_mode & 0o777) == allowed(file.mode, isDirectory: false) & 0o777
                && (try? Files.read("\(data)/\(path)")) == file.bytes
        }
    }

    /// With a group, its members may read what the owner may.
    private func allowed(_ mode: Int, isDirectory: Bool) -> Int { group == nil ? mode : isDirectory ? mode | 0o2550 : mode | 0o440 }

    private func give(_ path: String, mode: Int, owner: Int = 0, isDirectory: Bool) throws(FileError) {
        if group != nil || owner != 0, lchown(path, uid_t(owner), gid_t(group ?? 0)) < 0 {
            throw FileError("change the owner and group of", path, errno: errno)
        }
        if chmod(path, mode_t(allowed(mode, isDirectory: isDirectory))) < 0 { throw FileError("change the mode of", path, errno: errno) }
    }

    private func link(_ path: String, to target: String) throws(FileError) {
        unlink(path)
        guard symlink(target, path) == 0 else { throw FileError("link", path, errno: errno) }
    }
}
