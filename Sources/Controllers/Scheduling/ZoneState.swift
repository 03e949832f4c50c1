import Model

/// How many of a zone's nodes are lost: where it is most of them, the fault is likelier the network's than theirs, and their pods stay.
/// (k8s.io/kubernetes/pkg/controller/nodelifecycle, ComputeZoneState; a cluster of at most fifty nodes evicts nobody then)
package enum ZoneState: Sendable, Hashable {
    case normal
    case partialDisruption
    case fullDisruption

    private static let unhealthyShare = 0.55, fewest = 2

    package init(ready: Int, lost: Int) {
        if ready == 0, lost > 0 {
            self = .fullDisruption
        } else if lost > Self.fewest, Double(lost) / Double(ready + lost) >= Self.unhealthyShare {
            self = .partialDisruption
        } else {
            self = .normal
        }
    }

    /// What becomes of NoExecute taints: whether new ones are put on a zone's nodes, and whether those that are there stay.
    package struct Eviction: Sendable, Hashable {
        package let begins: Bool
        package let goesOn: Bool

        package init(begins: Bool, goesOn: Bool) { (self.begins, self.goesOn) = (begins, goesOn) }
    }

    /// `zone`: that of the node in question.
    package static func eviction(of zone: String?, among nodes: [Node]) -> Eviction {
        let states = Dictionary(grouping: nodes, by: \.zone).mapValues { nodes in
            ZoneState(ready: nodes.filter(\.isReady).count, lost: nodes.filter { !$0.isReady }.count)
        }
        // Where all are lost, it is who looks that is cut off.
        if states.values.allSatisfy({ $0 == .fullDisruption }) { return Eviction(begins: false, goesOn: false) }
        return Eviction(begins: states[zone] != .partialDisruption, goesOn: true)
    }
}
