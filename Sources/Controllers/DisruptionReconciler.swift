import Model

/// Says how many pods a PodDisruptionBudget can spare. (kubernetes.io/docs/tasks/run-application/configure-pdb)
package struct DisruptionReconciler: Reconciler {
    private let now: @Sendable () -> Timestamp

    package init(now: @escaping @Sendable () -> Timestamp = Timestamp.now) { self.now = now }

    package var sources: [Source] {
        [
            .own(.podDisruptionBudgets),
            Source(.pods) { change, informers in
                let labels = [change.old, change.new].compactMap { $0?.metadata.labels }
                let budgets = informers[.podDisruptionBudgets]?.list(namespace: change.key.namespace) ?? []
                return budgets.filter { budget in labels.contains { LabelSelector(budget["spec"]["selector"]).matches($0) } }.map(
                    \.metadata.key)
            },
        ]
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let budget = try await client.find(.podDisruptionBudgets, key), !budget.metadata.isBeingDeleted else { return }
        let selector = budget["spec"]["selector"]
        let pods =
            selector.isNull
            ? [] : try await client.list(Pod.self, namespace: key.namespace, selector: LabelSelector(selector)).filter { !$0.isFinished }
        let healthy = pods.filter { $0.isReady && !$0.isBeingDeleted && budget["status"]["disruptedPods"][$0.name].isNull }.count
        let spec = budget["spec"]
        if pods.isEmpty {
            await client.recordEvent(
                about: budget, .podDisruptionBudgets, reason: "NoPods", message: "No matching pods found", component: "controllermanager")
        }
        let expected: Int, desired: Int
        if let least = spec["minAvailable"].int {
            (expected, desired) = (pods.count, least)
        } else {
            expected = try await self.expected(pods, of: budget, client)
            desired =
                spec["maxUnavailable"].isNull
                ? scaled(spec["minAvailable"].isNull ? 1 : spec["minAvailable"], of: expected, roundUp: true)
                : max(0, expected - scaled(spec["maxUnavailable"], of: expected, roundUp: true))
        }
        let allowed = expected > 0 ? max(0, healthy - desired) : 0
        var status = budget["status"]
        status["expectedPods"] = .int(expected)
        status["currentHealthy"] = .int(healthy)
        status["desiredHealthy"] = .int(desired)
        status["disruptionsAllowed"] = .int(allowed)
        status["observedGeneration"] = budget["metadata"]["generation"]
        // A pod that an eviction spent is forgotten when it is gone.
        let names = Set(pods.map(\.name))
        let disrupted = (status["disruptedPods"].object ?? JSONObject()).filter { name, _ in names.contains(name) }
        status["disruptedPods"] =
            disrupted.isEmpty ? .null : .object(JSONObject(uniqueKeys: disrupted.map(\.0), values: disrupted.map(\.1)))
        var conditions = status["conditions"]
        conditions.setCondition(
            "DisruptionAllowed", allowed > 0, reason: allowed > 0 ? "SufficientPods" : "InsufficientPods", message: "",
            observedGeneration: budget["metadata"]["generation"].int, now: now())
        status["conditions"] = conditions
        guard status != budget["status"] else { return }
        var current = budget
        current["status"] = status
        // Nobody's eviction may be overwritten.
        _ = try await client.updateStatus(.podDisruptionBudgets, current)
    }

    /// How many pods there should be: what their controllers ask for.
    private func expected(_ pods: [Pod], of budget: JSON, _ client: any Client) async throws -> Int {
        let kinds: [String: Resource] = [
            "ReplicaSet": .replicaSets, "StatefulSet": .statefulSets, "ReplicationController": .replicationControllers,
        ]
        var seen: Set<String> = []
        var total = 0
        // Who is nobody's does not count: how many of it there should be, nobody says.
        if pods.contains(where: { $0.controllerOwner == nil }) { await tellUnmanaged(budget, client) }
        for pod in pods {
            guard let owner = pod.controllerOwner, let resource = kinds[owner.kind] else {
                if pod.controllerOwner != nil { total += 1 }
                continue
            }
            guard seen.insert(owner.uid).inserted else { continue }
            total += try await client.find(resource, ObjectKey(pod.namespace, owner.name))?["spec"]["replicas"].int ?? 1
        }
        return total
    }

    private func tellUnmanaged(_ budget: JSON, _ client: any Client) async {
        let message =
            "Pods selected by this PodDisruptionBudget (selector: \(Self.text(budget["spec"]["selector"]))) were found to be "
            + "unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account "
            + "for these pods please set \".spec.minAvailable\" field of the PDB to an integer value."
        await client.recordEvent(
            about: budget, .podDisruptionBudgets, type: "Warning", reason: "UnmanagedPods", message: message, component: "controllermanager"
        )
    }

    /// A selector as Go prints it.
    private static func text(_ selector: JSON) -> String {
        let labels = selector["matchLabels"].stringMap.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)," }.joined()
        let expressions = selector["matchExpressions"].items.map {
            "LabelSelectorRequirement{Key:\($0["key"].string ?? ""),Operator:\($0["operator"].string ?? ""),"
                + "Values:[\($0["values"].items.compactMap(\.string).joined(separator: " "))],},"
        }
        return
            "&LabelSelector{MatchLabels:map[string]string{\(labels)},MatchExpressions:[]LabelSelectorRequirement{\(expressions.joined())},}"
    }
}
