import Model

/// A CronJob as its controller reads it. (k8s.io/api/batch/v1)
struct CronJob: Object {
    static let resource = Resource.cronJobs
    var json: JSON
    init(_ json: JSON) { self.json = json }

    var isSuspended: Bool { spec["suspend"].bool ?? false }
    var concurrencyPolicy: String { spec["concurrencyPolicy"].string ?? "Allow" }
    var successfulJobsHistoryLimit: Int? { spec["successfulJobsHistoryLimit"].int }
    var failedJobsHistoryLimit: Int? { spec["failedJobsHistoryLimit"].int }
    private var lastScheduleTime: Timestamp? { status["lastScheduleTime"].string.flatMap(Timestamp.init) }

    /// Why it cannot start jobs, as an Event tells it.
    struct Unusable: Error {
        let reason: String
        let message: String
    }

    struct Due {
        let time: Timestamp
        /// How many times passed since a job last started, about.
        let missed: Int
    }

    /// The last time of the schedule that has passed and has had no job yet. What lies beyond `startingDeadlineSeconds` is over, and nobody
    /// is told. (k8s.io/kubernetes/pkg/controller/cronjob, mostRecentScheduleTime)
    func due(_ now: Timestamp) throws(Unusable) -> Due? {
        let (schedule, zone) = try timetable()
        var start = lastScheduleTime ?? creationTimestamp ?? now
        if let deadline = spec["startingDeadlineSeconds"].int {
            start = max(start, Timestamp(seconds: now.seconds - deadline, nanoseconds: now.nanoseconds))
        }
        guard let last = schedule.last(after: start, through: now, in: zone) else { return nil }
        var missed = 1
        if let first = schedule.next(after: start, in: zone), let second = schedule.next(after: first, in: zone), second <= last {
            missed = (last.seconds - first.seconds) / max(1, second.seconds - first.seconds) + 1
        }
        return Due(time: last, missed: missed)
    }

    func next(after time: Timestamp) throws(Unusable) -> Timestamp? {
        let (schedule, zone) = try timetable()
        return schedule.next(after: time, in: zone)
    }

    private func timetable() throws(Unusable) -> (CronSchedule, TimeZone) {
        var zone = TimeZone.utc
        if let name = spec["timeZone"].string {
            do { zone = try TimeZone(named: name) } catch {
                throw Unusable(reason: "UnknownTimeZone", message: "invalid timeZone: \"\(name)\": \(error)")
            }
        }
        let text = spec["schedule"].string ?? ""
        do { return (try CronSchedule(text), zone) } catch {
            throw Unusable(reason: "UnparseableSchedule", message: "unparseable schedule: \"\(text)\" : \(error)")
        }
    }

    /// The job of a time: its name tells which, so that there is no second. (KEP-4026 for the annotation)
    func job(at time: Timestamp, owner: JSON) -> JSON {
        let template = spec["jobTemplate"]
        var annotations = template["metadata"]["annotations"]
        let zone = spec["timeZone"].string.flatMap { try? TimeZone(named: $0) } ?? .utc
        annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] = .string(time.description(offset: zone.offset(at: time.seconds)))
        return [
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": [
                "name": .string("\(name)-\(time.seconds / 60)"), "namespace": .string(namespace), "labels": template["metadata"]["labels"],
                "annotations": annotations, "ownerReferences": [owner],
            ],
            "spec": template["spec"],
        ]
    }
}
