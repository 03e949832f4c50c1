import Model

/// Where a pod fits, and what speaks against the other nodes; pure. (k8s.io/kubernetes/pkg/scheduler/framework/plugins)
struct Placement {
    /// What speaks against a node, in the scheduler's words.
    struct Obstacle: Sendable {
        let reasons: [String]
        /// Whether it goes when pods go that are on the node.
        let isResolvable: Bool

        init(_ reasons: [String], isResolvable: Bool) { (self.reasons, self.isResolvable) = (reasons, isResolvable) }
        init(_ reason: String, isResolvable: Bool = false) { self.init([reason], isResolvable: isResolvable) }
    }

    private let pod: Pod
    private let nodes: [Node]
    private let loads: [String: NodeLoad]
    private let volumes: VolumeBinding?
    private let resources: NodeResources
    private let affinity: PodAffinity
    private let spread: TopologySpread
    /// The nodes that the pod names, where it names some.
    private let named: Set<String>?

    /// `pods` are those that the pod's affinity, its spread or others' aversions may ask after; `namespaces` are the labels of each.
    init(
        _ pod: Pod, nodes: [Node], loads: [String: NodeLoad], pods: [Pod], namespaces: [String: [String: String]], volumes: VolumeBinding?
    ) {
        (self.pod, self.nodes, self.loads, self.volumes) = (pod, nodes, loads, volumes)
        resources = NodeResources(pod)
        affinity = PodAffinity(pod, nodes: nodes, pods: pods, namespaces: namespaces)
        spread = TopologySpread(pod, nodes: nodes.filter { Scheduler.suits(pod, $0) }, pods: pods)
        named = Self.namedNodes(pod)
    }

    /// Nodes that a required affinity names one by one: the others are not even looked at.
    private static func namedNodes(_ pod: Pod) -> Set<String>? {
        let terms = pod.spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"].items
        var all: Set<String> = []
        for term in terms {
            let fields = term["matchFields"].items.filter { $0["key"].string == "metadata.name" && $0["operator"].string == "In" }
            guard let first = fields.first else { return nil }
            let names = fields.dropFirst().reduce(Set(first["values"].items.compactMap(\.string))) {
                $0.intersection($1["values"].items.compactMap(\.string))
            }
            all.formUnion(names)
        }
        return terms.isEmpty ? nil : all
    }

    func obstacle(_ node: Node) -> Obstacle? {
        if let named, !named.contains(node.name) { return Obstacle("node(s) didn't satisfy plugin(s) [NodeAffinity]") }
        if let reason = Scheduler.obstacle(pod, node) { return Obstacle(reason) }
        let here = loads[node.name] ?? NodeLoad()
        if here.portsConflict(pod) { return Obstacle("node(s) didn't have free ports for the requested pod ports", isResolvable: true) }
        return resources.obstacle(node, here) ?? volumes?.obstacle(node).map { Obstacle($0) } ?? spread.obstacle(node)
            ?? affinity.obstacle(node)
    }

    /// The best of the nodes that fit.
    func best() -> Result<Node, Scheduler.Unschedulable> {
        var obstacles: [String: Obstacle] = [:]
        let fitting = nodes.filter { node in
            guard let obstacle = obstacle(node) else { return true }
            obstacles[node.name] = obstacle
            return false
        }
        let ranked = fitting.map { (node: $0, load: load($0)) }
        let best = ranked.min { $0.load == $1.load ? $0.node.name < $1.node.name : $0.load.lexicographicallyPrecedes($1.load) }
        guard let best else { return .failure(Scheduler.Unschedulable(obstacles: obstacles, total: nodes.count)) }
        return .success(best.node)
    }

    /// What speaks against a node that fits, the weightiest first.
    private func load(_ node: Node) -> [Int] {
        let here = loads[node.name] ?? NodeLoad()
        let discouraged = node.taints.filter { $0["effect"].string == "PreferNoSchedule" && !Scheduler.isTolerated($0, by: pod) }
        return [
            discouraged.count, -Scheduler.preference(pod, node) - affinity.preference(node), spread.unevenness(node),
            here.siblings(of: pod.controllerOwner?.uid), here.count,
        ]
    }
}
