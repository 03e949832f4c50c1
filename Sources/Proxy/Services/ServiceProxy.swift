import Model
import Rules

/// One node's kube-proxy: follows Services and EndpointSlices, feeds the node's `kube-proxy` table with a part a Service, ends the UDP
/// connections that the kernel leads where no rule leads any more, and says what load balancers may know of the node's endpoints.
package actor ServiceProxy {
    private var compiler: ServiceCompiler
    private let shared: SharedServiceParts
    private let client: any Client
    private let connections: any ConnectionTracking
    private let health: (any ServiceHealthTarget)?
    private let clock: any Clock<Duration>
    private let report: @Sendable (String) -> Void
    package nonisolated let keeper: TableKeeper<ObjectKey>
    private let synced: KeySignal

    private var services: [ObjectKey: Service] = [:]
    private var slices: [ObjectKey: [String: EndpointSlice]] = [:]
    /// The Service that each slice belongs to.
    private var owners: [ObjectKey: ObjectKey] = [:]
    /// What is to be compiled, once for each transaction however often it changed.
    private var dirty: Set<ObjectKey> = []
    /// Each Service as it was compiled last, and what it has in the frame.
    private var compiled: [ObjectKey: (part: Ruleset, share: ServiceShare)] = [:]
    private var frame: ServiceFrame
    /// The table as an earlier daemon left it, until the first transaction: who has a slot there keeps it.
    private var adopted = Ruleset()
    private let target: any RulesetTarget
    private var isFrameNew = true
    /// No Service's key: what all of them need.
    private static let framePart = ObjectKey("", "")
    private var frontends: [ObjectKey: [UDPFrontend: Set<IPAddress>]] = [:]
    private var claims = ExternalClaims()
    /// Of Services whose load balancers ask, and what of it has been told.
    private var healths: [ObjectKey: ServiceHealth] = [:], toldHealths: [ObjectKey: ServiceHealth] = [:]
    /// What has not been listed yet: until everything is known, the table is left as an earlier daemon left it.
    private var unlisted: Set<Resource> = [.services, .endpointSlices, .nodes]

    package init(
        node: NodeView, client: any Client, target: any RulesetTarget, connections: any ConnectionTracking,
        shared: SharedServiceParts = SharedServiceParts(), health: (any ServiceHealthTarget)? = nil,
        clock: any Clock<Duration> = ContinuousClock(),
        report: @escaping @Sendable (String) -> Void
    ) {
        self.shared = shared
        compiler = ServiceCompiler(node: node)
        frame = ServiceFrame(node: node)
        self.client = client
        self.target = target
        self.connections = connections
        self.health = health
        self.clock = clock
        self.report = { report("node \(node.name): \($0)") }
        let synced = KeySignal()
        self.synced = synced
        keeper = TableKeeper(
            table: ServiceTable.id(node.family), base: ServiceTable.base(node), target: target, clock: clock, pace: .gathering,
            report: self.report, synced: { synced.add($0) })
    }

    /// Follows until cancelled; `ready` is called when the table is in step for the first time.
    package func run(ready: @escaping @Sendable () -> Void) async throws {
        let (listing, allListed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for resource in unlisted {
                let reflector = Reflector(resource, client: client, clock: clock, report: report)
                group.addTask {
                    try await reflector.run {
                        await self.take($0.key, $0.new, resource)
                    } listed: {
                        if await self.isComplete(with: resource) { allListed.finish() }
                    }
                }
            }
            group.addTask {
                for await _ in listing {}
                await self.adopt()
                try await self.keeper.run(feeding: { await self.compile() }, ready: ready)
            }
            group.addTask { try await self.synced.follow { try await self.tell($0) } }
            try await group.waitForAll()
        }
    }

    // MARK: Objects

    private func take(_ key: ObjectKey, _ object: JSON?, _ resource: Resource) {
        if resource == .nodes { return move(key, to: object.flatMap { Node($0).zone }) }
        if resource == .services {
            let service = object.map { Service($0) }
            services[key] = service
            look(at: key)
            for other in claims.set(key, service, service.map { compiler.externalFrontends($0) } ?? []) { look(at: other) }
            return
        }
        let slice = object.map { EndpointSlice($0) }
        // A slice may be relabelled to another Service.
        if let before = owners[key], before != slice?.serviceKey {
            slices[before]?[key.name] = nil
            if slices[before]?.isEmpty == true { slices[before] = nil }
            look(at: before)
        }
        owners[key] = slice?.serviceKey
        guard let slice else { return }
        slices[slice.serviceKey, default: [:]][key.name] = slice
        look(at: slice.serviceKey)
    }

    private func look(at key: ObjectKey) {
        if dirty.insert(key).inserted { keeper.remind() }
    }

    /// A node may be labelled into another zone.
    private func move(_ key: ObjectKey, to zone: String?) {
        guard key.name == compiler.node.name, zone != compiler.zone else { return }
        compiler.zone = zone
        for (service, slices) in slices where slices.values.contains(where: \.hasHints) { look(at: service) }
    }

    private func isComplete(with resource: Resource) -> Bool {
        unlisted.remove(resource)
        return unlisted.isEmpty
    }

    private func adopt() async {
        guard services.values.contains(where: { $0.affinitySeconds != nil }) else { return }
        do { adopted = try await target.read(keeper.table) ?? Ruleset() } catch { report("table \(keeper.table) as it was: \(error)") }
    }

    private func compile() -> [ObjectKey: Ruleset] {
        var parts: [ObjectKey: Ruleset] = [:], unchanged: Set<ObjectKey> = []
        for key in dirty {
            let before = compiled[key]
            var part = Ruleset()
            if let service = services[key] {
                part = shared.part(
                    service, slices(of: key), compiler, after: before?.part ?? adopted, without: claims.taken(from: key))
            } else {
                shared.forget(key)
            }
            let share = compiler.share(services[key], slices(of: key), part)
            if share != before?.share {
                if frame.count(share, by: 1) { isFrameNew = true }
                if let before, frame.count(before.share, by: -1) { isFrameNew = true }
            }
            compiled[key] = part.isEmpty ? nil : (part, share)
            if part == before?.part { unchanged.insert(key) }
            parts[key] = part
            healths[key] = health == nil ? nil : services[key].flatMap { compiler.health($0, slices(of: key)) }
        }
        // An endpoint that was ending leads nobody any more, and is in no rule: connections to it end when it has gone for good.
        synced.add(unchanged.filter { frontends[$0] != nil || healths[$0] != toldHealths[$0] })
        (dirty, adopted) = ([], Ruleset())
        if isFrameNew { parts[Self.framePart] = frame.rules }
        isFrameNew = false
        return parts
    }

    private func slices(of service: ObjectKey) -> [EndpointSlice] { Array((slices[service] ?? [:]).values) }

    // MARK: What follows from new parts

    private func tell(_ keys: Set<ObjectKey>) async throws {
        if let health, keys.contains(where: { healths[$0] != toldHealths[$0] }) {
            toldHealths = healths
            await health.serve(healths)
        }
        try await endStale(keys)
    }

    /// Forgets UDP connections to Services whose part of the table is new, where they lead to endpoints that do not serve any more.
    private func endStale(_ keys: Set<ObjectKey>) async throws {
        var gone: [UDPFrontend: Set<IPAddress>] = [:]
        for key in keys {
            for frontend in (frontends[key] ?? [:]).keys { gone[frontend] = [] }
            let now = services[key].map { compiler.udpFrontends($0, slices(of: key), without: claims.taken(from: key)) } ?? [:]
            frontends[key] = now.isEmpty ? nil : now
            for frontend in now.keys { gone[frontend] = [] }
        }
        guard !gone.isEmpty else { return }
        let known = frontends.values.reduce(into: gone) { $0.merge($1) { _, new in new } }
        let stale = StaleConnections(frontends: known, serviceCIDR: compiler.node.serviceCIDR)
        for wait in [Duration.seconds(1), .seconds(5), nil] {
            do { return try await connections.forget(stale.find(in: connections.connections())) } catch {
                report("connections to Services that changed: \(error)")
                if let wait { try await clock.sleep(for: wait) }
            }
        }
    }
}
