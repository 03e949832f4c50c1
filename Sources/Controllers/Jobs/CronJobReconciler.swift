import Model

/// Makes a Job at each time of a schedule. (kubernetes.io/docs/concepts/workloads/controllers/cron-jobs)
package struct CronJobReconciler: Reconciler {
    private let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] { [.own(.cronJobs), .owner(.jobs, kind: "CronJob")] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let cron = try await client.find(CronJob.self, key) else { return }
        let owner = OwnedPods(owner: cron.json, resource: .cronJobs, component: "cronjob-controller")
        let jobs = try await client.list(Job.self, namespace: key.namespace, controller: cron.uid)
        var status = CronJobStatus(cron.status)
        for (type, reason, message) in status.observe(jobs) { await owner.tell(reason, message, type: type, client) }
        if !cron.isBeingDeleted {
            try await startIfDue(cron, jobs, &status, owner, client)
            for (condition, limit) in [("Complete", cron.successfulJobsHistoryLimit), ("Failed", cron.failedJobsHistoryLimit)] {
                for job in Self.oldest(jobs.filter { $0.has(condition) }, keep: limit) { try await delete(job, owner, client) }
            }
        }
        guard status.written != cron.status else { return }
        var changed = cron.json
        changed["status"] = status.written
        _ = try await client.updateStatus(.cronJobs, changed)
    }

    private func startIfDue(_ cron: CronJob, _ jobs: [Job], _ status: inout CronJobStatus, _ owner: OwnedPods, _ client: any Client)
        async throws
    {
        guard !cron.isSuspended else { return }
        let time = now(), due: Timestamp
        do {
            guard let found = try cron.due(time) else { return }
            if found.missed > 100 {
                let advice = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
                await owner.tell("TooManyMissedTimes", advice, type: "Warning", client)
            }
            due = found.time
        } catch {
            await owner.tell(error.reason, error.message, type: "Warning", client)
            return
        }
        if cron.concurrencyPolicy == "Forbid", !status.active.isEmpty {
            await owner.tell(
                "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid", client)
            return
        }
        if cron.concurrencyPolicy == "Replace" {
            for job in jobs where status.isActive(job) {
                try await delete(job, owner, client)
                status.forget(job.uid)
            }
        }
        guard let job = try await start(cron, due, owner, client) else { return }
        status.add(job)
        status.lastScheduleTime = due
    }

    /// The job of a time, made now or before; nil when its name is somebody else's.
    private func start(_ cron: CronJob, _ time: Timestamp, _ owner: OwnedPods, _ client: any Client) async throws -> Job? {
        let job = cron.job(at: time, owner: owner.reference)
        do {
            let made = Job(try await client.create(.jobs, job))
            await owner.tell("SuccessfulCreate", "Created job \(made.name)", client)
            return made
        } catch let error as StatusError where error.reason == .alreadyExists {
            let there = try await client.find(Job.self, ObjectKey(cron.namespace, job["metadata"]["name"].string ?? ""))
            return there?.controllerOwner?.uid == cron.uid ? there : nil
        } catch {
            await owner.tell("FailedCreate", "Error creating job: \(error)", type: "Warning", client)
            throw error
        }
    }

    private func delete(_ job: Job, _ owner: OwnedPods, _ client: any Client) async throws {
        guard !job.isBeingDeleted else { return }
        do { try await client.delete(.jobs, job.key, gracePeriod: nil, uid: job.uid) } catch let error as StatusError
            where error.reason == .notFound
        { return }
        await owner.tell("SuccessfulDelete", "Deleted job \(job.name)", client)
    }

    private static func oldest(_ jobs: [Job], keep: Int?) -> ArraySlice<Job> {
        guard let keep else { return [] }
        return jobs.sorted { ($0.startTime ?? Timestamp(seconds: .max), $0.name) < ($1.startTime ?? Timestamp(seconds: .max), $1.name) }
            .dropLast(keep)
    }

    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        // A schedule that nobody can read has no next time.
        guard let cron = try await client.find(CronJob.self, key), !cron.isSuspended, let next = try? cron.next(after: now()) else {
            return nil
        }
        let time = now()
        return .milliseconds(max(100, (next.seconds - time.seconds) * 1000 - time.nanoseconds / 1_000_000 + 10))
    }
}
