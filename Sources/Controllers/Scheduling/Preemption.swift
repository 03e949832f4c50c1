import Model

/// Whom a pod displaces that finds no place among pods of lower priority; pure.
/// (kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption; k8s.io/kubernetes/pkg/scheduler/framework/preemption)
struct Preemption {
    struct Choice {
        let node: Node
        let victims: [Pod]
    }

    let pod: Pod
    let nodes: [Node]
    /// All that have a node and are not over; those that are being deleted hold their places until they are gone.
    let pods: [Pod]
    let namespaces: [String: [String: String]]
    let volumes: VolumeBinding?

    /// Why the pod does not even try, in the scheduler's words.
    var ineligibility: String? {
        if pod.spec["preemptionPolicy"].string == "Never" { return "not eligible due to preemptionPolicy=Never." }
        // Who has displaced somebody already waits until they are gone.
        guard let node = pod.status["nominatedNodeName"].string, !node.isEmpty else { return nil }
        let isWaiting = pods.contains { $0.nodeName == node && $0.isBeingDeleted && $0.priority < pod.priority }
        return isWaiting ? "not eligible due to a terminating pod on the nominated node." : nil
    }

    /// The node on which the least has to go; else what there is to say of each node.
    func choose(_ obstacles: [String: Placement.Obstacle]) -> Result<Choice, Scheduler.Unschedulable> {
        var refusals: [String: Placement.Obstacle] = [:]
        var choices: [Choice] = []
        for node in nodes {
            guard obstacles[node.name]?.isResolvable == true else {
                refusals[node.name] = .init("Preemption is not helpful for scheduling")
                continue
            }
            switch victims(on: node) {
            case .success(let victims): choices.append(Choice(node: node, victims: victims))
            case .failure(let refusal): refusals[node.name] = refusal.obstacle
            }
        }
        guard let best = choices.min(by: Self.precedes) else {
            return .failure(Scheduler.Unschedulable(obstacles: refusals, total: nodes.count))
        }
        return .success(best)
    }

    private struct Refusal: Error { let obstacle: Placement.Obstacle }

    /// As few as possible of those of lower priority: the most important ones are spared first.
    private func victims(on node: Node) -> Result<[Pod], Refusal> {
        let lower = pods.filter { $0.nodeName == node.name && $0.priority < pod.priority }.sorted(by: Self.isMoreImportant)
        guard !lower.isEmpty else { return .failure(Refusal(obstacle: .init("No preemption victims found for incoming pod"))) }
        var gone = Set(lower.map(\.uid))
        if let obstacle = obstacle(node, without: gone) { return .failure(Refusal(obstacle: obstacle)) }
        var victims: [Pod] = []
        for candidate in lower {
            gone.remove(candidate.uid)
            guard obstacle(node, without: gone) != nil else { continue }
            gone.insert(candidate.uid)
            victims.append(candidate)
        }
        return .success(victims)
    }

    private func obstacle(_ node: Node, without gone: Set<String>) -> Placement.Obstacle? {
        let rest = pods.filter { !gone.contains($0.uid) }
        return Placement(pod, nodes: nodes, loads: NodeLoad.of(rest), pods: rest, namespaces: namespaces, volumes: volumes).obstacle(node)
    }

    /// Of higher priority, or of the same and longer there.
    private static func isMoreImportant(_ a: Pod, _ b: Pod) -> Bool {
        (-a.priority, a.creationTimestamp?.seconds ?? 0, a.name) < (-b.priority, b.creationTimestamp?.seconds ?? 0, b.name)
    }

    /// The lowest of the highest priorities, then of the sums, the fewest victims, the youngest.
    private static func precedes(_ a: Choice, _ b: Choice) -> Bool {
        func cost(_ choice: Choice) -> [Int] {
            let priorities = choice.victims.map(\.priority)
            return [
                priorities.max() ?? 0, priorities.reduce(0) { $0 + $1 + 1 << 31 }, choice.victims.count,
                -(choice.victims.compactMap { $0.creationTimestamp?.seconds }.min() ?? 0),
            ]
        }
        let (first, second) = (cost(a), cost(b))
        return first == second ? a.node.name < b.node.name : first.lexicographicallyPrecedes(second)
    }
}

extension Pod {
    /// Who has the higher number goes first. (spec.priority, which the Priority admission sets)
    var priority: Int { spec["priority"].int ?? 0 }
}
