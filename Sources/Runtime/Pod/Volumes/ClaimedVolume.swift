import Glibc
import Host
import Model

/// A volume that a pod has by a claim: a path on the pod's node.
struct ClaimedVolume {
    let path: String
    let isReadOnly: Bool
    let claim: ObjectKey
    /// Only one pod may have it.
    let isExclusive: Bool
    /// Whether its files may be given to a pod's group: not those of a `hostPath`, which are the node's.
    let isShareable: Bool
    private let volume: PersistentVolume

    static func isSuch(_ volume: JSON) -> Bool { !volume["persistentVolumeClaim"].isNull || !volume["ephemeral"].isNull }

    /// The volume that the claim is bound to. (k8s.io/kubernetes/pkg/kubelet/volumemanager/populator)
    static func find(_ volume: JSON, of pod: Pod, on node: String, _ client: any Client) async throws -> ClaimedVolume {
        let name = volume["name"].string ?? ""
        let claimName = volume["persistentVolumeClaim"]["claimName"].string ?? "\(pod.name)-\(name)"
        let key = ObjectKey(pod.namespace, claimName)
        func unusable(_ words: String) -> MountError { .unprocessed(name, "error processing PVC \(key): \(words)") }
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
        for (field, mode) in [("volumeMounts", "Filesystem"), ("volumeDevices", "Block")]
        where held.mode != mode && pod.names(name, in: field) {
            throw MountError.unprocessed(name, "volume \(name) has volumeMode \(held.mode), but is specified in \(field)")
        }
        let home = try await client.find(Node.self, ObjectKey("", node))
        if let home, !held.isReachable(from: home) {
            throw MountError.failed(held.name, "no matching NodeSelectorTerms", step: "MountVolume.NodeAffinity check failed")
        }
        return try ClaimedVolume(held, key, isReadOnly: volume["persistentVolumeClaim"]["readOnly"].bool ?? false)
    }

    init(_ volume: PersistentVolume, _ claim: ObjectKey, isReadOnly: Bool) throws(MountError) {
        (self.volume, self.claim) = (volume, claim)
        if volume.mode == "Block" {
            var refusal = MountError.failed(
                volume.name, "minik maps no block devices into containers", step: "MapVolume.SetUpDevice failed")
            refusal.reason = "FailedMapVolume"
            throw refusal
        }
        isShareable = volume.spec["hostPath"].isNull
        guard let path = volume.spec[isShareable ? "local" : "hostPath"]["path"].string else {
            let kind =
                (volume.spec.object?.keys ?? []).first { ["nfs", "csi", "iscsi", "fc", "rbd", "cephfs"].contains($0) } ?? "this kind"
            throw .failed(volume.name, "minik mounts persistent volumes of hostPath and local, and \"\(volume.name)\" is of \(kind)")
        }
        self.path = path
        isExclusive = volume.accessModes == ["ReadWriteOncePod"]
        self.isReadOnly = try Self.isReadOnly(volume, mountable: isShareable) || isReadOnly
    }

    /// What the volume's mount options come to. They are those of a bind mount. (mount(8))
    private static func isReadOnly(_ volume: PersistentVolume, mountable: Bool) throws(MountError) -> Bool {
        let written = volume.annotations["volume.beta.kubernetes.io/mount-options"] ?? ""
        let options = (volume.spec["mountOptions"].items.compactMap(\.string) + [written]).flatMap { $0.split(separator: ",") }
        if options.isEmpty { return false }
        guard mountable else {
            throw .failed(
                volume.name, "Mount options are not supported for this volume type", step: "MountVolume.MountOptionSupport check failed")
        }
        var isReadOnly = false
        for option in options {
            switch option {
            case "ro": isReadOnly = true
            case "rw": isReadOnly = false
            case "bind", "rbind", "defaults": break
            default:
                throw .failed(volume.name, "mount failed: bad option \"\(option)\": minik mounts a directory with ro, rw, bind or defaults")
            }
        }
        return isReadOnly
    }

    /// Makes what may be made; a local volume has to be there.
    func prepare(on root: NodeRoot) throws {
        guard isShareable else {
            do { return try HostPath(volume.spec["hostPath"]).prepare(on: root) } catch { throw failed("\(error)") }
        }
        func uninitialized(_ words: String) -> MountError {
            .failed(volume.name, words, step: "MountVolume.NewMounter initialization failed")
        }
        guard let type = try root.type(of: path) else { throw uninitialized("path \"\(path)\" does not exist") }
        if type == S_IFBLK { throw uninitialized("\"\(path)\" is a block device, and minik makes no file systems on such") }
        if type != S_IFDIR { throw uninitialized("only directory and block device are supported") }
    }

    func failed(_ problem: String) -> MountError { .failed(volume.name, problem) }
}

extension Pod {
    /// Whether one of its containers has the volume in its `volumeMounts`, or its `volumeDevices`.
    func names(_ volume: String, in field: String) -> Bool {
        allContainers.contains { $0.json[field].items.contains { $0["name"].string == volume } }
    }
}
