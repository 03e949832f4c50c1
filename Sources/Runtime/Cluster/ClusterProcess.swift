import Glibc
import Host

/// A process of a cluster, found by what it is: by its arguments, whatever became of the files that name it.
package struct ClusterProcess: Sendable, Hashable {
    package enum Role: Sendable, Hashable {
        case daemon
        case node(String)
        case pod(uid: String)
    }

    package let role: Role
    package let identity: ProcessIdentity
    /// Of a pod's shim: the node's init that it was born below.
    package var nodeProcess: Int?

    package var description: String {
        switch role {
        case .daemon: "the daemon, process \(identity.pid)"
        case .node(let name): "the init of node \(name), process \(identity.pid)"
        case .pod(let uid): "the shim of pod \(uid), process \(identity.pid)"
        }
    }

    /// What a process with these arguments is to a cluster; nil when it is none of its.
    package static func role(of arguments: [String], _ paths: ClusterPaths) -> Role? {
        guard arguments.count >= 3, let program = arguments[0].split(separator: "/").last else { return nil }
        switch (program, arguments[1]) {
        case ("minik", "serve"): return arguments[2] == paths.cluster ? .daemon : nil
        case ("minik-shim", "node"):
            return arguments.count >= 4 && arguments[3] == paths.nodeState(arguments[2]) ? .node(arguments[2]) : nil
        case ("minik-shim", "pod"):
            guard arguments[2].hasPrefix("\(paths.podRuns)/"), arguments[2].hasSuffix("/shim.sock") else { return nil }
            return .pod(uid: String(arguments[2].dropFirst(paths.podRuns.count + 1).dropLast("/shim.sock".count)))
        default: return nil
        }
    }

    /// All that live now.
    package static func all(_ paths: ClusterPaths) -> [ClusterProcess] {
        Files.list("/proc").compactMap { Int($0) }.compactMap { pid in
            guard pid != Int(getpid()), let text = Files.text("/proc/\(pid)/cmdline"), !text.isEmpty else { return nil }
            let arguments = text.split(separator: "\0", omittingEmptySubsequences: false).dropLast().map(String.init)
            guard let role = role(of: arguments, paths), let identity = ProcessIdentity(pid: pid) else { return nil }
            var process = ClusterProcess(role: role, identity: identity)
            if case .pod = role, arguments.count > 5 { process.nodeProcess = Int(arguments[5]) }
            return process
        }
    }

    /// Those of one node: its init, and the shims of its pods.
    static func all(_ paths: ClusterPaths, of node: String) -> [ClusterProcess] {
        let processes = all(paths), inits = processes.filter { $0.role == .node(node) }
        let pids = Set(inits.map(\.identity.pid))
        return inits + processes.filter { $0.nodeProcess.map(pids.contains) ?? false }
    }
}
