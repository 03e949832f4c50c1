import Model
import Synchronization

/// Deletes pods from nodes whose NoExecute taints they do not bear, at once or after the time they do.
/// (kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration; k8s.io/kubernetes/pkg/controller/tainteviction)
package struct TaintEviction: Reconciler {
    /// By node, the pods whose time runs.
    private final class Waiting: Sendable {
        private let pods = Mutex<[String: Set<String>]>([:])

        /// Returns those whose time ran until now, and does no more.
        func set(_ node: String, _ uids: Set<String>) -> Set<String> {
            pods.withLock { pods in
                let before = pods[node] ?? []
                pods[node] = uids.isEmpty ? nil : uids
                return before.subtracting(uids)
            }
        }
    }

    private let waiting = Waiting()
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
        guard let node = try await client.find(Node.self, key) else {
            _ = waiting.set(key.name, [])
            return
        }
        let taints = node.taints.filter { $0["effect"].string == "NoExecute" }
        let pods = try await client.list(Pod.self).filter { $0.nodeName == node.name && !$0.isBeingDeleted && !$0.isFinished }
        let patience = Dictionary(uniqueKeysWithValues: pods.map { ($0.uid, taints.isEmpty ? nil : Self.patience($0, taints, now())) })
        let released = waiting.set(node.name, Set(pods.map(\.uid).filter { (patience[$0] ?? nil).map { $0 > 0 } ?? false }))
        for pod in pods {
            guard let seconds = patience[pod.uid] ?? nil else {
                if released.contains(pod.uid) { await tell(pod, "Cancelling deletion of Pod \(pod.key)", client) }
                continue
            }
            guard seconds <= 0 else { continue }
            await tell(pod, "Marking for deletion Pod \(pod.key)", client)
            let time = now()
            try await client.mutateStatus(Pod.self, pod.key) { current in
                guard current.uid == pod.uid else { return }
                current.status["conditions"].setCondition(
                    "DisruptionTarget", true, reason: "DeletionByTaintManager", message: "Taint manager: deleting due to NoExecute taint",
                    observedGeneration: current.generation, now: time)
            }
            do { try await client.delete(.pods, pod.key, gracePeriod: nil, uid: pod.uid) } catch let error as StatusError
                where error.reason == .notFound
            {}
        }
    }

    private func tell(_ pod: Pod, _ message: String, _ client: any Client) async {
        await client.recordEvent(
            about: pod, reason: "TaintManagerEviction", message: message, component: "taint-eviction-controller")
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
