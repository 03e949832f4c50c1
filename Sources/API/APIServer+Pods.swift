import Model
import Store

extension APIServer {
    /// Gives a pod its node.
    func bind(_ key: ObjectKey, to node: String) async throws {
        var pod = try await get(.pods, key)
        pod["spec"]["nodeName"] = .string(node)
        pod["status"]["conditions"].setCondition("PodScheduled", true, observedGeneration: pod["metadata"]["generation"].int, now: now())
        _ = try await store.update(.pods, pod, expected: pod["metadata"]["resourceVersion"].string)
    }

    /// Deletes a pod if its PodDisruptionBudget can spare it. (kubernetes.io/docs/concepts/scheduling-eviction/api-eviction)
    func evict(_ key: ObjectKey, _ options: DeleteOptions) async throws {
        let pod = try await get(.pods, key)
        let isDone = ["Succeeded", "Failed"].contains(pod["status"]["phase"].string) || !pod["metadata"]["deletionTimestamp"].isNull
        let budgets = await store.list(.podDisruptionBudgets, namespace: key.namespace).items.filter {
            !$0["spec"]["selector"].isNull && LabelSelector($0["spec"]["selector"]).matches(pod["metadata"]["labels"].stringMap)
        }
        if !isDone, let budget = budgets.first {
            guard budgets.count == 1 else {
                throw StatusError(500, "InternalError", "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
            }
            let name = budget["metadata"]["name"].string ?? ""
            let isReady = pod["status"]["conditions"].condition("Ready") == "True"
            let status = budget["status"]
            let mayGoUnready =
                !isReady
                && (budget["spec"]["unhealthyPodEvictionPolicy"].string == "AlwaysAllow" || status["currentHealthy"].int ?? 0 >= status["desiredHealthy"].int ?? 0)
            if !mayGoUnready {
                let isCurrent = (status["observedGeneration"].int ?? 0) >= (budget["metadata"]["generation"].int ?? 0)
                guard isCurrent, (status["disruptionsAllowed"].int ?? 0) > 0 else {
                    throw StatusError(
                        429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.",
                        causes: [
                            StatusError.Cause(
                                reason: "DisruptionBudget",
                                message: isCurrent
                                    ? "The disruption budget \(name) needs \(status["desiredHealthy"].int ?? 0) healthy pods and has \(status["currentHealthy"].int ?? 0) currently"
                                    : "The disruption budget \(name) is still being processed by the server.", field: "")
                        ])
                }
                if !options.isDryRun {
                    // Counted at once: the next eviction must not spend the same disruption.
                    var spent = budget
                    spent["status"]["disruptionsAllowed"] = .int((status["disruptionsAllowed"].int ?? 1) - 1)
                    spent["status"]["disruptedPods"][key.name] = .string(now().description)
                    _ = try await store.update(.podDisruptionBudgets, spent, expected: budget["metadata"]["resourceVersion"].string)
                }
            }
        }
        if options.isDryRun { return }
        var marked = pod
        marked["status"]["conditions"].setCondition(
            "DisruptionTarget", true, reason: "EvictionByEvictionAPI", message: "Eviction API: evicting", observedGeneration: pod["metadata"]["generation"].int,
            now: now())
        _ = try? await store.update(.pods, marked, expected: nil)
        _ = try await delete(try definition(.pods), key, options)
    }
}
