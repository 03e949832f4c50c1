import Model

/// The taints that say to schedulers what a node's conditions and its spec say to people: no new pods here that do not bear them.
/// (kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration: taint nodes by condition)
package enum ConditionTaints {
    /// Of a Ready condition that is no longer True; these drive pods out, too.
    static let readiness: Set<String> = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]

    private static let pressures = [
        "DiskPressure": "node.kubernetes.io/disk-pressure", "MemoryPressure": "node.kubernetes.io/memory-pressure",
        "NetworkUnavailable": "node.kubernetes.io/network-unavailable", "PIDPressure": "node.kubernetes.io/pid-pressure",
    ]
    private static let unschedulable = "node.kubernetes.io/unschedulable"

    /// Keys of taints with the effect NoSchedule that nobody but this table sets or takes away.
    static let keys = readiness.union(pressures.values).union([unschedulable])

    /// The key of the taint that a node's Ready condition makes.
    static func readinessKey(of node: Node) -> String? {
        switch node.status["conditions"].condition("Ready") {
        case "Unknown": "node.kubernetes.io/unreachable"
        case "False": "node.kubernetes.io/not-ready"
        default: nil
        }
    }

    /// The keys of all that a node is to have with the effect NoSchedule.
    package static func wanted(on node: Node) -> [String] {
        let conditions = node.status["conditions"]
        var wanted = pressures.filter { conditions.condition($0.key) == "True" }.values.sorted()
        if node.isUnschedulable { wanted.append(unschedulable) }
        if let key = readinessKey(of: node) { wanted.append(key) }
        return wanted
    }
}
