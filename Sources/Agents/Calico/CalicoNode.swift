import API
import Host
import Lab
import Model
import Proxy
import Runtime

/// Calico's daemon on one node, in a pod with hostNetwork: Felix, and where pods' packets between nodes are its affair, what bird or
/// VXLAN does. Also what its probes and init containers call.
/// (projectcalico/calico node/cmd/calico-node)
package struct CalicoNode: NamedProgram {
    package static let name = "calico-node"
    package static let names = ["start_runit", name]
    private static let forms: [String: GoFlags.Form] = [
        "v": .toggle, "felix": .toggle, "startup": .toggle, "init": .toggle, "best-effort": .toggle, "shutdown": .toggle,
        "felix-live": .toggle, "felix-ready": .toggle, "bird-live": .toggle, "bird-ready": .toggle, "bird6-live": .toggle,
        "bird6-ready": .toggle,
    ]

    private let call: ProgramCall
    private let log = ProgramLog()

    package init(_ call: ProgramCall) { self.call = call }

    package func run() async -> Int32 {
        let flags: GoFlags
        do { flags = try GoFlags(Self.forms, arguments: call.arguments) } catch {
            ProgramLog.complain("\(error)")
            return 2
        }
        if flags.isOn("v") {
            print("minik \(Version.minik)")
            return 0
        }
        if flags.isOn("init") || flags.isOn("shutdown") {
            log.tell("minik's calico-node has nothing to prepare: it uses no eBPF")
            return 0
        }
        let asked = ["felix-live", "bird-live", "bird6-live", "felix-ready", "bird-ready", "bird6-ready"].filter { flags.isOn($0) }
        if !asked.isEmpty { return probe(asked) }
        do {
            try await Termination.ends { try await work() }
            return 0
        } catch {
            log.fail("\(error)")
            return 1
        }
    }

    private func probe(_ asked: [String]) -> Int32 {
        let part = asked.contains { $0.hasPrefix("felix") } ? "felix" : "BIRD"
        do {
            let isReady = try CalicoDoor().ask(.health, isPatient: false).isReady
            if isReady || !asked.contains(where: { $0.hasSuffix("ready") }) { return 0 }
            ProgramLog.complain("calico/node is not ready: \(part) is not ready: readiness probe reporting 503")
        } catch {
            ProgramLog.complain("calico/node is not ready: \(part) is not \(asked[0].hasSuffix("live") ? "live" : "ready"): \(error)")
        }
        return 1
    }

    private func work() async throws {
        log.tell("minik's calico-node \(Version.minik)")
        let settings = try CalicoSettings(call)
        for words in settings.unknown { log.warn("\(words): minik's calico-node does not know it, and goes on without") }
        let api = HTTPClient(try APIEndpoint.inCluster(), fieldManager: Self.name)
        // Policies that others than Kubernetes define are no business of a manifest's role.
        let client = PermittedClient(api, without: CalicoForeign.kinds.union([.clusterNetworkPolicies])) { [log] in log.tell($0) }
        try await CalicoDatastore(settings: settings, client: client, log: log).prepare()
        let object = CalicoNodeObject(name: settings.node, client: api), node = try await object.read(), network = try OwnNetwork()
        let found = try CalicoUplink.choose(try await network.links(), settings.detection, node: node)
        log.tell("Using node name \(settings.node), address \(found.address) on \(found.link.name), backend \(settings.backend.rawValue)")

        let addresses = CalicoAddresses(client, node: settings.node), health = FelixHealth()
        let felix = Felix(
            settings: settings, view: Self.view(node, found, settings), client: client, network: network, addresses: addresses,
            health: health, log: log)
        let networking = CalicoNetworking(
            settings: settings, uplink: found, object: object, network: network, addresses: addresses, log: log)
        try await withThrowingTaskGroup(of: Void.self) { group in
            if let port = settings.healthPort { group.addTask { try await health.serve(port: port) } }
            group.addTask { try await CalicoForeign(client: client, log: log).run() }
            let pools = Reflector(.calicoPools, client: client) { [log] in log.warn($0) }
            let changed = KeySignal(), ways = KeySignal()
            group.addTask {
                try await pools.run { change in for signal in [changed, ways] { signal.add([change.key]) } }
            }
            group.addTask { try await felix.run(pools: pools, changed: changed) }
            group.addTask {
                try await pools.wait { _, _ in true }
                try await networking.run(pools, changed: ways, health)
            }
            group.addTask {
                try await health.awaitReady()
                log.tell("calico-node is ready")
                if settings.backend != .none { try await object.say() }
            }
            while try await group.next() != nil {}  // the first part that fails ends all
        }
    }

    /// In canal the first addresses of the node's range are its own; Calico's blocks hold none of a node's, nor does any range of pods.
    private static func view(_ node: Node, _ found: CalicoUplink.Found, _ settings: CalicoSettings) -> NodeView {
        let loopback = IPNetwork(IPAddress(ipv4: 0x7F00_0000), 8), range = settings.backend == .none ? node.podCIDR : nil
        return NodeView(
            name: settings.node, address: found.address, clusterCIDR: .all(.ipv4), serviceCIDR: loopback, podCIDR: range ?? loopback)
    }
}
