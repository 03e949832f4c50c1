import Model

/// Whether a node has left what a pod asks for. (kubernetes.io/docs/concepts/scheduling-eviction, NodeResourcesFit)
struct NodeResources {
    /// What the pod that is to be placed asks for.
    private let wanted: [String: Quantity]

    init(_ pod: Pod) { wanted = PodResources.total(pod.spec, "requests").filter { $0.value.nano > 0 } }

    /// Why the pod does not fit beside those that are on the node, in the scheduler's words.
    func obstacle(_ node: Node, _ here: NodeLoad) -> Placement.Obstacle? {
        let allocatable = node.status["allocatable"].stringMap
        var reasons: [String] = []
        // What the node would lack if it were empty, nobody's end gives.
        var isResolvable = true
        if let most = allocatable["pods"].flatMap({ Quantity($0) }), Quantity(here.count + 1) > most { reasons.append("Too many pods") }
        // Who asks for nothing fits, whatever the others ask for.
        for name in wanted.keys.sorted() where !allocatable.isEmpty {
            let capacity = allocatable[name].flatMap { Quantity($0) } ?? Quantity(0), wish = wanted[name] ?? Quantity(0)
            guard (here.requests[name] ?? Quantity(0)) + wish > capacity else { continue }
            reasons.append("Insufficient \(name)")
            if wish > capacity { isResolvable = false }
        }
        return reasons.isEmpty ? nil : Placement.Obstacle(reasons, isResolvable: isResolvable)
    }
}
