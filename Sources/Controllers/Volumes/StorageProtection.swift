import Model

/// Keeps a claim that is deleted until no pod on a node uses it. (k8s.io/kubernetes/pkg/controller/volume/pvcprotection)
package struct ClaimProtection: Reconciler {
    package init() {}

    package var sources: [Source] {
        [
            .own(.persistentVolumeClaims),
            Source(.pods) { change, _ in
                let pod = Pod(change.object)
                return change.new == nil ? PersistentVolumeClaim.names(of: pod).map { ObjectKey(pod.namespace, $0.claim) } : []
            },
        ]
    }
    package var reads: [Resource] { [.pods] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let claim = try await client.find(PersistentVolumeClaim.self, key), claim.isBeingDeleted else { return }
        // Not of what is remembered: a pod may have been given its node just now, and a claim once let go does not come back.
        let pods = try await client.live.list(Pod.self, namespace: key.namespace)
        let isUsed = pods.contains { pod in
            pod.nodeName != nil && PersistentVolumeClaim.names(of: pod).contains { $0.claim == key.name }
        }
        if !isUsed { try await claim.release(PersistentVolumeClaim.protection, client) }
    }
}

/// Keeps a volume that is deleted as long as it is a claim's. (k8s.io/kubernetes/pkg/controller/volume/pvprotection)
package struct VolumeProtection: Reconciler {
    package init() {}

    package var sources: [Source] { [.own(.persistentVolumes)] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let volume = try await client.find(PersistentVolume.self, key), volume.isBeingDeleted, volume.phase != "Bound" else { return }
        try await volume.release(PersistentVolume.protection, client)
    }
}

extension Object {
    fileprivate func release(_ finalizer: String, _ client: any Client) async throws {
        let held = json["metadata"]["finalizers"].items, left = held.filter { $0.string != finalizer }
        guard left.count < held.count else { return }
        var object = json
        object["metadata"]["finalizers"] = .array(left)
        _ = try await client.update(Self.resource, object)
    }
}
