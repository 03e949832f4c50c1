import Model

/// What one look at a Job and its pods leads to: pods to make and to delete, the status to write, and whether the job is to end. It decides
/// and does nothing. (k8s.io/kubernetes/pkg/controller/job, syncJob)
struct JobPlan {
    struct Creation {
        var index: Int?
        /// What the pod's annotations say of its index, where failures are counted by index: of those that count, and of the ignored.
        var failures: (counted: Int, ignored: Int)?
    }

    struct Ending {
        /// Complete or Failed.
        var type: String
        var reason: String
        var message: String
        var isFailure: Bool { type == "Failed" }
        /// The condition that announces it, before all pods are gone and counted.
        var announcement: String { isFailure ? "FailureTarget" : "SuccessCriteriaMet" }
    }

    /// So many pods are made at once; those that come then lead to the next look. (k8s.io/kubernetes/pkg/controller/job,
    /// MaxPodCreateDeletePerSync)
    static let mostCreations = 500

    private let job: Job
    private let pods: [Pod]
    private let active: [Pod]
    private let now: Timestamp
    /// Decisions need the numbers that this look would lead to.
    private var succeeded = 0, failed = 0
    private var succeededIndexes = CompletionIndexes(), failedIndexes = CompletionIndexes()
    /// The last failed pod of each index that waits for a successor, which takes over its count of failures.
    private var predecessors: [Int: Pod] = [:]

    private(set) var backoff: JobBackoff
    private(set) var status: JobStatus
    private(set) var ending: Ending?
    private(set) var creations: [Creation] = []
    private(set) var deletions: [Pod] = []
    /// Deleted because there are too many: no failures.
    private(set) var deletesUncounted = false
    /// Pods whose finalizer goes once the status is written.
    private(set) var releases: [Pod] = []
    private(set) var events: [(reason: String, message: String)] = []
    /// Seconds until time alone changes the plan.
    private(set) var delay: Int?

    init(_ job: Job, pods: [Pod], backoff: JobBackoff, now: Timestamp) {
        self.job = job
        self.pods = pods
        self.now = now
        self.backoff = backoff
        active = pods.filter(\.isActive)
        status = JobStatus(job.status)
        status.settle(tracked: Set(pods.filter(\.isTracked).map(\.uid)))
        if status.startTime == nil, !job.isSuspended { status.startTime = now }
        count()
        decide()
        if ending != nil {
            deletions = active
        } else if !job.isBeingDeleted {
            manage()
        }
        track()
        tally()
    }

    // MARK: How it stands

    private mutating func count() {
        let countable = pods.filter { $0.isTracked && (!job.isIndexed || job.index(of: $0) != nil) }
        let ended = countable.filter { $0.phase == "Succeeded" && !status.uncountedSucceeded.contains($0.uid) }
        let lost = countable.filter { job.hasFailed($0) && !status.uncountedFailed.contains($0.uid) }
        backoff.record(succeeded: ended, failed: lost)
        failed = status.failed + status.uncountedFailed.count + lost.count { job.failurePolicy?.action(for: $0) != .ignore }
        guard job.isIndexed, let completions = job.completions else {
            succeeded = status.succeeded + status.uncountedSucceeded.count + ended.count
            return
        }
        succeededIndexes = CompletionIndexes(status.completedIndexes, completions: completions)
            .union(CompletionIndexes(ended.compactMap { job.index(of: $0) }))
        succeeded = succeededIndexes.count
        guard let limit = job.backoffLimitPerIndex else { return }
        failedIndexes = CompletionIndexes(status.failedIndexes ?? "", completions: completions)
            .union(CompletionIndexes(pods.filter { isFinal($0, limit) }.compactMap { job.index(of: $0) }))
        let taken = succeededIndexes.union(failedIndexes).union(CompletionIndexes(active.compactMap(\.completionIndex)))
        for pod in countable where job.hasFailed(pod) {
            guard let index = job.index(of: pod), !taken.contains(index) else { continue }
            if let other = predecessors[index], (Self.failures(other), other.finishTime) > (Self.failures(pod), pod.finishTime) { continue }
            predecessors[index] = pod
        }
    }

    private static func failures(_ pod: Pod) -> Int { pod.indexFailures + pod.ignoredIndexFailures }

    /// Whether a pod's failure is its index's.
    private func isFinal(_ pod: Pod, _ limit: Int) -> Bool {
        guard job.hasFailed(pod) else { return false }
        return switch job.failurePolicy?.action(for: pod) {
        case .failIndex: true
        case .ignore: false
        default: pod.indexFailures >= limit
        }
    }

    // MARK: Whether it ends

    private mutating func decide() {
        if let ended = status.ending {
            ending = ended
        } else if let message = failedByPolicy() {
            fail("PodFailurePolicy", message)
        } else if failed > job.backoffLimit || hasRestartedTooOften() {
            fail("BackoffLimitExceeded", "Job has reached the specified backoff limit")
        } else if let limit = job.activeDeadlineSeconds, !job.isSuspended, let start = status.startTime {
            // In this order: the limit may be the largest number there is.
            let left = limit - max(0, now.seconds - start.seconds)
            if left <= 0 { fail("DeadlineExceeded", "Job was active longer than specified deadline") } else { wait(left) }
        }
        guard job.isIndexed, let completions = job.completions, ending == nil else { return }
        if let limit = job.spec["maxFailedIndexes"].int, failedIndexes.count > limit {
            fail("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes")
        } else if !failedIndexes.isEmpty, failedIndexes.count + succeededIndexes.count >= completions {
            fail("FailedIndexes", "Job has failed indexes")
        } else if let message = job.successPolicy?.match(succeededIndexes, completions: completions) {
            ending = Ending(type: "Complete", reason: "SuccessPolicy", message: message)
        }
    }

    private mutating func fail(_ reason: String, _ message: String) { ending = Ending(type: "Failed", reason: reason, message: message) }

    private mutating func wait(_ seconds: Int) { delay = min(delay ?? seconds, seconds) }

    private func failedByPolicy() -> String? {
        guard let policy = job.failurePolicy else { return nil }
        for pod in pods where job.hasFailed(pod) {
            if case .failJob(let message) = policy.action(for: pod) { return message }
        }
        return nil
    }

    /// Where containers start again in their pods, that counts.
    private func hasRestartedTooOften() -> Bool {
        guard job.spec["template"]["spec"]["restartPolicy"].string == "OnFailure" else { return false }
        let restarts = pods.filter { !$0.isFinished }.flatMap {
            $0.status["initContainerStatuses"].items + $0.status["containerStatuses"].items
        }
        .reduce(0) { $0 + ($1["restartCount"].int ?? 0) }
        return restarts > 0 && restarts >= job.backoffLimit
    }

    // MARK: Its pods

    private mutating func manage() {
        if job.isSuspended {
            delete(active)
        } else {
            adjust()
        }
        let left = active.count - deletions.count + creations.count
        if left == 0, job.completions.map({ succeeded >= $0 }) ?? (succeeded > 0) {
            ending = Ending(type: "Complete", reason: "CompletionsReached", message: "Reached expected number of succeeded pods")
        } else if status.suspend(job.isSuspended, now) {
            events.append(job.isSuspended ? ("Suspended", "Job suspended") : ("Resumed", "Job resumed"))
        }
    }

    private mutating func delete(_ pods: [Pod]) {
        deletions = pods
        deletesUncounted = true
    }

    private mutating func adjust() {
        // Without completions the first success tells that there is no more to do.
        let wanted =
            job.completions.map { min(max(0, $0 - succeeded), job.parallelism) } ?? (succeeded > 0 ? active.count : job.parallelism)
        delete(excess(max(0, active.count - wanted)))
        guard deletions.isEmpty else { return }
        let terminating = job.replacesFailedOnly ? pods.filter(\.isTerminating) : []
        let count = min(wanted - active.count - terminating.count, Self.mostCreations)
        guard count > 0 else { return }
        if job.backoffLimitPerIndex == nil, backoff.remaining(now) > 0 {
            wait(backoff.remaining(now))
            return
        }
        guard job.isIndexed, let completions = job.completions else {
            creations = Array(repeating: Creation(), count: count)
            return
        }
        let taken = succeededIndexes.union(failedIndexes).union(CompletionIndexes((active + terminating).compactMap(\.completionIndex)))
        for index in taken.missing(count, completions: completions) {
            guard job.backoffLimitPerIndex != nil else {
                creations.append(Creation(index: index))
                continue
            }
            let last = predecessors[index]
            let remaining = last.map { JobBackoff.remaining(Self.failures($0) + 1, since: $0.finishTime, now) } ?? 0
            if remaining > 0 { wait(remaining) } else { creations.append(Creation(index: index, failures: failures(after: last))) }
        }
    }

    private func failures(after pod: Pod?) -> (Int, Int) {
        guard let pod else { return (0, 0) }
        let isIgnored = job.failurePolicy?.action(for: pod) == .ignore
        return (pod.indexFailures + (isIgnored ? 0 : 1), pod.ignoredIndexFailures + (isIgnored ? 1 : 0))
    }

    /// At least `count` active pods: those without an index of the job and all but one of each index first.
    private func excess(_ count: Int) -> [Pod] {
        var gone: [Pod] = [], left = active.sorted(by: Pod.isDeletedBefore)
        if job.isIndexed {
            var kept: Set<Int> = []
            // From the end: of two pods of an index the one that would be deleted later stays.
            for pod in left.reversed() where job.index(of: pod).map({ !kept.insert($0).inserted }) ?? true { gone.append(pod) }
            let names = Set(gone.map(\.uid))
            left.removeAll { names.contains($0.uid) }
        }
        return gone + left.prefix(max(0, count - gone.count))
    }

    // MARK: Its status

    /// Counts pods that are over: each is noted by its uid until its finalizer is gone, so that none counts twice or never.
    private mutating func track() {
        for pod in pods where pod.isTracked && mayRelease(pod) {
            releases.append(pod)
            guard !job.isIndexed || job.index(of: pod) != nil else { continue }
            if pod.phase == "Succeeded", !status.uncountedFailed.contains(pod.uid) {
                // Of an indexed job the index tells.
                if !job.isIndexed { status.uncountedSucceeded.insert(pod.uid) }
            } else if job.hasFailed(pod) || ending?.isFailure == true {
                // When a job fails, so do the pods that did not end.
                if job.failurePolicy?.action(for: pod) != .ignore { status.uncountedFailed.insert(pod.uid) }
            }
        }
        if let ending { status.set(ending.announcement, ending.reason, ending.message, now) }
        guard job.isIndexed else { return }
        status.completedIndexes = succeededIndexes.description
        status.succeeded = succeededIndexes.count
        if job.backoffLimitPerIndex != nil { status.failedIndexes = failedIndexes.description }
    }

    private func mayRelease(_ pod: Pod) -> Bool {
        if job.isBeingDeleted || ending != nil || pod.phase == "Succeeded" { return true }
        // The successor has to know how often its index failed.
        return job.hasFailed(pod) && job.index(of: pod).flatMap { predecessors[$0] }?.uid != pod.uid
    }

    private mutating func tally() {
        status.active = active.count - deletions.count
        status.ready = active.count(where: \.isReady) - deletions.count(where: \.isReady)
        status.terminating = pods.count(where: \.isTerminating) + deletions.count
    }
}
