import Model
import Netlink

/// What decides on a flannel node what a pod gets, in flannel's order: its daemon's file, the bridge, host-local's leases. What
/// fails is told in the words of the plugins.
struct FlannelChain: Sendable {
    private var leases = HostLocalLeases()
    /// The node's files, as it runs now.
    private let ground: @Sendable () throws -> HostLocalLeases.Ground
    /// As flannel's daemon would have it.
    private let network: FlannelNetwork
    /// Containers that went while the node was down.
    private var gone: Set<String> = []

    init(_ network: FlannelNetwork, ground: @escaping @Sendable () throws -> HostLocalLeases.Ground) {
        self.network = network
        self.ground = ground
    }

    /// A pod that flannel's plugin could not connect, as containerd tells it to the kubelet.
    struct Refused: PodRefusal, CustomStringConvertible {
        let sandbox: String
        let reason: String
        var description: String {
            CNIPlugin.NotConnected(sandbox: sandbox, reason: "plugin type=\"flannel\" failed (add): \(reason)").description
        }
    }

    /// ADD: a pod's addresses, and how it is to be laid out.
    mutating func add(_ pod: Pod, in place: inout NetworkPlace) throws -> (addresses: [IPAddress], layout: FlannelNetwork) {
        let container = CNIAttachment.containerID(pod.uid)
        func refused(_ step: String, _ error: any Error) -> Refused { Refused(sandbox: container, reason: "\(step)\(error)") }
        let ground = try ground()
        try giveBackGone(in: ground)
        let subnet: FlannelSubnet
        do { subnet = try FlannelSubnet(reading: try ground.text(FlannelSubnet.path)) } catch {
            throw refused("loadFlannelSubnetEnv failed: ", error)
        }
        let layout = FlannelNetwork(spec: network.spec, cluster: network.cluster, subnet: subnet)
        let bridge: Int32
        do { bridge = try FlannelBridge.ensureLink(layout, in: &place) } catch {
            throw refused("failed to delegate add: failed to create bridge \"\(FlannelLayout.bridge)\": ", error)
        }
        let addresses: [IPAddress]
        do { addresses = try leases.take(subnet.places.map { LeaseRange($0.subnet) }, for: container, in: ground) } catch {
            throw refused("failed to delegate add: ", error)
        }
        do { try FlannelBridge.ensureAddresses(layout, of: bridge, in: &place) } catch {
            try leases.giveBack(container, in: ground)
            throw refused("failed to delegate add: failed to set bridge addr: ", error)
        }
        return (network.spec.podCIDRs.compactMap { addresses.of($0.family) }, layout)
    }

    /// What a pod has that an earlier daemon connected.
    mutating func keep(_ addresses: [IPAddress], of pod: Pod) throws {
        try leases.keep(addresses, for: CNIAttachment.containerID(pod.uid), in: ground())
    }

    /// DEL; nothing there is no error.
    mutating func delete(_ pod: Pod) throws {
        let container = CNIAttachment.containerID(pod.uid)
        do { try leases.giveBack(container, in: ground()) } catch is NodeRoot.NodeDown { gone.insert(container) }
    }

    private mutating func giveBackGone(in ground: HostLocalLeases.Ground) throws {
        for container in gone {
            try leases.giveBack(container, in: ground)
            gone.remove(container)
        }
    }

    /// As flannel's daemon, which writes what its plugin reads.
    mutating func repair() throws -> [String] {
        let ground = try ground(), wanted = network.subnet.text
        do {
            try giveBackGone(in: ground)
            guard try ground.text(FlannelSubnet.path) != wanted else { return [] }
            try ground.write(wanted, FlannelSubnet.path)
        } catch { return ["\(NodeKeeper.unmended)file \(FlannelSubnet.path): \(error)"] }
        return ["file \(FlannelSubnet.path)"]
    }
}
