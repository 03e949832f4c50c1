import Model

/// Tells kubelets for how long they may keep Secrets and ConfigMaps without asking again: the longer the more nodes there are.
/// (k8s.io/kubernetes/pkg/controller/ttl)
package struct NodeTTL: Reconciler {
    package static let key = "node.alpha.kubernetes.io/ttl"
    /// From how many nodes on, and up to how many: they overlap, so that one node more or less changes nothing at a bound.
    private static let steps: [(least: Int, most: Int, seconds: Int)] = [
        (0, 100, 0), (90, 500, 15), (450, 1000, 30), (900, 2000, 60), (1800, Int.max, 300),
    ]

    package init() {}

    package var sources: [Source] { [.own(.nodes)] }

    /// What `count` nodes are told who have been told `now`.
    package static func seconds(for count: Int, now: Int) -> Int {
        var step = steps.firstIndex { $0.seconds == now } ?? 0
        while step < steps.count - 1, count > steps[step].most { step += 1 }
        while step > 0, count < steps[step].least { step -= 1 }
        return steps[step].seconds
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let node = try await client.find(.nodes, key) else { return }
        let told = node["metadata"]["annotations"][Self.key].string
        let count = try await client.list(.nodes, namespace: nil, selector: nil).items.count
        let seconds = String(Self.seconds(for: count, now: told.flatMap { Int($0) } ?? 0))
        guard told != seconds else { return }
        _ = try await client.patch(.nodes, key, ["metadata": ["annotations": [Self.key: .string(seconds)]]])
    }
}
