import Glibc
import Host
import ShimProtocol

/// The machine's own devices, which privileged containers get.
package enum MachineDevices {
    /// What is no device of the machine's but a file system of its own, or the terminal that a container has another of.
    private static let others: Set<String> = ["pts", "shm", "fd", "mqueue", "ptmx", "console", ".lxc", ".lxd-mounts", ".udev"]

    package static func all() -> [DeviceNode] {
        let names = Set(DeviceNode.standard.map(\.path))
        return DeviceNode.standard + Files.list("/dev").filter { !others.contains($0) }.flatMap(nodes).filter { !names.contains($0.path) }
    }

    private static func nodes(at path: String) -> [DeviceNode] {
        var info = stat()
        guard lstat("/dev/\(path)", &info) == 0 else { return [] }
        switch info.st_mode & S_IFMT {
        case S_IFDIR: return Files.list("/dev/\(path)").flatMap { nodes(at: "\(path)/\($0)") }
        case S_IFCHR, S_IFBLK:
            // makedev(3): the low bits of both numbers are where old programs look for them.
            let device = UInt64(info.st_rdev)
            let major = Int(device >> 8 & 0xFFF | device >> 32 & 0xFFFF_F000), minor = Int(device & 0xFF | device >> 12 & 0xFFFF_FF00)
            return [
                DeviceNode(path: path, mode: Int(info.st_mode), major: major, minor: minor, uid: Int(info.st_uid), gid: Int(info.st_gid))
            ]
        default: return []
        }
    }
}
