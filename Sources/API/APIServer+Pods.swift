import Model
import Store

extension APIServer {
    /// Gives a pod the node that a Binding names, and its labels and annotations.
    @discardableResult
    func bind(_ key: ObjectKey, _ binding: JSON, _ options: WriteOptions) async throws -> JSON {
        let kind = try definition(.pods), metadata = binding["metadata"]
        return try await retrying(metadata["resourceVersion"].isNull) {
            let old = try await get(.pods, key)
            var pod = old
            for field in ["uid", "resourceVersion"] where !metadata[field].isNull { pod["metadata"][field] = metadata[field] }
            pod["spec"]["nodeName"] = binding["target"]["name"]
            pod["status"]["conditions"].setCondition("PodScheduled", true, now: now())
            // The place that was kept for it, it has now. (KEP-5278)
            pod["status"]["nominatedNodeName"] = .null
            for field in ["annotations", "labels"] where !metadata[field].isNull {
                pod["metadata"][field] = pod["metadata"][field].merging(metadata[field])
            }
            return try await replace(kind, pod, old: old, subresource: "binding", options, Written(object: .null), managed: nil).object
        }
    }

    package func bind(_ key: ObjectKey, _ binding: JSON) async throws -> JSON { try await bind(key, binding, WriteOptions()) }

    /// Deletes a pod if its PodDisruptionBudget can spare it. (kubernetes.io/docs/concepts/scheduling-eviction/api-eviction)
    func evict(_ key: ObjectKey, _ options: DeleteOptions) async throws {
        let kind = try definition(.pods)
        let pod = try await retrying(true) { try await spendDisruption(key, options) }
        if options.isDryRun { return }
        var options = options
        // The pod that the budget spared, and no other of its name.
        if options.uid == nil { options.uid = pod["metadata"]["uid"].string }
        let marked = try await retrying(options.resourceVersion == nil) { () -> JSON? in
            guard var current = try await store.get(.pods, key), current["metadata"]["uid"] == pod["metadata"]["uid"] else { return nil }
            if let version = options.resourceVersion { current["metadata"]["resourceVersion"] = .string(version) }
            current["status"]["conditions"].setCondition(
                "DisruptionTarget", true, reason: "EvictionByEvictionAPI", message: "Eviction API: evicting",
                observedGeneration: current["metadata"]["generation"].int, now: now())
            return try await update(kind, current, subresource: "status", WriteOptions()).object
        }
        if options.resourceVersion != nil, let marked { options.resourceVersion = marked["metadata"]["resourceVersion"].string }
        _ = try await delete(kind, key, options)
    }

    /// The pod, which its PodDisruptionBudget can spare; noted there at once, since the next eviction must not spend the same disruption.
    private func spendDisruption(_ key: ObjectKey, _ options: DeleteOptions) async throws -> JSON {
        let pod = try await get(.pods, key)
        if let wanted = options.resourceVersion, wanted != pod["metadata"]["resourceVersion"].string {
            throw StatusError.conflict(.pods, key.name)
        }
        let isDone = ["Succeeded", "Failed"].contains(pod["status"]["phase"].string) || !pod["metadata"]["deletionTimestamp"].isNull
        let budgets = try await store.list(.podDisruptionBudgets, namespace: key.namespace).items.filter {
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
                    _ = try await update(try definition(.podDisruptionBudgets), spent, subresource: "status", WriteOptions())
                }
            }
        }
        return pod
    }
}
