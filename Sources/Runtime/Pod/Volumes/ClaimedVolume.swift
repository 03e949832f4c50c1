import Glibc
import Host
import Model

/// A volume that a pod has by a claim: a path on the pod's node.
struct ClaimedVolume {
    let path: String
    let isReadOnly: Bool
    private let source: JSON

    struct Unusable: Error, CustomStringConvertible { let description: String }

    static func isSuch(_ volume: JSON) -> Bool { !volume["persistentVolumeClaim"].isNull || !volume["ephemeral"].isNull }

    /// The volume that the claim is bound to. (k8s.io/kubernetes/pkg/kubelet/volumemanager/populator)
    static func find(_ volume: JSON, of pod: Pod, on node: String, _ client: any Client) async throws -> ClaimedVolume {
        let name = volume["name"].string ?? ""
        let claimName = volume["persistentVolumeClaim"]["claimName"].string ?? "\(pod.name)-\(name)"
        let key = ObjectKey(pod.namespace, claimName)
        func unusable(_ words: String) -> Unusable { Unusable(description: "error processing PVC \(key): \(words)") }
        guard let claim = try await client.find(PersistentVolumeClaim.self, key) else {
            throw unusable("failed to fetch PVC from API server: persistentvolumeclaims \"\(claimName)\" not found")
        }
        if !volume["ephemeral"].isNull, claim.metadata.controller?["uid"].string != pod.uid {
            throw unusable("PVC \"\(key)\" was not created for pod \"\(pod.key)\" (pod is not the owner)")
        }
        if claim.isBeingDeleted, pod.status["startTime"].isNull { throw unusable("PVC is being deleted") }
        guard claim.phase == "Bound", !claim.volumeName.isEmpty else { throw unusable("PVC is not bound") }
        guard let held = try await client.find(PersistentVolume.self, ObjectKey("", claim.volumeName)),
            held.claim["uid"].string == claim.uid
        else { throw unusable("PV \"\(claim.volumeName)\" is not the claim's") }
        let home = try await client.find(Node.self, ObjectKey("", node))
        if let home, !held.isReachable(from: home) {
            throw Unusable(description: "MountVolume.NodeAffinity check failed for volume \"\(held.name)\" : no matching NodeSelectorTerms")
        }
        let source = held.spec["hostPath"].isNull ? held.spec["local"] : held.spec["hostPath"]
        guard let path = source["path"].string else {
            let kind = (held.spec.object?.keys ?? []).first { ["nfs", "csi", "iscsi", "fc", "rbd", "cephfs"].contains($0) } ?? "this kind"
            throw Unusable(description: "minik mounts persistent volumes of hostPath and local, and \"\(held.name)\" is of \(kind)")
        }
        let isReadOnly = volume["persistentVolumeClaim"]["readOnly"].bool ?? false
        return ClaimedVolume(path: path, isReadOnly: isReadOnly, source: held.spec)
    }

    /// Makes what may be made; a local volume has to be there.
    func prepare(on root: NodeRoot) throws {
        if !source["hostPath"].isNull { return try HostPath(source["hostPath"]).prepare(on: root) }
        if try root.type(of: path) == nil { throw Unusable(description: "path \"\(path)\" does not exist") }
    }
}
