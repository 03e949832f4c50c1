import Model
import Rules

/// Keeps one node's `pod-links` in the kernel: a pod's entry is there before its link is, and goes before its address is given to another.
package struct PodLinkProxy: PodGuard {
    private let node: String
    private let link: @Sendable (Pod, IPAddress) -> PodLink?
    /// Its parts are pods by uid: a pod and its successor of the same name have a link each.
    package let keeper: TableKeeper<String>

    /// `link`: what a pod's frames are known by, which the network plugin says.
    package init(
        node: String, families: [IPFamily], link: @escaping @Sendable (Pod, IPAddress) -> PodLink?, target: any RulesetTarget,
        clock: any Clock<Duration> = ContinuousClock(), report: @escaping @Sendable (String) -> Void
    ) {
        self.node = node
        self.link = link
        keeper = TableKeeper(
            table: PodLinkTable.id, base: PodLinkTable.base(families), target: target, clock: clock,
            report: { report("node \(node): \($0)") })
    }

    /// Takes in the pods that an earlier daemon left. When this returns, nothing but what belongs crosses the node's bridge.
    package func start(_ pods: [Pod]) async throws {
        var parts: [String: Ruleset] = [:]
        for pod in pods where pod.nodeName == node && !pod.isFinished && !pod.isHostNetwork {
            if !pod.ips.isEmpty { parts[pod.uid] = part(pod, pod.ips) }
        }
        await keeper.set(parts)
        try await keeper.sync()
    }

    /// Keeps the table in step until cancelled, again by the clock when the kernel refused.
    package func run() async throws { try await keeper.run() }

    /// Lets a pod that is about to get its link be heard. When this returns the kernel does so.
    package func admit(_ pod: Pod, addresses: [IPAddress]) async throws {
        await keeper.set([pod.uid: part(pod, addresses)])
        try await keeper.sync()
    }

    private func part(_ pod: Pod, _ addresses: [IPAddress]) -> Ruleset {
        addresses.compactMap { link(pod, $0) }.reduce(into: Ruleset()) { $0.merge(PodLinkTable.compile($1, of: pod.key)) }
    }

    package func release(_ pod: Pod) async throws {
        await keeper.set([pod.uid: Ruleset()])
        try await keeper.sync()
    }
}
