import Model

/// A CronJob's status as its controller writes it. (k8s.io/api/batch/v1, CronJobStatus)
struct CronJobStatus {
    private var json: JSON
    /// References to the jobs that run.
    private(set) var active: [JSON]

    init(_ json: JSON) {
        self.json = json
        active = json["active"].items
    }

    var written: JSON {
        var json = json
        json["active"] = active.isEmpty ? .null : .array(active)
        return json
    }

    var lastScheduleTime: Timestamp? {
        get { json["lastScheduleTime"].string.flatMap(Timestamp.init) }
        set { json["lastScheduleTime"] = JSON(newValue?.description) }
    }

    func isActive(_ job: Job) -> Bool { active.contains { $0["uid"].string == job.uid } }

    mutating func forget(_ uid: String) { active.removeAll { $0["uid"].string == uid } }

    mutating func add(_ job: Job) {
        guard !isActive(job) else { return }
        active.append([
            "kind": "Job", "apiVersion": "batch/v1", "name": .string(job.name), "namespace": .string(job.namespace),
            "uid": .string(job.uid),
            "resourceVersion": .string(job.resourceVersion),
        ])
    }

    /// Takes in how the jobs stand; what is worth an Event comes back.
    mutating func observe(_ jobs: [Job]) -> [(type: String, reason: String, message: String)] {
        var events: [(String, String, String)] = []
        for job in jobs {
            if isActive(job), job.isFinished {
                forget(job.uid)
                events.append(
                    (
                        "Normal", "SawCompletedJob",
                        "Saw completed job: \(job.name), condition: \(job.has("Complete") ? "Complete" : "Failed")"
                    ))
            } else if !isActive(job), !job.isFinished {
                events.append(("Warning", "UnexpectedJob", "Saw a job that the controller did not create or forgot: \(job.name)"))
            }
            if job.has("Complete"), let end = job.status["completionTime"].string, end > json["lastSuccessfulTime"].string ?? "" {
                json["lastSuccessfulTime"] = .string(end)
            }
        }
        let there = Set(jobs.map(\.uid))
        for lost in active where !there.contains(lost["uid"].string ?? "") {
            events.append(("Normal", "MissingJob", "Active job went missing: \(lost["name"].string ?? "")"))
            forget(lost["uid"].string ?? "")
        }
        return events
    }
}
