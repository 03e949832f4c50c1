import Model

/// Makes the claims of pods' generic ephemeral volumes; they are the pod's, and go with it.
/// (k8s.io/kubernetes/pkg/controller/volume/ephemeral)
package struct EphemeralClaims: Reconciler {
    package init() {}

    package var sources: [Source] {
        [
            Source(.pods) { change, _ in
                guard let new = change.new, change.old == nil, Self.hasSuch(Pod(new)) else { return [] }
                return [change.key]
            },
            Source(.persistentVolumeClaims) { change, _ in
                change.new == nil ? change.controllers("Pod").map { ObjectKey(change.key.namespace, $0) } : []
            },
        ]
    }

    private static func hasSuch(_ pod: Pod) -> Bool { pod.spec["volumes"].items.contains { !$0["ephemeral"].isNull } }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let pod = try await client.find(Pod.self, key), !pod.isBeingDeleted, pod.isActive else { return }
        for volume in pod.spec["volumes"].items where !volume["ephemeral"].isNull {
            let name = "\(pod.name)-\(volume["name"].string ?? "")", template = volume["ephemeral"]["volumeClaimTemplate"]
            if let held = try await client.find(PersistentVolumeClaim.self, ObjectKey(pod.namespace, name)) {
                if held.metadata.controller?["uid"].string == pod.uid { continue }
                let words = "PVC \"\(pod.namespace)/\(name)\" was not created for pod \"\(key)\" (pod is not the owner)"
                await client.recordEvent(
                    about: pod, type: "Warning", reason: "FailedBinding",
                    message: "ephemeral volume \(volume["name"].string ?? ""): \(words)",
                    component: "ephemeral_volume")
                continue
            }
            var metadata: JSON = ["name": .string(name), "namespace": .string(pod.namespace)]
            for field in ["labels", "annotations"] { metadata[field] = template["metadata"][field] }
            metadata["ownerReferences"] = [
                [
                    "apiVersion": "v1", "kind": "Pod", "name": .string(pod.name), "uid": .string(pod.uid), "controller": true,
                    "blockOwnerDeletion": true,
                ]
            ]
            _ = try await client.create(
                .persistentVolumeClaims,
                ["apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": template["spec"]])
        }
    }
}
