import Model

/// What a pod's claims ask of its node, and what has to be bound before the pod can be.
/// (k8s.io/kubernetes/pkg/scheduler/framework/plugins/volumebinding and volumerestrictions)
struct VolumeBinding {
    /// Of bound claims.
    private(set) var bound: [PersistentVolume] = []
    /// Those whose volume waits for the pod's node, with their classes.
    private(set) var waiting: [(claim: PersistentVolumeClaim, storage: StorageClass)] = []
    private var volumes: [PersistentVolume] = []
    /// Nodes of pods that use a claim which only one pod may use.
    private var isExclusiveInUse = false

    /// Why no node at all would do.
    struct Refusal: Error { let words: String }

    /// nil: the pod has no claims.
    static func of(_ pod: Pod, _ client: any Client) async throws -> VolumeBinding? {
        let names = PersistentVolumeClaim.names(of: pod)
        if names.isEmpty { return nil }
        var binding = VolumeBinding()
        binding.volumes = try await client.list(PersistentVolume.self)
        var isImmediateUnbound = false
        for (_, name, isEphemeral) in names {
            guard let claim = try await client.find(PersistentVolumeClaim.self, ObjectKey(pod.namespace, name)) else {
                throw Refusal(
                    words: isEphemeral
                        ? "waiting for ephemeral volume controller to create the persistentvolumeclaim \"\(name)\""
                        : "persistentvolumeclaim \"\(name)\" not found")
            }
            if isEphemeral, claim.metadata.controller?["uid"].string != pod.uid {
                throw Refusal(
                    words: "PVC \"\(pod.namespace)/\(name)\" was not created for pod \"\(pod.key)\" (pod is not the owner)")
            }
            if claim.phase == "Lost" {
                throw Refusal(words: "persistentvolumeclaim \"\(name)\" bound to non-existent persistentvolume \"\(claim.volumeName)\"")
            }
            if claim.isBeingDeleted { throw Refusal(words: "persistentvolumeclaim \"\(name)\" is being deleted") }
            if claim.isExclusive, try await binding.isUsed(claim, beside: pod, client) { binding.isExclusiveInUse = true }
            if claim.isBound {
                if let volume = binding.volumes.first(where: { $0.name == claim.volumeName }) { binding.bound.append(volume) }
                continue
            }
            let storage = try await claim.className.flatMapAsync { try await client.find(StorageClass.self, ObjectKey("", $0)) }
            if let storage, storage.waitsForConsumer, claim.volumeName.isEmpty {
                binding.waiting.append((claim, storage))
            } else {
                isImmediateUnbound = true
            }
        }
        if isImmediateUnbound { throw Refusal(words: "pod has unbound immediate PersistentVolumeClaims") }
        return binding
    }

    private func isUsed(_ claim: PersistentVolumeClaim, beside pod: Pod, _ client: any Client) async throws -> Bool {
        try await client.list(Pod.self, namespace: pod.namespace).contains { other in
            other.uid != pod.uid && other.nodeName != nil && other.isActive
                && PersistentVolumeClaim.names(of: other).contains { $0.claim == claim.name }
        }
    }

    /// What speaks against a node.
    func obstacle(_ node: Node) -> String? {
        if isExclusiveInUse { return "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode" }
        if !bound.allSatisfy({ $0.isReachable(from: node) }) { return "node(s) didn't match PersistentVolume's node affinity" }
        return choices(node) == nil ? "node(s) didn't find available persistent volumes to bind" : nil
    }

    /// What is to be bound on a node: a volume that is there, or nil for one that is to be made; nil: it cannot be.
    private func choices(_ node: Node) -> [(claim: PersistentVolumeClaim, volume: PersistentVolume?)]? {
        var left = volumes, result: [(PersistentVolumeClaim, PersistentVolume?)] = []
        // The smallest first, so that it does not take what only a larger one needs.
        for (claim, storage) in waiting.sorted(by: { $0.claim.request < $1.claim.request }) {
            if let selected = claim.annotations[PersistentVolumeClaim.selectedNode] {
                if selected != node.name { return nil }
                result.append((claim, nil))
                continue
            }
            if let volume = VolumeMatch.best(for: claim, among: left, on: node) {
                left.removeAll { $0.name == volume.name }
                result.append((claim, volume))
            } else if storage.provisioner != "kubernetes.io/no-provisioner", storage.allows(node) {
                result.append((claim, nil))
            } else {
                return nil
            }
        }
        return result
    }

    /// Binds what waits for the node; the controllers go on from there. True: nothing is left to wait for.
    func bind(on node: Node, _ client: any Client) async throws -> Bool {
        guard !waiting.isEmpty, let choices = choices(node) else { return true }
        for (claim, volume) in choices {
            if let volume {
                _ = try await client.update(.persistentVolumes, volume.claimed(by: claim))
            } else if claim.annotations[PersistentVolumeClaim.selectedNode] != node.name {
                let mark: JSON = ["metadata": ["annotations": [PersistentVolumeClaim.selectedNode: .string(node.name)]]]
                _ = try await client.patch(.persistentVolumeClaims, claim.key, mark)
            }
        }
        return false
    }
}

extension Optional {
    fileprivate func flatMapAsync<T>(_ body: (Wrapped) async throws -> T?) async throws -> T? {
        if let self { try await body(self) } else { nil }
    }
}
