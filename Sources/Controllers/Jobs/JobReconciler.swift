import Model

/// Runs pods until enough of them have succeeded, or too many failed. (kubernetes.io/docs/concepts/workloads/controllers/job)
package struct JobReconciler: Reconciler {
    private let now: @Sendable () -> Timestamp
    private let backoffs = JobBackoffs()

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] { [.own(.jobs), .claimed(.pods, by: .jobs)] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let job = try await client.find(Job.self, key) else { return try await releaseOrphans(key, client) }
        let isOver = job.isFinished
        if isOver || job.isManagedElsewhere {
            await backoffs.forget(job.uid)
            if isOver, !job.isManagedElsewhere { try await releaseAll(job, client) }
            if isOver, !job.isBeingDeleted, let expiry = job.expiry, expiry <= now().seconds {
                try await client.delete(.jobs, key, gracePeriod: nil, uid: job.uid)
            }
            return
        }
        try await sync(job, client)
    }

    private func sync(_ job: Job, _ client: any Client) async throws {
        let owner = OwnedPods(owner: job.json, resource: .jobs, component: "job-controller")
        let pods = try await owner.claim(job.selector, finalizer: Job.finalizer, client)
        let plan = JobPlan(job, pods: pods, backoff: await backoffs[job.uid], now: now())
        var status = plan.status
        for pod in plan.deletions {
            if plan.deletesUncounted { try await release([pod], client) }
            try await owner.delete(pod, client)
        }
        // A pod that cannot be made, for want of quota perhaps, keeps nobody from learning how the job stands.
        var failure: (any Error)?
        for creation in plan.creations {
            do {
                try await create(creation, job, owner, client)
                status.active += 1
            } catch {
                failure = error
                break
            }
        }
        var written = try await write(status, job, client)
        await backoffs.set(plan.backoff, for: job.uid)
        for event in plan.events { await owner.tell(event.reason, event.message, client) }
        // Counted and written down: their records may go.
        try await release(plan.releases, client)
        let released = Set(plan.releases.map(\.uid))
        status.settle(tracked: Set(pods.filter { $0.isTracked && !released.contains($0.uid) }.map(\.uid)))
        if let ending = plan.ending, status.end(ending, now()) {
            written = try await write(status, written, client)
            await backoffs.forget(job.uid)
            await owner.tell(
                ending.isFailure ? ending.reason : "Completed", ending.isFailure ? ending.message : "Job completed",
                type: ending.isFailure ? "Warning" : "Normal", client
            )
        } else {
            _ = try await write(status, written, client)
        }
        if let failure { throw failure }
    }

    /// Nobody else must have written meanwhile: the numbers are those of what was read.
    private func write(_ status: JobStatus, _ job: Job, _ client: any Client) async throws -> Job {
        guard status.written != job.status else { return job }
        return Job(try await client.updateStatus(.jobs, job.with(status)))
    }

    private func create(_ creation: JobPlan.Creation, _ job: Job, _ owner: OwnedPods, _ client: any Client) async throws {
        var template = job.spec["template"]
        template["metadata"]["finalizers"] = .array(
            template["metadata"]["finalizers"].items.filter { $0.string != Job.finalizer } + [.string(Job.finalizer)])
        try await owner.create(template, client) { pod in
            guard let index = creation.index else { return }
            // A generated name has room for 58 characters before its random end.
            let suffix = "-\(index)-"
            pod["metadata"]["generateName"] = .string(owner.name.prefix(58 - suffix.count) + suffix)
            pod["metadata"]["annotations"][Job.indexAnnotation] = .string("\(index)")
            pod["metadata"]["labels"][Job.indexAnnotation] = .string("\(index)")
            pod["spec"]["hostname"] = .string("\(owner.name)-\(index)")
            if let failures = creation.failures {
                pod["metadata"]["annotations"][Job.failuresAnnotation] = .string("\(failures.counted)")
                if failures.ignored > 0 { pod["metadata"]["annotations"][Job.ignoredFailuresAnnotation] = .string("\(failures.ignored)") }
            }
            for list in ["initContainers", "containers"] {
                guard let containers = pod["spec"][list].array else { continue }
                pod["spec"][list] = .array(containers.map(Self.withIndex))
            }
        }
    }

    private static func withIndex(_ container: JSON) -> JSON {
        let name = "JOB_COMPLETION_INDEX"
        guard !container["env"].items.contains(where: { $0["name"].string == name }) else { return container }
        var container = container
        let variable: JSON = [
            "name": .string(name),
            "valueFrom": ["fieldRef": ["apiVersion": "v1", "fieldPath": .string("metadata.labels['\(Job.indexAnnotation)']")]],
        ]
        container["env"] = .array(container["env"].items + [variable])
        return container
    }

    // MARK: Finalizers

    private func release(_ pods: [Pod], _ client: any Client) async throws {
        for pod in pods where pod.isTracked {
            let rest = pod.json["metadata"]["finalizers"].items.filter { $0.string != Job.finalizer }
            do { _ = try await client.patch(.pods, pod.key, ["metadata": ["finalizers": .array(rest)]]) } catch let error as StatusError
                where error.reason == .notFound
            {
            }
        }
    }

    private func releaseAll(_ job: Job, _ client: any Client) async throws {
        try await release(try await client.list(Pod.self, namespace: job.namespace, controller: job.uid).filter(\.isTracked), client)
    }

    /// Pods of a job that is gone, with it as their owner or orphaned, wait for nobody's count.
    private func releaseOrphans(_ key: ObjectKey, _ client: any Client) async throws {
        let orphans = try await client.list(Pod.self, namespace: key.namespace).filter { pod in
            guard pod.isTracked else { return false }
            if let owner = pod.controllerOwner { return owner.kind == "Job" && owner.name == key.name }
            return pod.labels["batch.kubernetes.io/job-name"] == key.name
        }
        try await release(orphans, client)
    }

    package func nextVisit(_ key: ObjectKey, _ client: any Client) async throws -> Duration? {
        guard let job = try await client.find(Job.self, key) else { return nil }
        let time = now()
        if job.isFinished { return job.expiry.map { .seconds(max(1, $0 - time.seconds)) } }
        if job.isManagedElsewhere { return nil }
        let mine = try await client.list(Pod.self, namespace: key.namespace, controller: job.uid)
        // A day at the most: a deadline may be longer than anybody can sleep.
        return JobPlan(job, pods: mine, backoff: await backoffs[job.uid], now: time).delay.map { .seconds(min(max(1, $0), 86400)) }
    }
}
