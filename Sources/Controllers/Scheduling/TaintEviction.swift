import Model

/// Deletes pods from nodes whose NoExecute taints they do not bear, at once or after the time they do.
/// (kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration)
package struct TaintEviction: Reconciler {
    private let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] {
        [
            .own(.nodes),
            Source(.pods) { change, _ in
                guard let node = change.new?["spec"]["nodeName"].string, change.old?["spec"]["nodeName"].string == nil else { return [] }
                return [ObjectKey("", node)]
            },
        ]
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let node = try await client.find(Node.self, key) else { return }
        let taints = node.taints.filter { $0["effect"].string == "NoExecute" }
        if taints.isEmpty { return }
        for pod in try await client.list(Pod.self) where pod.nodeName == node.name && !pod.isBeingDeleted && !pod.isFinished {
            guard let seconds = Self.patience(pod, taints, now()), seconds <= 0 else { continue }
            await client.recordEvent(
                about: pod, reason: "TaintManagerEviction", message: "Marking for deletion Pod \(pod.key)",
                component: "taint-eviction-controller")
            do { try await client.delete(.pods, pod.key, gracePeriod: nil, uid: pod.uid) } catch let error as StatusError
                where error.reason == .notFound
            {}
        }
    }

    /// Seconds that a pod may stay yet; nil: for ever.
    private static func patience(_ pod: Pod, _ taints: [JSON], _ now: Timestamp) -> Int? {
        var least: Int?
        for taint in taints {
            let bearing = pod.spec["tolerations"].items.filter { Scheduler.tolerates($0, taint) }
            guard !bearing.isEmpty else { return 0 }
            guard let limit = bearing.map({ $0["tolerationSeconds"].int ?? Int.max }).min(), limit < Int.max else { continue }
            let since = (taint["timeAdded"].string ?? pod.json["metadata"]["creationTimestamp"].string).flatMap(Timestamp.init) ?? now
            least = min(least ?? Int.max, since.seconds + Timestamp.bounded(limit) - now.seconds)
        }
        return least
    }

    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        guard let node = try await client.find(Node.self, key) else { return nil }
        let taints = node.taints.filter { $0["effect"].string == "NoExecute" }
        guard !taints.isEmpty else { return nil }
        let waits = try await client.list(Pod.self).filter { $0.nodeName == node.name && $0.isActive }.compactMap {
            Self.patience($0, taints, now())
        }
        return waits.min().map { .seconds(max(1, $0)) }
    }
}
