import CSandbox
import Glibc
import ShimProtocol

extension SandboxSetting {
    /// Sets it in the caller's namespaces; 0 or -errno.
    func apply() -> Int32 {
        switch self {
        case .nodeIPC, .podProcesses: return 0  // done as the sandbox is made
        case .memory(let path, let size, let group): return sandbox_mount_memory(path, UInt64(size), UInt32(group))
        case .sysctl(let name, let value):
            let path = "/proc/sys/" + name.replacing(".", with: "/")
            let fd = open(path, O_WRONLY | O_CLOEXEC)
            guard fd >= 0 else { return -errno }
            defer { close(fd) }
            let bytes = Array(value.utf8)
            return write(fd, bytes, bytes.count) == bytes.count ? 0 : -errno
        }
    }
}
