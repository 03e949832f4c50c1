import Model

/// A Job as its controller reads it. (k8s.io/api/batch/v1)
struct Job: Object {
    static let resource = Resource.jobs
    var json: JSON
    init(_ json: JSON) { self.json = json }

    /// Keeps a pod's record until the job has counted it. (KEP-2307)
    static let finalizer = "batch.kubernetes.io/job-tracking"
    static let indexAnnotation = "batch.kubernetes.io/job-completion-index"
    /// How often pods of the index failed before this one, and how often a failure policy said to ignore it. (KEP-3850)
    static let failuresAnnotation = "batch.kubernetes.io/job-index-failure-count"
    static let ignoredFailuresAnnotation = "batch.kubernetes.io/job-index-ignored-failure-count"
    /// The value of `managedBy` that names this controller, as no value does. (KEP-4368)
    static let controllerName = "kubernetes.io/job-controller"

    var selector: LabelSelector { LabelSelector(spec["selector"]) }
    var parallelism: Int { spec["parallelism"].int ?? 1 }
    var completions: Int? { spec["completions"].int }
    var isIndexed: Bool { spec["completionMode"].string == "Indexed" }
    var isSuspended: Bool { spec["suspend"].bool ?? false }
    var isManagedElsewhere: Bool { spec["managedBy"].string.map { $0 != Self.controllerName } ?? false }
    var backoffLimit: Int { spec["backoffLimit"].int ?? 6 }
    var backoffLimitPerIndex: Int? { isIndexed ? spec["backoffLimitPerIndex"].int : nil }
    var failurePolicy: PodFailurePolicy? { PodFailurePolicy(spec["podFailurePolicy"]) }
    var successPolicy: SuccessPolicy? { SuccessPolicy(spec["successPolicy"]) }
    /// A pod that is on its way out is no failure yet, and has no successor before it is one. (KEP-3939)
    var replacesFailedOnly: Bool { spec["podReplacementPolicy"].string == "Failed" || !spec["podFailurePolicy"].isNull }
    var activeDeadlineSeconds: Int? { spec["activeDeadlineSeconds"].int }
    /// Its last start, which a suspension took back.
    var startTime: Timestamp? { status["startTime"].string.flatMap(Timestamp.init) }

    /// The object with another status, to be written.
    func with(_ status: JobStatus) -> JSON {
        var copy = json
        copy["status"] = status.written
        return copy
    }

    func has(_ condition: String) -> Bool { status["conditions"].condition(condition) == "True" }
    var isFinished: Bool { has("Complete") || has("Failed") }

    /// When it may go: `ttlSecondsAfterFinished` after its end.
    var expiry: Int? {
        guard let seconds = spec["ttlSecondsAfterFinished"].int else { return nil }
        let end = status["conditions"].items.first { ["Complete", "Failed"].contains($0["type"].string) && $0["status"].string == "True" }
        return end?["lastTransitionTime"].string.flatMap(Timestamp.init).map { $0.seconds + seconds }
    }

    /// Whether a pod counts as failed: also one that was deleted before it could end, unless only what failed is replaced.
    func hasFailed(_ pod: Pod) -> Bool {
        pod.phase == "Failed" || !replacesFailedOnly && pod.isBeingDeleted && pod.phase != "Succeeded"
    }

    /// The completion index of a pod, if it is one of the job's.
    func index(of pod: Pod) -> Int? {
        guard let completions, let index = pod.completionIndex, index < completions else { return nil }
        return index
    }
}

extension Pod {
    var completionIndex: Int? { annotations[Job.indexAnnotation].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil } }
    /// No Job has counted it yet.
    var isTracked: Bool { json["metadata"]["finalizers"].items.contains(.string(Job.finalizer)) }
    var isTerminating: Bool { isBeingDeleted && !isFinished }
    var indexFailures: Int { count(Job.failuresAnnotation) }
    var ignoredIndexFailures: Int { count(Job.ignoredFailuresAnnotation) }

    private func count(_ annotation: String) -> Int {
        annotations[annotation].flatMap { Int($0) }.flatMap { (0...Int(Int32.max)).contains($0) ? $0 : nil } ?? 0
    }

    /// When its containers ended; or when it was last not ready; or was deleted; or at the least made.
    /// (k8s.io/kubernetes/pkg/controller/job, getFinishedTime)
    var finishTime: Timestamp {
        let sidecars = Set(initContainers.filter { $0.json["restartPolicy"].string == "Always" }.map(\.name))
        let statuses =
            status["containerStatuses"].items + status["initContainerStatuses"].items.filter { sidecars.contains($0["name"].string ?? "") }
        let ends = statuses.map { $0["state"]["terminated"]["finishedAt"].string.flatMap(Timestamp.init) }
        if let last = ends.compactMap({ $0 }).max(), ends.allSatisfy({ $0 != nil }) { return last }
        let ready = status["conditions"].items.first { $0["type"].string == "Ready" && $0["status"].string == "False" }
        if let time = ready?["lastTransitionTime"].string.flatMap(Timestamp.init) { return time }
        if let deletion = json["metadata"]["deletionTimestamp"].string.flatMap(Timestamp.init) {
            return Timestamp(seconds: deletion.seconds - (json["metadata"]["deletionGracePeriodSeconds"].int ?? 0))
        }
        return creationTimestamp ?? Timestamp(seconds: 0)
    }
}
