import CSandbox
import Host
import ShimProtocol

extension SandboxSetting {
    /// Sets it in the caller's namespaces; 0 or -errno.
    func apply() -> Int32 {
        switch self {
        case .nodeIPC, .podProcesses: return 0  // done as the sandbox is made
        case .memory(let path, let size, let group): return sandbox_mount_memory(path, UInt64(size), UInt32(group))
        case .sysctl(let name, let value):
            let path = "/proc/sys/" + name.replacing(".", with: "/")
            do {
                try Files.tell(value, to: path)
                return 0
            } catch { return -error.errno }
        }
    }
}
