import Model

/// How evenly a pod's like are to be spread. (kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints)
struct TopologySpread {
    private struct Constraint {
        let topologyKey: String
        let maxSkew: Int
        let isStrict: Bool
        /// Pods that count, by domain; each domain that a node of the pod's choice is in is there.
        let counts: [String: Int]
        /// The pod counts among those it spreads.
        let countsItself: Bool
        let minDomains: Int

        func skew(in domain: String) -> Int {
            let least = counts.count < minDomains ? 0 : counts.values.min() ?? 0
            return (counts[domain] ?? 0) + (countsItself ? 1 : 0) - least
        }
    }

    private let constraints: [Constraint]

    /// `nodes` are those that the pod selects.
    init(_ pod: Pod, nodes: [Node], pods: [Pod]) {
        let all = pod.spec["topologySpreadConstraints"].items
        let keys = all.compactMap { $0["topologyKey"].string }
        let eligible = nodes.filter { node in keys.allSatisfy { node.labels[$0] != nil } }
        let byName = Dictionary(eligible.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        constraints = all.map { json in
            let key = json["topologyKey"].string ?? ""
            var selector = LabelSelector(json["labelSelector"])
            for label in json["matchLabelKeys"].items.compactMap(\.string) {
                if let value = pod.labels[label] { selector.requirements.append(LabelRequirement(key: label, op: .in, values: [value])) }
            }
            var counts = Dictionary(eligible.compactMap { $0.labels[key].map { ($0, 0) } }, uniquingKeysWith: { $1 })
            let isNobody = json["labelSelector"].isNull
            for other in pods where !isNobody && other.namespace == pod.namespace && !other.isBeingDeleted && selector.matches(other.labels)
            {
                if let domain = other.nodeName.flatMap({ byName[$0]?.labels[key] }) { counts[domain, default: 0] += 1 }
            }
            return Constraint(
                topologyKey: key, maxSkew: json["maxSkew"].int ?? 1, isStrict: json["whenUnsatisfiable"].string != "ScheduleAnyway",
                counts: counts,
                countsItself: !isNobody && selector.matches(pod.labels), minDomains: json["minDomains"].int ?? 1)
        }
    }

    /// Why the pod does not go to a node, in the scheduler's words.
    func obstacle(_ node: Node) -> Placement.Obstacle? {
        for constraint in constraints where constraint.isStrict {
            guard let domain = node.labels[constraint.topologyKey] else {
                return .init("node(s) didn't match pod topology spread constraints (missing required label)")
            }
            if constraint.skew(in: domain) > constraint.maxSkew {
                return .init("node(s) didn't match pod topology spread constraints", isResolvable: true)
            }
        }
        return nil
    }

    /// How uneven it would become, of the constraints that are wishes.
    func unevenness(_ node: Node) -> Int {
        constraints.filter { !$0.isStrict }.reduce(0) { sum, constraint in
            sum + (node.labels[constraint.topologyKey].map(constraint.skew) ?? 100)
        }
    }
}
