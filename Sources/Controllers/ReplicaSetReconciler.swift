import Model

/// Keeps as many pods of a template alive as a ReplicaSet asks for.
package struct ReplicaSetReconciler: Reconciler {
    package init() {}

    package var sources: [Source] {
        [
            .own(.replicaSets), .owner(.pods, kind: "ReplicaSet"),
            // A pod without an owner may be one that a ReplicaSet has to adopt.
            Source(.pods) { event, client in
                let pod = Pod(event.object)
                guard pod.controllerOwner == nil, !pod.labels.isEmpty, event.kind != .deleted else { return [] }
                let sets = (try? await client.list(ReplicaSet.self, namespace: pod.namespace)) ?? []
                return sets.filter { $0.selector.matches(pod.labels) }.map(\.key)
            },
        ]
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let set = try await client.find(ReplicaSet.self, key), !set.isBeingDeleted else { return }
        var mine: [Pod] = []
        for pod in try await client.list(Pod.self, namespace: key.namespace) {
            let isOurs = pod.controllerOwner?.uid == set.uid
            guard set.selector.matches(pod.labels) else {
                // Relabelled out of the set: it goes on living, as nobody's.
                if isOurs, !pod.isBeingDeleted { _ = try await client.patch(.pods, pod.key, ["metadata": ["ownerReferences": []]]) }
                continue
            }
            if isOurs {
                mine.append(pod)
            } else if pod.controllerOwner == nil, pod.isActive {
                mine.append(Pod(try await client.patch(.pods, pod.key, ["metadata": ["ownerReferences": [set.ownerReference]]])))
            }
        }
        // A finished pod of a ReplicaSet is replaced; its record goes.
        for pod in mine where pod.isFinished && !pod.isBeingDeleted { try await client.delete(.pods, pod.key) }
        let active = mine.filter(\.isActive)
        if active.count < set.replicas {
            for _ in active.count..<set.replicas { try await createPod(of: set, client) }
        } else if active.count > set.replicas {
            for pod in active.sorted(by: Self.isDeletedBefore).prefix(active.count - set.replicas) {
                try await client.delete(.pods, pod.key)
                await client.recordEvent(about: set, reason: "SuccessfulDelete", message: "Deleted pod: \(pod.name)", component: "replicaset-controller")
            }
        }
        try await writeStatus(set, active, client)
    }

    private func createPod(of set: ReplicaSet, _ client: any Client) async throws {
        var metadata = set.template["metadata"]
        metadata["generateName"] = .string("\(set.name)-")
        metadata["namespace"] = .string(set.namespace)
        metadata["ownerReferences"] = [set.ownerReference]
        do {
            let pod = try await client.create(.pods, ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": set.template["spec"]])
            await client.recordEvent(
                about: set, reason: "SuccessfulCreate", message: "Created pod: \(Pod(pod).name)", component: "replicaset-controller")
        } catch {
            await client.recordEvent(
                about: set, type: "Warning", reason: "FailedCreate", message: "Error creating: \(error)", component: "replicaset-controller")
            throw error
        }
    }

    private func writeStatus(_ set: ReplicaSet, _ pods: [Pod], _ client: any Client) async throws {
        let labels = set.template["metadata"]["labels"].stringMap
        let labelled = pods.filter { pod in labels.allSatisfy { pod.labels[$0.key] == $0.value } }
        let ready = pods.filter(\.isReady).count
        try await client.mutateStatus(ReplicaSet.self, set.key) { current in
            current.status = [
                "replicas": .int(pods.count), "fullyLabeledReplicas": .int(labelled.count), "readyReplicas": .int(ready),
                "availableReplicas": .int(ready), "observedGeneration": .int(set.generation),
            ]
        }
    }

    /// Which of two pods goes first: not scheduled, then not ready, then the younger
    /// (k8s.io/kubernetes/pkg/controller, ActivePodsWithRanks).
    private static func isDeletedBefore(_ a: Pod, _ b: Pod) -> Bool {
        if (a.nodeName == nil) != (b.nodeName == nil) { return a.nodeName == nil }
        if a.isReady != b.isReady { return !a.isReady }
        let created = (a.creationTimestamp ?? Timestamp(seconds: 0), b.creationTimestamp ?? Timestamp(seconds: 0))
        return created.0 == created.1 ? a.name > b.name : created.0 > created.1
    }
}
