import Model

/// What runs one pod on a node until the pod is gone from it.
package protocol PodRunner: Sendable {
    func run() async
    /// The pod is another than it was.
    func changed(_ pod: Pod)
    func configurationChanged(_ key: ObjectKey, isSecret: Bool) async
}

/// The pods of one node and who runs each: one that comes gets a runner, one that goes has it wound up, also when it went while nobody
/// watched.
package actor PodWorkers {
    private let node: String
    private let start: @Sendable (Pod) -> any PodRunner
    private var runners: [String: any PodRunner] = [:]
    /// Those that have runners, as they were last told, by uid.
    private var known: [String: Pod] = [:]
    /// The pods that want ports of the node, in the order in which they came.
    private var hostPortClaims: [Pod] = []

    package init(node: String, start: @escaping @Sendable (Pod) -> any PodRunner) {
        self.node = node
        self.start = start
    }

    package var pods: [Pod] { Array(known.values) }

    /// Follows the node's pods until cancelled. Their processes outlive this. `before`: those that were run before; what of them is gone by
    /// the first list has gone while nobody watched.
    package func run(_ pods: Reflector, after before: [Pod] = []) async throws {
        var untold = before
        try await withThrowingDiscardingTaskGroup { group in
            try await pods.run {
                take($0, &group)
            } listed: {
                for pod in untold where known[pod.uid] == nil { begin(Self.gone(pod), &group) }
                untold = []
            }
        }
    }

    private func take(_ change: Reflector.Change, _ group: inout ThrowingDiscardingTaskGroup<any Error>) {
        let pod = Pod(change.object), isGone = change.new == nil
        guard pod.nodeName == node else { return }
        if isGone || pod.isFinished {
            hostPortClaims.removeAll { $0.uid == pod.uid }
        } else if runners[pod.uid] == nil, !pod.hostPorts.isEmpty {
            hostPortClaims.append(pod)
        }
        if let runner = runners[pod.uid] {
            let last = isGone ? Self.gone(pod) : pod
            known[pod.uid] = last
            return runner.changed(last)
        }
        guard !isGone else { return }
        begin(pod, &group)
    }

    /// The record is gone, perhaps past its grace: what runs of it ends at once.
    private static func gone(_ pod: Pod) -> Pod {
        var last = pod.json
        if !pod.isBeingDeleted { last["metadata"]["deletionTimestamp"] = .string(Timestamp.now().description) }
        last["metadata"]["deletionGracePeriodSeconds"] = 0
        return Pod(last)
    }

    private func begin(_ pod: Pod, _ group: inout ThrowingDiscardingTaskGroup<any Error>) {
        let runner = start(pod)
        (runners[pod.uid], known[pod.uid]) = (runner, pod)
        group.addTask {
            await runner.run()
            await self.forget(pod.uid)
        }
    }

    private func forget(_ uid: String) {
        runners[uid] = nil
        // Who is cut short is not done with its pod.
        if !Task.isCancelled { known[uid] = nil }
    }

    package func configurationChanged(_ key: ObjectKey, isSecret: Bool) async {
        for runner in runners.values { await runner.configurationChanged(key, isSecret: isSecret) }
    }

    /// Who claimed ports of the node before this pod did.
    package func podsBefore(_ pod: Pod) -> [Pod] { Array(hostPortClaims.prefix { $0.uid != pod.uid }) }
}
