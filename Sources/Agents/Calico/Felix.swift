import Model
import Netlink
import Proxy
import Rules
import Runtime

/// The part of calico-node that is about one node's pods: their policies, their links, what leaves the pools.
/// (projectcalico/calico felix)
struct Felix {
    let settings: CalicoSettings
    let view: NodeView
    /// The API, with the rights that the manifest gives.
    let client: any Client
    let network: OwnNetwork
    let addresses: CalicoAddresses
    let health: FelixHealth
    let log: ProgramLog

    private static let own = "/proc/self/ns/net"
    /// What somebody takes away of links and routes comes again.
    static let pause = Duration.seconds(10)

    /// Until cancelled. `pools`, `nodes`: followed by whoever calls.
    func run(pools: Reflector, changed: KeySignal) async throws {
        let report: @Sendable (String) -> Void = { [log] in log.warn($0) }
        let target = try KernelRulesets(namespace: Self.own), connections = try KernelConnections(namespace: Self.own, .ipv4)
        let policies = PolicyProxy(node: view, client: client, target: target, connections: connections, report: report)
        let masquerade = TableKeeper<ObjectKey>(
            table: CalicoMasquerade.id(.ipv4), base: CalicoMasquerade.base(view.address), target: target, report: report)
        let endpoints = CalicoEndpoints(
            node: settings.node, client: client, policies: policies, addresses: addresses, health: health)
        let pods = Reflector(.pods, client: client, report: report), links = KeySignal()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [health] in try await policies.run { health.note(.policies) } }
            group.addTask { try await masquerade.run() }
            group.addTask {
                try await changed.follow { _ in await masquerade.set([ObjectKey("", "pools"): Self.rules(pools)]) }
            }
            group.addTask { try await pods.run { links.add([$0.key]) } }
            group.addTask { [self] in try await links.follow { _ in try await mend(pods) } }
            group.addTask { [self] in try await repeating(Self.pause) { try await mend(pods) } }
            group.addTask { try await CalicoDoorkeeper(path: CalicoDoor.path) { await endpoints.answer($0) }.run() }
            if settings.refresh > 0 {
                group.addTask { [self] in
                    try await repeating(.seconds(settings.refresh)) {
                        for table in [policies.keeper as any RepairableTable, masquerade] {
                            if let difference = try await table.repair() { log.warn("\(difference): corrected") }
                        }
                    }
                }
            }
            while try await group.next() != nil {}  // the first part that fails ends all
        }
    }

    private static func rules(_ pools: Reflector) -> Ruleset {
        let pools = pools.list().compactMap { CalicoPool($0) }
        return CalicoMasquerade.pools(pools.map(\.range), masqueraded: pools.filter(\.isMasqueraded).map(\.range))
    }

    private func repeating(_ pause: Duration, _ body: @Sendable () async throws -> Void) async throws {
        while true {
            try await Task.sleep(for: pause)
            try await body()
        }
    }

    /// What belongs to the pods' links beside the links. What goes just now is another time's affair.
    private func mend(_ pods: Reflector) async throws {
        guard pods.hasSynced else { return }
        let links = Set(try await network.links().map(\.name))
        // A connection that a policy cut off must not be taken up again in its midst.
        let items =
            [.sysctl(NodeLayout.looseTracking, "0")] + CalicoPodLinks.items(pods.list().map { Pod($0) }, on: settings.node, links: links)
        do { for words in try await network.apply(items) { log.tell(words) } } catch { log.warn("pods' links: \(error); trying again") }
    }
}
