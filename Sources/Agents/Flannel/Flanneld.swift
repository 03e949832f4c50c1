import API
import Glibc
import Host
import Lab
import Model
import Netlink
import Proxy
import Runtime

/// flannel's daemon on one node, in a pod with hostNetwork: a lease by the Node's own range, the tunnel, and the way to the other nodes'
/// pods.
/// (flannel-io/flannel main.go, pkg/subnet/kube, pkg/backend/vxlan, pkg/backend/hostgw)
package struct Flanneld: NamedProgram {
    package static let name = "flanneld"
    private let call: ProgramCall
    private let log = ProgramLog()

    package init(_ call: ProgramCall) { self.call = call }

    package func run() async -> Int32 {
        let options: FlannelOptions
        do { options = try FlannelOptions(call) } catch {
            ProgramLog.complain("\(error)")
            return 2
        }
        if options.wantsVersion {
            print("minik \(Version.minik)")
            return 0
        }
        do {
            try await Termination.ends { try await work(options) }
            return 0
        } catch {
            log.fail("\(error)")
            return 1
        }
    }

    private func work(_ options: FlannelOptions) async throws {
        log.tell("minik's flanneld \(Version.minik)")
        for option in options.unknown { log.warn("--\(option): minik's flanneld does not know it, and goes on without") }
        guard options.asksKubernetes else {
            throw FlannelConfiguration.Unusable("Failed to create SubnetManager: minik's flanneld asks Kubernetes alone: --kube-subnet-mgr")
        }
        let client = HTTPClient(try APIEndpoint.inCluster(), fieldManager: Self.name)
        let node = try await FlannelNode(client, call, prefix: options.annotationPrefix)
        let configuration = try readConfiguration(options)
        let network = try OwnNetwork()
        let uplink = try await FlannelUplink(options, log).choose(configuration, network)
        log.tell("Using interface with name \(uplink.name) and address \(uplink.addresses.map(\.description).joined(separator: ", "))")

        let nodes = Reflector(.nodes, client: client) { [log] in log.warn($0) }
        let changed = KeySignal()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await nodes.run { changed.add([$0.key]) } }
            try await nodes.wait { _, _ in true }
            log.tell("Node controller sync successful")
            let own = try await node.lease(nodes, configuration, uplink, options)
            let tunnels = FlannelTunnels(configuration, uplink: uplink.link, own: own), guarding = try tunnelGuard(tunnels)
            try await lay(tunnels, guarding, nodes, network, options)
            try writeSubnet(tunnels, options)
            if options.setsCondition { try await node.say() }
            group.addTask { try await guarding.run() }
            if options.isMasqueraded { try await masquerade(tunnels, &group) }
            group.addTask { [self] in
                while true {
                    // What somebody else takes away comes again.
                    try await Task.sleep(for: .seconds(10))
                    try await lay(tunnels, guarding, nodes, network, options)
                }
            }
            group.addTask { [self] in try await changed.follow { _ in try await lay(tunnels, guarding, nodes, network, options) } }
            while try await group.next() != nil {}  // the first part that fails ends all
        }
    }

    private func readConfiguration(_ options: FlannelOptions) throws -> FlannelConfiguration {
        let text: String
        do { text = String(decoding: try Files.read(options.configuration), as: UTF8.self) } catch {
            throw FlannelConfiguration.Unusable("failed to read net conf: \(error)")
        }
        let configuration = try FlannelConfiguration(text)
        for key in configuration.unknown { log.warn("\(options.configuration): \(key): minik's flanneld does not know it") }
        log.tell("Found network config - Backend type: \(configuration.backend.name)")
        return configuration
    }

    /// The tunnel, and the way to all peers that there are.
    private func lay(
        _ tunnels: FlannelTunnels, _ guarding: TunnelGuard, _ nodes: Reflector, _ network: OwnNetwork, _ options: FlannelOptions
    ) async throws {
        let peers = nodes.list().compactMap { FlannelLease(Node($0), prefix: options.annotationPrefix) }
        await guarding.set((peers + [tunnels.own]).flatMap(\.places).map(\.address), port: tunnels.configuration.backend.port)
        let (items, trouble) = tunnels.items(peers)
        for words in trouble { log.warn(words) }
        for words in try await network.apply(items, stale: { tunnels.stale($0, wanted: items) }) { log.tell(words) }
    }

    private func writeSubnet(_ tunnels: FlannelTunnels, _ options: FlannelOptions) throws {
        let places = tunnels.own.places.compactMap { place in
            tunnels.configuration.network(place.subnet.family).map { FlannelSubnet.Place(network: $0, subnet: place.subnet) }
        }
        let subnet = FlannelSubnet(places: places, mtu: tunnels.podMTU, isMasqueraded: options.isMasqueraded)
        try Files.makeDirectory(
            options.subnetFile.prefix(upTo: options.subnetFile.lastIndex(of: "/") ?? options.subnetFile.startIndex).description)
        try Files.write(subnet.text, to: options.subnetFile)
        log.tell("Wrote subnet file to \(options.subnetFile)")
    }

    private func tunnelGuard(_ tunnels: FlannelTunnels) throws -> TunnelGuard {
        TunnelGuard(
            tunnels.own.places.map(\.subnet.family), target: try KernelRulesets(namespace: "/proc/self/ns/net"),
            report: { [log] in log.warn($0) })
    }

    private func masquerade(_ tunnels: FlannelTunnels, _ group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        let target = try KernelRulesets(namespace: "/proc/self/ns/net")
        for place in tunnels.own.places {
            guard let network = tunnels.configuration.network(place.subnet.family) else { continue }
            let view = NodeView(
                name: tunnels.own.node, address: place.address, clusterCIDR: network, serviceCIDR: network, podCIDR: place.subnet)
            let table = TableKeeper<ObjectKey>(
                table: FlannelMasquerade.id(view.family), base: FlannelMasquerade.compile(view), target: target,
                report: { [log] in log.warn($0) })
            try await table.sync()
            group.addTask { try await table.run() }
        }
    }
}
