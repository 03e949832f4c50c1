/// The machine's disks that are mounted below its root: a node sees them where they are, as it sees the root itself.
package enum MachineDisks {
    /// What a node has of its own, what the kernel makes up, and where container engines have their containers' files.
    private static let without = [
        "/proc", "/sys", "/dev", "/run", "/tmp", "/var/log", ClusterPaths.stateRoot, "/var/lib/docker", "/var/lib/containerd",
        "/var/lib/containers", "/var/lib/kubelet",
    ]
    private static let types: Set<Substring> = ["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "jfs", "nilfs2"]

    /// Where they are mounted, outer ones first. `mountinfo`: the text of proc_pid_mountinfo(5).
    package static func paths(mountinfo: String) -> [String] {
        var paths: Set<String> = []
        for line in mountinfo.split(separator: "\n") {
            let fields = line.split(separator: " ")
            // A dash ends the optional fields; the type comes after it.
            guard fields.count > 6, let dash = fields[6...].firstIndex(of: "-"), dash + 1 < fields.count, types.contains(fields[dash + 1])
            else { continue }
            let path = unescaped(fields[4])
            guard path != "/", !without.contains(where: { path == $0 || path.hasPrefix("\($0)/") }) else { continue }
            paths.insert(path)
        }
        return paths.sorted()
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
