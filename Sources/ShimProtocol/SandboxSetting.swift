/// What a pod's sandbox is set up with beyond its namespaces; a word of the shim's command line each.
package enum SandboxSetting: Sendable, Hashable {
    /// `sysctl -w NAME=VALUE` in the pod's namespaces.
    case sysctl(name: String, value: String)
    /// `mount -t tmpfs` on a directory that becomes a volume: at most `size` bytes, 0 for the kernel's own limit; the group's unless
    /// `group` is 0.
    case memory(path: String, size: Int, group: Int)
    /// The node's IPC namespace instead of one of its own.
    case nodeIPC
    /// One PID namespace for all containers that ask for the pod's, with a first process that is none of theirs.
    case podProcesses

    package var word: String {
        switch self {
        case .sysctl(let name, let value): "sysctl:\(name)=\(value)"
        case .memory(let path, let size, let group): "memory:\(size):\(group):\(path)"
        case .nodeIPC: "ipc:node"
        case .podProcesses: "pid:pod"
        }
    }

    /// What was being done when it failed.
    package var summary: String {
        switch self {
        case .sysctl(let name, let value): "set sysctl \(name)=\(value)"
        case .memory(let path, _, _): "mount a tmpfs on \(path)"
        case .nodeIPC: "join the node's IPC namespace"
        case .podProcesses: "start the pod's first process"
        }
    }

    package init?(_ word: String) {
        if let simple = [Self.nodeIPC, .podProcesses].first(where: { $0.word == word }) {
            self = simple
            return
        }
        let parts = word.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return nil }
        if parts[0] == "sysctl", let cut = parts[1].firstIndex(of: "=") {
            self = .sysctl(name: String(parts[1][..<cut]), value: String(parts[1][parts[1].index(after: cut)...]))
            return
        }
        let rest = parts[1].split(separator: ":", maxSplits: 2).map(String.init)
        guard parts[0] == "memory", rest.count == 3, let size = Int(rest[0]), let group = Int(rest[1]) else { return nil }
        self = .memory(path: rest[2], size: size, group: group)
    }
}
