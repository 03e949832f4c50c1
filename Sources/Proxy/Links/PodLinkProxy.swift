import Model
import Rules

/// Keeps one node's `pod-links` in the kernel: a pod's entry is there before its link is, and goes before its address is given to another.
package struct PodLinkProxy: Sendable {
    private let node: NodeView
    /// Its parts are pods by uid: a pod and its successor of the same name have a link each.
    package let keeper: TableKeeper<String>

    package init(
        node: NodeView, target: any RulesetTarget, clock: any Clock<Duration> = ContinuousClock(),
        report: @escaping @Sendable (String) -> Void
    ) {
        self.node = node
        keeper = TableKeeper(
            table: PodLinkTable.name, base: PodLinkTable.base(), target: target, clock: clock,
            report: { report("node \(node.name): \($0)") })
    }

    /// Takes in the pods that an earlier daemon left. When this returns, nothing but what belongs crosses the node's bridge.
    package func start(_ pods: [(Pod, PodLink)]) async throws {
        var parts: [String: Ruleset] = [:]
        for (pod, link) in pods where pod.nodeName == node.name && !pod.isFinished && !pod.isHostNetwork {
            parts[pod.uid] = PodLinkTable.compile(link, of: pod.key)
        }
        await keeper.set(parts)
        try await keeper.sync()
    }

    /// Keeps the table in step until cancelled, again by the clock when the kernel refused.
    package func run() async throws { try await keeper.run() }

    /// Lets a pod that is about to get its link be heard. When this returns the kernel does so.
    package func admit(_ pod: Pod, _ link: PodLink) async throws {
        await keeper.set([pod.uid: PodLinkTable.compile(link, of: pod.key)])
        try await keeper.sync()
    }

    package func release(_ pod: Pod) async throws {
        await keeper.set([pod.uid: Ruleset()])
        try await keeper.sync()
    }
}
