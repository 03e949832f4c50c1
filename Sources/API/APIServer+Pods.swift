import Model
import Store

extension APIServer {
    /// Gives a pod its node.
    func bind(_ key: ObjectKey, to node: String) async throws {
        try await retrying(true) {
            var pod = try await get(.pods, key)
            if let already = pod["spec"]["nodeName"].string {
                throw StatusError(
                    409, .conflict,
                    "Operation cannot be fulfilled on pods/binding \"\(key.name)\": pod \(key.name) is already assigned to node \"\(already)\""
                )
            }
            pod["spec"]["nodeName"] = .string(node)
            pod["status"]["conditions"].setCondition(
                "PodScheduled", true, observedGeneration: pod["metadata"]["generation"].int, now: now())
            _ = try await store.update(.pods, pod, expected: pod["metadata"]["resourceVersion"].string)
        }
    }

    /// Deletes a pod if its PodDisruptionBudget can spare it. (kubernetes.io/docs/concepts/scheduling-eviction/api-eviction)
    func evict(_ key: ObjectKey, _ options: DeleteOptions) async throws {
        let pod = try await retrying(true) { try await spendDisruption(key, options) }
        if options.isDryRun { return }
        var options = options
        // The pod that the budget spared, and no other of its name.
        if options.uid == nil { options.uid = pod["metadata"]["uid"].string }
        try await retrying(true) {
            guard var marked = await store.get(.pods, key), marked["metadata"]["uid"] == pod["metadata"]["uid"] else { return }
            marked["status"]["conditions"].setCondition(
                "DisruptionTarget", true, reason: "EvictionByEvictionAPI", message: "Eviction API: evicting",
                observedGeneration: marked["metadata"]["generation"].int, now: now())
            _ = try await store.update(.pods, marked, expected: marked["metadata"]["resourceVersion"].string)
        }
        _ = try await delete(try definition(.pods), key, options)
    }

    /// The pod, which its PodDisruptionBudget can spare; noted there at once, since the next eviction must not spend the same disruption.
    private func spendDisruption(_ key: ObjectKey, _ options: DeleteOptions) async throws -> JSON {
        let pod = try await get(.pods, key)
        let isDone = ["Succeeded", "Failed"].contains(pod["status"]["phase"].string) || !pod["metadata"]["deletionTimestamp"].isNull
        let budgets = await store.list(.podDisruptionBudgets, namespace: key.namespace).items.filter {
            !$0["spec"]["selector"].isNull && LabelSelector($0["spec"]["selector"]).matches(pod["metadata"]["labels"].stringMap)
        }
        if !isDone, let budget = budgets.first {
            guard budgets.count == 1 else {
                throw StatusError(
                    500, .internalError, "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
            }
            let name = budget["metadata"]["name"].string ?? ""
            let isReady = pod["status"]["conditions"].condition("Ready") == "True"
            let status = budget["status"]
            let mayGoUnready =
                !isReady
                && (budget["spec"]["unhealthyPodEvictionPolicy"].string == "AlwaysAllow"
                    || status["currentHealthy"].int ?? 0 >= status["desiredHealthy"].int ?? 0)
            if !mayGoUnready {
                let isCurrent = (status["observedGeneration"].int ?? 0) >= (budget["metadata"]["generation"].int ?? 0)
                guard isCurrent, (status["disruptionsAllowed"].int ?? 0) > 0 else {
                    throw StatusError(
                        429, .tooManyRequests, "Cannot evict pod as it would violate the pod's disruption budget.",
                        causes: [
                            StatusError.Cause(
                                reason: "DisruptionBudget",
                                message: isCurrent
                                    ? "The disruption budget \(name) needs \(status["desiredHealthy"].int ?? 0) healthy pods and has \(status["currentHealthy"].int ?? 0) currently"
                                    : "The disruption budget \(name) is still being processed by the server.", field: "")
                        ])
                }
                if !options.isDryRun {
                    var spent = budget
                    spent["status"]["disruptionsAllowed"] = .int((status["disruptionsAllowed"].int ?? 1) - 1)
                    spent["status"]["disruptedPods"][key.name] = .string(now().description)
                    _ = try await store.update(.podDisruptionBudgets, spent, expected: budget["metadata"]["resourceVersion"].string)
                }
            }
        }
        return pod
    }
}
