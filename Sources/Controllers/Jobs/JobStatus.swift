import Model

/// A Job's status as its controller writes it; what others put there stays. (k8s.io/api/batch/v1, JobStatus)
struct JobStatus {
    private var json: JSON
    /// By uid, pods that ended and are not in the numbers yet.
    var uncountedSucceeded: Set<String>
    var uncountedFailed: Set<String>
    var succeeded: Int
    var failed: Int
    var active = 0
    var ready = 0
    var terminating = 0
    var completedIndexes: String
    var failedIndexes: String?

    init(_ json: JSON) {
        self.json = json
        uncountedSucceeded = Set(json["uncountedTerminatedPods"]["succeeded"].items.compactMap(\.string))
        uncountedFailed = Set(json["uncountedTerminatedPods"]["failed"].items.compactMap(\.string))
        succeeded = json["succeeded"].int ?? 0
        failed = json["failed"].int ?? 0
        completedIndexes = json["completedIndexes"].string ?? ""
        failedIndexes = json["failedIndexes"].string
    }

    /// As it is written.
    var written: JSON {
        var json = json
        func optional(_ number: Int) -> JSON { number == 0 ? .null : .int(number) }
        func list(_ uids: Set<String>) -> JSON { uids.isEmpty ? .null : .array(uids.sorted().map(JSON.string)) }
        json["active"] = optional(active)
        json["succeeded"] = optional(succeeded)
        json["failed"] = optional(failed)
        json["ready"] = .int(ready)
        json["terminating"] = .int(terminating)
        json["completedIndexes"] = completedIndexes.isEmpty ? .null : .string(completedIndexes)
        json["failedIndexes"] = JSON(failedIndexes)
        var uncounted = JSON.emptyObject
        if !uncountedSucceeded.isEmpty { uncounted["succeeded"] = list(uncountedSucceeded) }
        if !uncountedFailed.isEmpty { uncounted["failed"] = list(uncountedFailed) }
        json["uncountedTerminatedPods"] = uncounted
        return json
    }

    /// Pods that lost their finalizer since they were noted go into the numbers; `tracked` are the uids of those that have it.
    mutating func settle(tracked: Set<String>) {
        succeeded += uncountedSucceeded.subtracting(tracked).count
        failed += uncountedFailed.subtracting(tracked).count
        uncountedSucceeded.formIntersection(tracked)
        uncountedFailed.formIntersection(tracked)
    }

    var startTime: Timestamp? {
        get { json["startTime"].string.flatMap(Timestamp.init) }
        set { json["startTime"] = JSON(newValue?.description) }
    }

    /// The end that was announced.
    var ending: JobPlan.Ending? {
        for (announcement, type) in [("SuccessCriteriaMet", "Complete"), ("FailureTarget", "Failed")] {
            guard let found = json["conditions"].items.first(where: { $0["type"].string == announcement && $0["status"].string == "True" })
            else { continue }
            return JobPlan.Ending(type: type, reason: found["reason"].string ?? "", message: found["message"].string ?? "")
        }
        return nil
    }

    /// Ends the job, if nothing of it is left to wait for.
    mutating func end(_ ending: JobPlan.Ending, _ now: Timestamp) -> Bool {
        guard uncountedSucceeded.isEmpty, uncountedFailed.isEmpty, terminating == 0, active == 0 else { return false }
        set(ending.type, ending.reason, ending.message, now)
        if !ending.isFailure { json["completionTime"] = .string(now.description) }
        return true
    }

    /// Says whether the job is suspended; false if that was known. The time of start is that of the last resumption. (KEP-2232, KEP-5440)
    mutating func suspend(_ isSuspended: Bool, _ now: Timestamp) -> Bool {
        let known = json["conditions"].condition("Suspended")
        guard isSuspended ? known != "True" : known == "True" else { return false }
        set(
            "Suspended", isSuspended ? "JobSuspended" : "JobResumed", isSuspended ? "Job suspended" : "Job resumed", isTrue: isSuspended,
            now)
        startTime = isSuspended ? nil : now
        return true
    }

    mutating func set(_ type: String, _ reason: String, _ message: String, isTrue: Bool = true, _ now: Timestamp) {
        let condition: JSON = [
            "type": .string(type), "status": isTrue ? "True" : "False", "lastProbeTime": .string(now.description),
            "lastTransitionTime": .string(now.description), "reason": .string(reason), "message": .string(message),
        ]
        var conditions = json["conditions"].items
        if let place = conditions.firstIndex(where: { $0["type"].string == type }) {
            let old = conditions[place]
            if old["status"] == condition["status"], old["reason"] == condition["reason"], old["message"] == condition["message"] { return }
            conditions[place] = condition
        } else {
            conditions.append(condition)
        }
        json["conditions"] = .array(conditions)
    }
}
