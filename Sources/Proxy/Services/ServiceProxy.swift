import Model
import Rules

/// One node's kube-proxy: watches Services and EndpointSlices and keeps the node's `kube-proxy` table in step.
/// Only what changed is compiled, compared and sent.
package actor ServiceProxy {
    private let compiler: ServiceCompiler
    private let client: any Client
    private let target: any RulesetTarget
    private let report: @Sendable (String) -> Void

    private var services: [ObjectKey: Service] = [:]
    private var slices: [ObjectKey: [String: EndpointSlice]] = [:]
    private var parts: [ObjectKey: Ruleset] = [:]
    private var dirty: Set<ObjectKey> = []
    private let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    package init(node: NodeView, client: any Client, target: any RulesetTarget, report: @escaping @Sendable (String) -> Void) {
        compiler = ServiceCompiler(node: node)
        self.client = client
        self.target = target
        self.report = report
    }

    /// Syncs once, calls `ready`, then follows changes until cancelled.
    package func run(ready: @Sendable () -> Void) async throws {
        var isFirst = true
        try await untilCancelled {
            try await follow {
                if isFirst { ready() }
                isFirst = false
            }
        }
    }

    private func follow(_ isSynced: () -> Void) async throws {
        let (initialServices, serviceRevision) = try await client.list(.services, namespace: nil, selector: nil)
        let (initialSlices, sliceRevision) = try await client.list(.endpointSlices, namespace: nil, selector: nil)
        (services, slices) = ([:], [:])
        for item in initialServices { note(Service(item), exists: true) }
        for item in initialSlices { note(EndpointSlice(item), exists: true) }
        try await replaceAll()
        isSynced()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [client] in
                for try await event in try await client.watch(.services, namespace: nil, from: serviceRevision) where event.kind != .bookmark {
                    await self.note(Service(event.object), exists: event.kind != .deleted)
                }
            }
            group.addTask { [client] in
                for try await event in try await client.watch(.endpointSlices, namespace: nil, from: sliceRevision) where event.kind != .bookmark {
                    await self.note(EndpointSlice(event.object), exists: event.kind != .deleted)
                }
            }
            group.addTask { for await _ in self.wakes { await self.syncDirty() } }
            try await group.next()
            group.cancelAll()
        }
    }

    private func note(_ service: Service, exists: Bool) {
        services[service.key] = exists ? service : nil
        dirty.insert(service.key)
        wake.yield()
    }

    private func note(_ slice: EndpointSlice, exists: Bool) {
        slices[slice.serviceKey, default: [:]][slice.name] = exists ? slice : nil
        dirty.insert(slice.serviceKey)
        wake.yield()
    }

    private func part(_ key: ObjectKey) -> Ruleset {
        services[key].map { compiler.compile($0, Array((slices[key] ?? [:]).values)) } ?? Ruleset()
    }

    private func replaceAll() async throws {
        dirty = []
        var whole = ServiceTable.base(compiler.node)
        parts = [:]
        for key in services.keys {
            parts[key] = part(key)
            whole.merge(parts[key] ?? Ruleset())
        }
        try await TableSync(table: ServiceTable.name, target: target).apply(whole)
    }

    private func syncDirty() async {
        let keys = dirty.sorted()
        dirty = []
        var changes: [Change] = []
        var compiled: [ObjectKey: Ruleset] = [:]
        for key in keys {
            let new = part(key)
            changes += Ruleset.diff(parts[key] ?? Ruleset(), new, declared: ServiceTable.sets)
            compiled[key] = new
        }
        guard !changes.isEmpty else { return }
        do {
            try await target.apply(changes, table: ServiceTable.name)
            for (key, ruleset) in compiled { parts[key] = ruleset.isEmpty ? nil : ruleset }
        } catch {
            report("node \(compiler.node.name): a change of Services failed, replacing the table: \(error)")
            do { try await replaceAll() } catch { report("node \(compiler.node.name): table \(ServiceTable.name): \(error)") }
        }
    }
}
