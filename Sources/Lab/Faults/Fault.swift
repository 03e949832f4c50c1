import Model

/// A fault that people really meet, as a node can be given it and freed of it: facts for people, and two scripts for the node's own shell.
///
/// A script finds in its environment: NODE, NODE_IP, POD_CIDR, POD_GATEWAY, CLUSTER_CIDR; another node's as PEER, PEER_IP and
/// PEER_POD_NETWORK; OTHER_ADDRESS, that of a gateway of a range which is nobody's; and FAULT, a directory of the node's to keep what was.
/// What clears a fault also undoes one that was given by half, and touches nothing that was there before it.
package struct Fault: Sendable {
    /// What a cluster has to have for it.
    package enum Need: String, Sendable {
        case bridge = "a bridge for its pods (plugins flannel and flannel-netpol)"
        case tunnel = "flannel's VXLAN (plugins flannel, flannel-netpol and canal)"
        case smallRange = "a /24 of IPv4 for each node's pods"
    }

    package enum Means: Sendable {
        case scripts(inject: String, clear: String)
        /// The node's link, as `minik link` has it.
        case partition
    }

    package let name: String
    package let summary: String
    /// What it does to packets and pods.
    package let effect: String
    /// By which ordinary tools it is seen.
    package let signs: String
    /// How `clear` undoes it.
    package let undo: String
    package let needs: [Need]
    /// Where it is: on one node, or on each.
    package let isEverywhere: Bool
    package let means: Means
    /// While it lasts the kernel reckons the checksums of what leaves by eth0, and not the device.
    package let isWithoutOffload: Bool
    /// What it keeps and changes, where another fault does so with the same: a node has but one of them at a time, since the second
    /// would keep what the first made.
    package let changes: String?

    package init(
        _ name: String, _ summary: String, effect: String, signs: String, undo: String, needs: [Need] = [], isEverywhere: Bool = false,
        changes: String? = nil, _ means: Means, isWithoutOffload: Bool = false
    ) {
        (self.isWithoutOffload, self.changes) = (isWithoutOffload, changes)
        (self.name, self.summary, self.effect, self.signs, self.undo) = (name, summary, effect, signs, undo)
        (self.needs, self.isEverywhere, self.means) = (needs, isEverywhere, means)
    }

    /// All there are, in the order of their names.
    package static let all: [Fault] = [
        bridgeAddress, bridgeRange, bridgeUnfiltered, foreignAddress, forwardDrop, leasesFull, oneVTEP, outerChecksum, partition, podMTU,
        subnetEnv,
        tunnelPort, wrongVTEP,
    ].sorted { $0.name < $1.name }

    package static func named(_ name: String) throws(UserError) -> Fault {
        guard let fault = all.first(where: { $0.name == name }) else {
            throw UserError("there is no fault \"\(name)\"", hint: "there are: \(all.map(\.name).joined(separator: ", "))")
        }
        return fault
    }

    /// What of its needs the cluster has not.
    package func missing(in cluster: Cluster) -> Need? {
        needs.first { need in
            switch need {
            case .bridge: !cluster.plugin.hasBridge
            case .tunnel: ![.flannel, .flannelNetpol, .canal].contains(cluster.plugin) || !cluster.families.contains(.ipv4)
            case .smallRange:
                !cluster.nodes.allSatisfy { node in node.podCIDRs.contains { $0.family == .ipv4 && $0.prefixLength == 24 } }
            }
        }
    }
}
