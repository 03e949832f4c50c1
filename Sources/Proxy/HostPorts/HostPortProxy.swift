import Model
import Rules

/// Keeps one node's host ports in the kernel: a pod's are there before its first process runs, and go with it.
package actor HostPortProxy {
    private let node: NodeView
    private let client: any Client
    private let target: any RulesetTarget
    private var parts: [ObjectKey: Ruleset] = [:]
    private var isThere = false

    package init(node: NodeView, client: any Client, target: any RulesetTarget) {
        self.node = node
        self.client = client
        self.target = target
    }

    /// Brings the table in step with the pods that an earlier daemon left. A node without host ports has no table.
    package func start() async throws {
        for pod in try await client.list(Pod.self) where pod.nodeName == node.name && !pod.isFinished && !pod.isHostNetwork {
            if let address = pod.ip, !pod.hostPorts.isEmpty { parts[pod.key] = HostPortTable.compile(pod, address) }
        }
        let hasTable = try await target.read(HostPortTable.name) != nil
        if hasTable || !parts.isEmpty { try await replaceAll() }
    }

    package func admit(_ pod: Pod, _ address: IPv4Address) async throws {
        if !pod.hostPorts.isEmpty { try await set(pod.key, HostPortTable.compile(pod, address)) }
    }

    package func release(_ key: ObjectKey) async throws {
        if parts[key] != nil { try await set(key, Ruleset()) }
    }

    private func set(_ key: ObjectKey, _ part: Ruleset) async throws {
        let before = parts[key] ?? Ruleset()
        parts[key] = part.isEmpty ? nil : part
        guard isThere else { return try await replaceAll() }
        let changes = Ruleset.diff(before, part, declared: HostPortTable.sets)
        guard !changes.isEmpty else { return }
        do { try await target.apply(changes, table: HostPortTable.name) } catch { try await replaceAll() }
    }

    private func replaceAll() async throws {
        var whole = HostPortTable.base(node)
        for part in parts.values { whole.merge(part) }
        try await TableSync(table: HostPortTable.name, target: target).apply(whole)
        isThere = true
    }
}
