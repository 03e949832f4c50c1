import Model

/// How the processors of the nodes that take Services' traffic are divided among zones.
/// (k8s.io/endpointslice/topologycache, SetNodes)
package struct ZoneShares: Equatable {
    /// What of a node counts.
    struct Part: Equatable {
        let zone: String?
        private let cpu: Quantity
        private let isCounted: Bool

        init(_ node: Node) {
            zone = node.zone
            cpu = node.status["allocatable"]["cpu"].string.flatMap { Quantity($0) } ?? Quantity(0)
            let excluded = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"]
            isCounted = node.isReady && !excluded.contains { node.labels[$0] != nil }
        }

        /// nil: it takes none of the traffic. One that does, and does not say where it is or what it has, leaves all unknown.
        fileprivate func add(to zones: inout [String: Double]?) {
            guard isCounted else { return }
            guard let zone, !zone.isEmpty, cpu.nano > 0 else { return zones = nil }
            zones?[zone, default: 0] += Double(cpu.nano)
        }
    }

    /// Zone -> its part of all; nil: the nodes do not say enough, or are all in one.
    package let ofZones: [String: Double]?

    package init(_ nodes: [Node]) {
        var zones: [String: Double]? = [:]
        for node in nodes { Part(node).add(to: &zones) }
        guard let zones, zones.count > 1 else {
            ofZones = nil
            return
        }
        let total = zones.values.reduce(0, +)
        ofZones = zones.mapValues { $0 / total }
    }
}
