import Model

/// Runs pods until enough of them have succeeded, or too many failed. (kubernetes.io/docs/concepts/workloads/controllers/job)
package struct JobReconciler: Reconciler {
    /// Keeps a pod's record until the job has counted it.
    static let finalizer = "batch.kubernetes.io/job-tracking"
    static let indexAnnotation = "batch.kubernetes.io/job-completion-index"

    private let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] { [.own(.jobs), .owner(.pods, kind: "Job")] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let job = try? await client.get(.jobs, key) else { return }
        let owner = OwnedPods(owner: job, resource: .jobs, component: "job-controller")
        let pods = try await client.list(Pod.self, namespace: key.namespace).filter { $0.controllerOwner?.uid == owner.uid }
        guard job["metadata"]["deletionTimestamp"].isNull else { return try await release(pods, client) }
        let isOver = Self.isFinished(job)
        if isOver {
            try await release(pods, client)
            for pod in pods where pod.isActive { try await owner.delete(pod, client) }
            try await expire(job, key, client)
            return
        }
        var status = job["status"]
        let time = now()
        let isSuspended = job["spec"]["suspend"].bool ?? false
        if status["startTime"].isNull, !isSuspended { status["startTime"] = .string(time.description) }
        count(pods, into: &status)
        let spec = job["spec"]
        let isIndexed = spec["completionMode"].string == "Indexed"
        let parallelism = spec["parallelism"].int ?? 1
        let active = pods.filter(\.isActive)
        if isIndexed { status["completedIndexes"] = JSON(Self.text(of: Self.succeeded(pods, before: status["completedIndexes"].string ?? ""))) }
        let succeeded = isIndexed ? Self.indexes(status["completedIndexes"].string ?? "").count : status["succeeded"].int ?? 0
        let failed = status["failed"].int ?? 0
        var conditions = status["conditions"]
        let deadline = spec["activeDeadlineSeconds"].int.flatMap { limit in status["startTime"].string.flatMap(Timestamp.init).map { $0.seconds + limit } }
        let restarts = spec["template"]["spec"]["restartPolicy"].string == "OnFailure" ? active.reduce(0) { $0 + Self.restarts($1) } : 0
        let limit = spec["backoffLimit"].int ?? 6
        if let deadline, deadline <= time.seconds, !isSuspended {
            fail(&conditions, &status, "DeadlineExceeded", "Job was active longer than specified deadline", time)
        } else if failed + restarts > limit {
            fail(&conditions, &status, "BackoffLimitExceeded", "Job has reached the specified backoff limit", time)
        } else if let wanted = spec["completions"].int, succeeded >= wanted {
            complete(&conditions, &status, "CompletionsReached", "Reached expected number of succeeded pods", time)
        } else if spec["completions"].isNull, succeeded > 0, active.isEmpty {
            complete(&conditions, &status, "CompletionsReached", "Reached expected number of succeeded pods", time)
        }
        let isEnding = conditions.condition("Complete") == "True" || conditions.condition("Failed") == "True"
        if isSuspended != (conditions.condition("Suspended") == "True"), isSuspended || !conditions.items.isEmpty {
            conditions.setCondition(
                "Suspended", isSuspended, reason: isSuspended ? "JobSuspended" : "JobResumed", message: isSuspended ? "Job suspended" : "Job resumed", now: time)
            await owner.tell(isSuspended ? "Suspended" : "Resumed", isSuspended ? "Job suspended" : "Job resumed", client)
        }
        if isEnding || isSuspended {
            for pod in active { try await owner.delete(pod, client) }
        } else {
            let left = spec["completions"].int.map { max(0, $0 - succeeded) } ?? (succeeded > 0 ? 0 : parallelism)
            let wanted = min(parallelism, left)
            if active.count > wanted, spec["completions"].int != nil || succeeded == 0 {
                for pod in active.sorted(by: Pod.isDeletedBefore).prefix(active.count - wanted) { try await owner.delete(pod, client) }
            } else if active.count < wanted, isDue(pods, failed, time) {
                try await start(wanted - active.count, job, owner, pods, isIndexed, status, client)
            }
        }
        let living = try await client.list(Pod.self, namespace: key.namespace).filter { $0.controllerOwner?.uid == owner.uid && $0.isActive }
        status["active"] = living.isEmpty || isEnding ? .null : .int(living.count)
        status["ready"] = .int(isEnding ? 0 : living.filter(\.isReady).count)
        status["terminating"] = .int(pods.filter { $0.isBeingDeleted && !$0.isFinished }.count)
        status["conditions"] = conditions.items.isEmpty ? .null : conditions
        if status["uncountedTerminatedPods"].isNull { status["uncountedTerminatedPods"] = .emptyObject }
        if status != job["status"] {
            var current = job
            current["status"] = status
            current["metadata"]["resourceVersion"] = .null
            _ = try await client.updateStatus(.jobs, current)
        }
        // Counted and written down: their records may go.
        try await release(pods.filter { $0.isFinished || $0.isBeingDeleted }, client)
        if conditions.condition("Complete") == "True" { await owner.tell("Completed", "Job completed", client) }
        if conditions.condition("Failed") == "True", let failure = conditions.items.first(where: { $0["type"].string == "Failed" }) {
            await owner.tell(failure["reason"].string ?? "Failed", failure["message"].string ?? "", type: "Warning", client)
        }
    }

    private static func isFinished(_ job: JSON) -> Bool {
        job["status"]["conditions"].condition("Complete") == "True" || job["status"]["conditions"].condition("Failed") == "True"
    }

    private static func isTracked(_ pod: Pod) -> Bool { pod.json["metadata"]["finalizers"].items.contains(.string(finalizer)) }

    /// Adds the pods that ended since: each once, which its finalizer tells.
    private func count(_ pods: [Pod], into status: inout JSON) {
        for pod in pods where Self.isTracked(pod) && (pod.isFinished || pod.isBeingDeleted) {
            if pod.phase == "Succeeded" {
                status["succeeded"] = .int((status["succeeded"].int ?? 0) + 1)
            } else {
                status["failed"] = .int((status["failed"].int ?? 0) + 1)
            }
        }
    }

    private func release(_ pods: [Pod], _ client: any Client) async throws {
        for pod in pods where Self.isTracked(pod) {
            let rest = pod.json["metadata"]["finalizers"].items.filter { $0.string != Self.finalizer }
            do { _ = try await client.patch(.pods, pod.key, ["metadata": ["finalizers": .array(rest)]]) } catch let error as StatusError where error.reason == "NotFound"
            {}
        }
    }

    private func fail(_ conditions: inout JSON, _ status: inout JSON, _ reason: String, _ message: String, _ time: Timestamp) {
        for type in ["FailureTarget", "Failed"] { conditions.setCondition(type, true, reason: reason, message: message, now: time) }
    }

    private func complete(_ conditions: inout JSON, _ status: inout JSON, _ reason: String, _ message: String, _ time: Timestamp) {
        for type in ["SuccessCriteriaMet", "Complete"] { conditions.setCondition(type, true, reason: reason, message: message, now: time) }
        status["completionTime"] = .string(time.description)
    }

    private static func restarts(_ pod: Pod) -> Int { pod.status["containerStatuses"].items.reduce(0) { $0 + ($1["restartCount"].int ?? 0) } }

    /// Failures are answered ever more slowly: 10 s, 20 s, ... six minutes at most.
    private func isDue(_ pods: [Pod], _ failed: Int, _ time: Timestamp) -> Bool { wait(pods, failed, time) <= 0 }

    private func wait(_ pods: [Pod], _ failed: Int, _ time: Timestamp) -> Int {
        guard failed > 0 else { return 0 }
        let last = pods.filter { $0.phase == "Failed" }.compactMap { pod in
            pod.status["containerStatuses"].items.compactMap { $0["state"]["terminated"]["finishedAt"].string.flatMap(Timestamp.init) }.max()
        }.max()
        guard let last else { return 0 }
        return last.seconds + min(10 << min(failed - 1, 6), 360) - time.seconds
    }

    private func start(_ count: Int, _ job: JSON, _ owner: OwnedPods, _ pods: [Pod], _ isIndexed: Bool, _ status: JSON, _ client: any Client) async throws {
        var template = job["spec"]["template"]
        template["metadata"]["finalizers"] = [.string(Self.finalizer)]
        guard isIndexed else {
            for _ in 0..<count { try await owner.create(template, client) }
            return
        }
        let taken = Set(pods.filter(\.isActive).compactMap { $0.annotations[Self.indexAnnotation].flatMap { Int($0) } })
            .union(Self.indexes(status["completedIndexes"].string ?? ""))
        for index in (0..<(job["spec"]["completions"].int ?? 0)).filter({ !taken.contains($0) }).prefix(count) {
            try await owner.create(template, client) { pod in
                pod["metadata"]["generateName"] = .string("\(owner.name)-\(index)-")
                pod["metadata"]["annotations"][Self.indexAnnotation] = .string("\(index)")
                pod["metadata"]["labels"][Self.indexAnnotation] = .string("\(index)")
                if pod["spec"]["hostname"].isNull { pod["spec"]["hostname"] = .string("\(owner.name)-\(index)") }
                for list in ["containers", "initContainers"] {
                    guard var containers = pod["spec"][list].array else { continue }
                    for place in containers.indices {
                        containers[place]["env"] = .array(
                            containers[place]["env"].items + [
                                [
                                    "name": "JOB_COMPLETION_INDEX",
                                    "valueFrom": ["fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.labels['\(Self.indexAnnotation)']"]],
                                ]
                            ])
                    }
                    pod["spec"][list] = .array(containers)
                }
            }
        }
    }

    private static func succeeded(_ pods: [Pod], before: String) -> Set<Int> {
        indexes(before).union(pods.filter { $0.phase == "Succeeded" }.compactMap { $0.annotations[indexAnnotation].flatMap { Int($0) } })
    }

    /// `1,3-5,7`
    private static func indexes(_ text: String) -> Set<Int> {
        Set(
            text.split(separator: ",").flatMap { part -> [Int] in
                let ends = part.split(separator: "-").compactMap { Int($0) }
                guard let low = ends.first, let high = ends.last, low <= high else { return [] }
                return Array(low...high)
            })
    }

    private static func text(of indexes: Set<Int>) -> String? {
        var parts: [String] = []
        var run: ClosedRange<Int>?
        for index in indexes.sorted() + [Int.max] {
            if let current = run, index == current.upperBound + 1 {
                run = current.lowerBound...index
                continue
            }
            if let current = run { parts.append(current.count == 1 ? "\(current.lowerBound)" : "\(current.lowerBound)-\(current.upperBound)") }
            run = index == Int.max ? nil : index...index
        }
        return parts.isEmpty ? nil : parts.joined(separator: ",")
    }

    /// `ttlSecondsAfterFinished`: a job that is over goes after its time.
    private func expire(_ job: JSON, _ key: ObjectKey, _ client: any Client) async throws {
        guard let end = Self.expiry(job), end <= now().seconds else { return }
        try await client.delete(.jobs, key)
    }

    private static func expiry(_ job: JSON) -> Int? {
        guard let seconds = job["spec"]["ttlSecondsAfterFinished"].int, isFinished(job) else { return nil }
        let finished = job["status"]["conditions"].items.first { ["Complete", "Failed"].contains($0["type"].string) }?["lastTransitionTime"].string.flatMap(
            Timestamp.init)
        return finished.map { $0.seconds + seconds }
    }

    package func nextVisit(_ key: ObjectKey, _ client: any Client) async -> Duration? {
        guard let job = try? await client.get(.jobs, key) else { return nil }
        let time = now()
        if Self.isFinished(job) { return Self.expiry(job).map { .seconds(max(1, $0 - time.seconds)) } }
        var waits: [Int] = []
        if let limit = job["spec"]["activeDeadlineSeconds"].int, let start = job["status"]["startTime"].string.flatMap(Timestamp.init) {
            waits.append(start.seconds + limit - time.seconds)
        }
        let pods = ((try? await client.list(Pod.self, namespace: key.namespace)) ?? []).filter { $0.controllerOwner?.uid == job["metadata"]["uid"].string }
        let back = wait(pods, job["status"]["failed"].int ?? 0, time)
        if back > 0 { waits.append(back) }
        return waits.min().map { .seconds(max(1, $0)) }
    }
}
