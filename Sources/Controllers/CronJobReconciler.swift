import Model

/// Makes a Job at each time of a schedule. (kubernetes.io/docs/concepts/workloads/controllers/cron-jobs)
package struct CronJobReconciler: Reconciler {
    private let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] { [.own(.cronJobs), .owner(.jobs, kind: "CronJob")] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let cron = try? await client.get(.cronJobs, key), cron["metadata"]["deletionTimestamp"].isNull else { return }
        let owner = OwnedPods(owner: cron, resource: .cronJobs, component: "cronjob-controller")
        let jobs = try await client.list(.jobs, namespace: key.namespace, selector: nil).items
            .filter { job in job["metadata"]["ownerReferences"].items.contains { $0["uid"].string == owner.uid && $0["controller"].bool == true } }
        var status = cron["status"]
        for job in jobs where job["status"]["conditions"].condition("Complete") == "True" {
            let time = job["status"]["completionTime"].string ?? ""
            if time > status["lastSuccessfulTime"].string ?? "" { status["lastSuccessfulTime"] = .string(time) }
        }
        var active = jobs.filter { !Self.isOver($0) }
        let policy = cron["spec"]["concurrencyPolicy"].string ?? "Allow"
        if let due = Self.due(cron, now()), cron["spec"]["suspend"].bool != true {
            if policy == "Forbid", !active.isEmpty {
                await owner.tell("JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid", client)
            } else {
                if policy == "Replace" {
                    for job in active { try await client.delete(.jobs, ObjectKey(key.namespace, job["metadata"]["name"].string ?? "")) }
                    active = []
                }
                if let made = try await start(cron, due, owner, client) { active.append(made) }
                status["lastScheduleTime"] = .string(due.description)
            }
        }
        let references: [JSON] = active.map { job in
            [
                "kind": "Job", "apiVersion": "batch/v1", "name": job["metadata"]["name"], "namespace": job["metadata"]["namespace"], "uid": job["metadata"]["uid"],
                "resourceVersion": job["metadata"]["resourceVersion"],
            ]
        }
        status["active"] = references.isEmpty ? .null : .array(references)
        try await forget(jobs, "Complete", keep: cron["spec"]["successfulJobsHistoryLimit"].int ?? 3, key, owner, client)
        try await forget(jobs, "Failed", keep: cron["spec"]["failedJobsHistoryLimit"].int ?? 1, key, owner, client)
        guard status != cron["status"] else { return }
        var current = cron
        current["status"] = status
        current["metadata"]["resourceVersion"] = .null
        _ = try await client.updateStatus(.cronJobs, current)
    }

    private static func isOver(_ job: JSON) -> Bool {
        ["Complete", "Failed"].contains { job["status"]["conditions"].condition($0) == "True" }
    }

    /// The last time of the schedule that has passed and has had no job yet.
    private static func due(_ cron: JSON, _ now: Timestamp) -> Timestamp? {
        guard let schedule = try? CronSchedule(cron["spec"]["schedule"].string ?? "") else { return nil }
        let since = (cron["status"]["lastScheduleTime"].string ?? cron["metadata"]["creationTimestamp"].string).flatMap(Timestamp.init) ?? now
        var last: Timestamp?
        var time = max(since, Timestamp(seconds: now.seconds - 100 * 86400))
        for _ in 0..<100_000 {
            guard let next = schedule.next(after: time), next <= now else { break }
            last = next
            time = next
        }
        if let last, let limit = cron["spec"]["startingDeadlineSeconds"].int, now.seconds - last.seconds > limit { return nil }
        return last
    }

    private func start(_ cron: JSON, _ time: Timestamp, _ owner: OwnedPods, _ client: any Client) async throws -> JSON? {
        let template = cron["spec"]["jobTemplate"]
        var annotations = template["metadata"]["annotations"].stringMap
        annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"] = time.description
        let name = "\(owner.name)-\(time.seconds / 60)"
        do {
            let job = try await client.create(
                .jobs,
                [
                    "apiVersion": "batch/v1", "kind": "Job",
                    "metadata": [
                        "name": .string(name), "namespace": .string(owner.namespace), "labels": template["metadata"]["labels"], "annotations": JSON(annotations),
                        "ownerReferences": [owner.reference],
                    ],
                    "spec": template["spec"],
                ])
            await owner.tell("SuccessfulCreate", "Created job \(name)", client)
            return job
        } catch let error as StatusError where error.reason == "AlreadyExists" { return nil }
    }

    private func forget(_ jobs: [JSON], _ condition: String, keep: Int, _ key: ObjectKey, _ owner: OwnedPods, _ client: any Client) async throws {
        let over = jobs.filter { $0["status"]["conditions"].condition(condition) == "True" }
            .sorted { ($0["status"]["startTime"].string ?? "") < ($1["status"]["startTime"].string ?? "") }
        for job in over.dropLast(keep) {
            let name = job["metadata"]["name"].string ?? ""
            try await client.delete(.jobs, ObjectKey(key.namespace, name))
            await owner.tell("SuccessfulDelete", "Deleted job \(name)", client)
        }
    }

    package func nextVisit(_ key: ObjectKey, _ client: any Client) async -> Duration? {
        guard let cron = try? await client.get(.cronJobs, key), cron["spec"]["suspend"].bool != true,
            let schedule = try? CronSchedule(cron["spec"]["schedule"].string ?? ""), let next = schedule.next(after: now())
        else { return nil }
        return .milliseconds(max(100, (next.seconds - now().seconds) * 1000))
    }
}
