/// The machine's disks that are mounted below its root: a node sees them where they are, as it sees the root itself.
package enum MachineDisks {
    /// What a node has of its own, what the kernel makes up, and where container engines have their containers' files.
    private static let without = [
        "/proc", "/sys", "/dev", "/run", "/tmp", "/var/log", ClusterPaths.stateRoot, "/var/lib/docker", "/var/lib/containerd",
        "/var/lib/containers", "/var/lib/kubelet",
    ]
    private static let types: Set<Substring> = ["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "jfs", "nilfs2"]

    private struct Mount {
        let disk: Substring
        /// Which directory of the disk is seen, and where.
        let root: String
        let path: String
        let type: Substring
    }

    private static func mounts(_ mountinfo: String) -> [Mount] {
        mountinfo.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            // A dash ends the optional fields; the type comes after it.
            guard fields.count > 6, let dash = fields[6...].firstIndex(of: "-"), dash + 1 < fields.count else { return nil }
            return Mount(disk: fields[2], root: unescaped(fields[3]), path: unescaped(fields[4]), type: fields[dash + 1])
        }
    }

    /// Where they are mounted, outer ones first. `mountinfo`: the text of proc_pid_mountinfo(5).
    package static func paths(mountinfo: String) -> [String] {
        let paths = mounts(mountinfo).filter { mount in
            types.contains(mount.type) && mount.path != "/" && !without.contains { rest(of: mount.path, below: $0) != nil }
        }
        return Set(paths.map(\.path)).sorted()
    }

    /// Where else what lies in `folder` is to be seen: by bind mounts of it, and by other mounts of its disk.
    package static func aliases(of folder: String, mountinfo: String) -> [String] {
        let all = mounts(mountinfo)
        // Of two on one path the later one is seen.
        guard
            let own = all.indices.filter({ rest(of: folder, below: all[$0].path) != nil }).max(by: {
                all[$0].path.utf8.count <= all[$1].path.utf8.count
            }),
            let inside = rest(of: folder, below: all[own].path)
        else { return [] }
        let place = join(all[own].root, inside)
        let aliases = all.indices.compactMap { index -> String? in
            let mount = all[index]
            guard index != own, mount.disk == all[own].disk else { return nil }
            if let below = rest(of: place, below: mount.root) { return join(mount.path, below) }
            return rest(of: mount.root, below: place) == nil ? nil : mount.path
        }
        return Set(aliases).filter { rest(of: $0, below: folder) == nil }.sorted()
    }

    /// What is left of a path below a directory, with a slash in front; nil for one that is not below.
    private static func rest(of path: String, below folder: String) -> String? {
        if folder == "/" { return path == "/" ? "" : path }
        return path == folder || path.hasPrefix("\(folder)/") ? String(path.dropFirst(folder.count)) : nil
    }

    private static func join(_ folder: String, _ rest: String) -> String {
        if folder == "/" { return rest.isEmpty ? "/" : rest }
        return folder + rest
    }

    /// `\040` is a space, and so on: three octal digits a byte.
    private static func unescaped(_ field: Substring) -> String {
        var bytes: [UInt8] = [], rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            guard byte == UInt8(ascii: "\\"), digits.count == 3, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8) else {
                bytes.append(byte)
                continue
            }
            bytes.append(value)
            rest = rest.dropFirst(3)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
