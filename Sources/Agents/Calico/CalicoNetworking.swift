import Host
import Model
import Netlink
import Proxy
import Runtime

/// The part of calico-node that is about the way between nodes: what bird does, and Felix for VXLAN.
struct CalicoNetworking {
    let settings: CalicoSettings
    let uplink: CalicoUplink.Found
    let object: CalicoNodeObject
    let network: OwnNetwork
    let addresses: CalicoAddresses
    let log: ProgramLog

    /// Until cancelled. `changed`: when a pool has.
    func run(_ pools: Reflector, changed: KeySignal, _ health: FelixHealth) async throws {
        // What the plugin looks for; with it pods may come.
        try Files.makeDirectory("/var/lib/calico")
        try Files.write("\(routes([], tunnel: nil).podMTU)", to: CalicoDoor.mtu)
        guard settings.backend != .none else {
            try Files.write(settings.node, to: CalicoDoor.nodeName)
            health.note(.network)
            return try await changed.follow { _ in }
        }
        let report: @Sendable (String) -> Void = { [log] in log.warn($0) }
        let nodes = Reflector(.nodes, client: object.client, report: report)
        let affinities = Reflector(.calicoAffinities, client: object.client, report: report)
        let guarding = TunnelGuard([.ipv4], target: try KernelRulesets(namespace: "/proc/self/ns/net"), report: report)
        try await addresses.tellAll()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await guarding.run() }
            for one in [nodes, affinities] { group.addTask { try await one.run { changed.add([$0.key]) } } }
            try await nodes.wait { _, _ in true }
            try await affinities.wait { _, _ in true }
            let known = try await lay(pools, nodes, affinities, guarding, before: nil)
            try Files.write("\(known.podMTU)", to: CalicoDoor.mtu)
            try Files.write(settings.node, to: CalicoDoor.nodeName)
            health.note(.network)
            // What somebody takes away comes again.
            group.addTask {
                while true {
                    try await Task.sleep(for: Felix.pause)
                    changed.add([ObjectKey("", "clock")])
                }
            }
            group.addTask {
                var known = known
                try await changed.follow { _ in known = try await lay(pools, nodes, affinities, guarding, before: known) }
            }
            while try await group.next() != nil {}
        }
    }

    private func routes(_ pools: [CalicoPool], tunnel: IPAddress?) -> CalicoRoutes {
        let own = CalicoRoutes.Peer(name: settings.node, address: uplink.address, tunnel: tunnel)
        return CalicoRoutes(own: own, uplink: uplink.link, pools: pools, vxlanMTU: settings.vxlanMTU)
    }

    /// The node as the others are to know it, told in its Node.
    private func introduce(_ pools: [CalicoPool]) async throws -> CalicoRoutes {
        var said = [CalicoNodeObject.address: "\(uplink.address)/\(uplink.prefixLength)"], tunnel: IPAddress?
        if pools.contains(where: { $0.encapsulation != .never }) {
            let address = try await addresses.assign("vxlan-tunnel-addr-\(settings.node)", ["type": "vxlanTunnelAddress"])
            said[CalicoNodeObject.tunnel] = address.description
            tunnel = address
        }
        try await object.annotate(said, of: try await object.read())
        return routes(pools, tunnel: tunnel)
    }

    /// Lays out all ways that there are; what they follow from.
    private func lay(
        _ pools: Reflector, _ nodes: Reflector, _ affinities: Reflector, _ guarding: TunnelGuard, before: CalicoRoutes?
    ) async throws -> CalicoRoutes {
        let now = pools.list().compactMap { CalicoPool($0) }
        let routes: CalicoRoutes
        if let before, before.pools == now {
            routes = before
        } else {
            for pool in now where pool.isIPIP {
                log.warn("pool \(pool.range): ipipMode: minik's calico-node lays out no IPIP tunnel, and leads by the nodes' addresses")
            }
            routes = try await introduce(now)
        }
        let peers = nodes.list().compactMap { CalicoRoutes.Peer(Node($0)) }
        await guarding.set(peers.map(\.address), port: routes.own.tunnel == nil ? nil : OverlayTable.calicoPort)
        let (items, trouble) = routes.items(peers, blocks: Self.blocks(affinities))
        for words in trouble { log.warn(words) }
        for words in try await network.apply(items, stale: { routes.stale($0, wanted: items) }) { log.tell(words) }
        return routes
    }

    /// By the node that has them.
    private static func blocks(_ affinities: Reflector) -> [String: [IPNetwork]] {
        let owned = affinities.list().compactMap { object -> (String, IPNetwork)? in
            let spec = object["spec"]
            guard let node = spec["node"].string, let block = spec["cidr"].string.flatMap({ IPNetwork($0, .ipv4) }),
                spec["state"].string == "confirmed"
            else { return nil }
            return (node, block)
        }
        return Dictionary(grouping: owned, by: \.0).mapValues { $0.map(\.1) }
    }
}
