import Model

/// Deletes pods of nodes that are not there, once a node has been missing for a while: nobody else would ever end them.
/// (k8s.io/kubernetes/pkg/controller/podgc)
package struct PodGarbageCollector: Reconciler {
    /// A node that is registered anew keeps its pods.
    package static let quarantine = Duration.seconds(40)

    private let now: @Sendable () -> Timestamp
    private let elapsed: @Sendable () -> Duration
    /// Since when each node has been missing.
    private let missing = NodeTimes()

    package init(
        now: @escaping @Sendable () -> Timestamp = Timestamp.now,
        elapsed: @escaping @Sendable () -> Duration = NodeTimes.awake()
    ) {
        self.now = now
        self.elapsed = elapsed
    }

    /// Its keys are nodes, there or not.
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
        guard try await isOverdue(key, client) else { return }
        for pod in try await client.list(Pod.self) where pod.nodeName == key.name {
            let time = now()
            try await client.mutateStatus(Pod.self, pod.key) { current in
                guard current.uid == pod.uid, !current.isFinished else { return }
                current.status["phase"] = "Failed"
                current.status["conditions"].setCondition(
                    "DisruptionTarget", true, reason: "DeletionByPodGC", message: "PodGC: node no longer exists",
                    observedGeneration: current.generation,
                    now: time)
            }
            do { try await client.delete(.pods, pod.key, gracePeriod: 0, uid: pod.uid) } catch let error as StatusError
                where error.reason == .notFound
            {}
        }
    }

    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        guard let since = missing.time(of: key.name) else { return nil }
        let left = Self.quarantine - (elapsed() - since)
        return left > .zero ? left : nil
    }

    private func isOverdue(_ key: ObjectKey, _ client: any Client) async throws -> Bool {
        guard try await client.find(Node.self, key) == nil else {
            missing.forget(key.name)
            return false
        }
        let time = elapsed()
        return time - missing.time(of: key.name, orSet: time) >= Self.quarantine
    }
}
