import Model
import Netlink

/// What a cluster is at one moment, as a picture shows it: machines and what connects them, pods, Services, policies.
package struct ClusterMap: Sendable, Hashable {
    /// A link of a machine's.
    package struct Device: Sendable, Hashable {
        package var name: String
        /// `veth`, `bridge`, `vxlan`, ...; nil for plain devices.
        package var kind: String?
        package var mtu: Int
        package var isUp: Bool
        package var hardwareAddress: String?
        /// The bridge that it is a port of.
        package var master: String?
        /// `10.244.0.1/24`
        package var addresses: [String] = []
        /// Who is at its other end: a pod's key, a machine's name.
        package var leadsTo: String?
        package var vni: Int?
        package var statistics = LinkStatistics()
    }

    package struct Machine: Sendable, Hashable {
        package enum Kind: String, Sendable { case node, lan, outside }

        package var name: String
        package var kind: Kind
        package var isControlPlane = false
        /// What the API says of a node; true of what is none.
        package var isReady = true
        /// What somebody has done to it: `stopped`, `paused`, `cut off`. Its Node object tells of it only later.
        package var trouble: String?
        package var addresses: [String] = []
        package var podNetworks: [String] = []
        package var devices: [Device] = []

        /// `Ready`, `NotReady, stopped`
        package var status: String { [isReady ? "Ready" : "NotReady", trouble].compactMap(\.self).joined(separator: ", ") }

        package func device(_ name: String) -> Device? { devices.first { $0.name == name } }
        /// The bridge of a node's pods, where there is one.
        package var bridge: Device? { devices.first { $0.kind == "bridge" } }
        /// The ways to other nodes' pods.
        package var tunnels: [Device] { devices.filter { $0.kind == "vxlan" || $0.kind == "ipip" } }
    }

    package struct Pod: Sendable, Hashable {
        package var key: ObjectKey
        /// Empty while it has none.
        package var node: String
        package var addresses: [String]
        /// `ReplicaSet web-5d8f`; nil for a pod of its own.
        package var owner: String?
        package var phase: String
        package var isReady: Bool
        package var isHostNetwork: Bool
        package var labels: [String: String]
        /// `TCP/80`, as its containers declare them.
        package var ports: [String]
        /// The node's end of its veth, where it has one.
        package var device: String?
        /// The directions in which policies isolate it, and which do.
        package var isolated: [NetworkPolicy.Direction: [String]] = [:]
        /// Pods of one mark are alike in all that policies look at: owner, labels, namespace.
        package var kin: String
    }

    package struct Endpoint: Sendable, Hashable {
        package var address: String
        package var ports: [Int]
        package var pod: ObjectKey?
        package var isReady: Bool
    }

    package struct Service: Sendable, Hashable {
        package var key: ObjectKey
        package var type: String
        /// Of an ExternalName the name that DNS answers with.
        package var addresses: [String]
        /// Load balancers' and external ones.
        package var outsideAddresses: [String]
        /// `80/TCP`, with a node port `80:30080/TCP`, as kubectl prints them.
        package var ports: [String]
        package var nodePorts: Set<Int>
        package var endpoints: [Endpoint]
    }

    package struct Policy: Sendable, Hashable {
        /// `default/deny`; of a ClusterNetworkPolicy its name alone.
        package var name: String
        package var kind: String
        package var directions: [NetworkPolicy.Direction]
        package var pods: [ObjectKey]
    }

    package var cluster: String
    package var plugin: String
    package var isEnforced: Bool
    package var machines: [Machine] = []
    package var pods: [Pod] = []
    package var services: [Service] = []
    package var policies: [Policy] = []

    package init(cluster: String, plugin: String, isEnforced: Bool) {
        (self.cluster, self.plugin, self.isEnforced) = (cluster, plugin, isEnforced)
    }

    package var nodes: [Machine] { machines.filter { $0.kind == .node } }
    /// Of those that wait for a node: "".
    package func pods(on node: String) -> [Pod] { pods.filter { $0.node == node } }

    /// The same with all counters at zero: what has to be drawn anew when it changes.
    package var still: ClusterMap {
        var still = self
        for machine in machines.indices {
            for device in machines[machine].devices.indices { still.machines[machine].devices[device].statistics = LinkStatistics() }
        }
        return still
    }
}
