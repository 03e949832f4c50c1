import Model

/// Whether a node has left what a pod asks for. (kubernetes.io/docs/concepts/scheduling-eviction, NodeResourcesFit)
struct NodeResources {
    /// What the pod that is to be placed asks for.
    private let wanted: [String: Quantity]

    init(_ pod: Pod) { wanted = PodResources.total(pod.spec, "requests").filter { $0.value.nano > 0 } }

    /// Why the pod does not fit beside those that are on the node, in the scheduler's words.
    func obstacle(_ node: Node, _ here: NodeLoad) -> String? {
        let allocatable = node.status["allocatable"].stringMap
        if let most = allocatable["pods"].flatMap({ Quantity($0) }), Quantity(here.count + 1) > most { return "Too many pods" }
        // Who asks for nothing fits, whatever the others ask for.
        guard !wanted.isEmpty, !allocatable.isEmpty else { return nil }
        let short = wanted.keys.sorted().first { name in
            let capacity = allocatable[name].flatMap { Quantity($0) } ?? Quantity(0)
            return (here.requests[name] ?? Quantity(0)) + (wanted[name] ?? Quantity(0)) > capacity
        }
        return short.map { "Insufficient \($0)" }
    }
}
