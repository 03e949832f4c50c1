import Host

/// What the kernel says of a process that matters to whom it belongs. (proc(5), /proc/PID/stat; pid_namespaces(7))
package struct ClusterMember: Sendable, Hashable {
    package let pid: Int
    package let parent: Int
    private let state: String
    /// As /proc/PID/ns/pid names it.
    let namespace: String

    package init(pid: Int, parent: Int, state: String, namespace: String) {
        (self.pid, self.parent, self.state, self.namespace) = (pid, parent, state, namespace)
    }

    /// nil: there is none, or it is a zombie.
    private init?(pid: Int) {
        guard let text = Files.text("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")"),
            let namespace = Files.link("/proc/\(pid)/ns/pid")
        else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ").map(String.init)
        guard fields.count > 1, let parent = Int(fields[1]), !["Z", "X"].contains(fields[0]) else { return nil }
        self.init(pid: pid, parent: parent, state: fields[0], namespace: namespace)
    }

    package var isStopped: Bool { ["T", "t"].contains(state) }

    /// All processes of a cluster but its daemon's: nodes' inits, shims, what they started, and what others started in their PID
    /// namespaces.
    /// `node`: only that node's.
    static func all(_ paths: ClusterPaths, of node: String? = nil) -> [ClusterMember] {
        let found = node.map { ClusterProcess.all(paths, of: $0) } ?? ClusterProcess.all(paths).filter { $0.role != .daemon }
        let roots = found.map(\.identity.pid)
        let processes = Files.list("/proc").compactMap { Int($0) }.compactMap(ClusterMember.init(pid:))
        return members(of: Set(roots), among: processes, outside: Files.link("/proc/self/ns/pid") ?? "")
    }

    /// `roots`, their descendants, and all in PID namespaces that one of them is in, the machine's own, `outside`, left aside.
    package static func members(of roots: Set<Int>, among processes: [ClusterMember], outside: String) -> [ClusterMember] {
        var members = roots, namespaces: Set<String> = [outside], count = -1
        while members.count != count {
            count = members.count
            namespaces.formUnion(processes.filter { members.contains($0.pid) }.map(\.namespace))
            for process in processes
            where members.contains(process.parent) || process.namespace != outside && namespaces.contains(process.namespace) {
                members.insert(process.pid)
            }
        }
        return processes.filter { members.contains($0.pid) }
    }
}
