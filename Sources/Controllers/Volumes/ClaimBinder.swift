import Model

/// Finds each claim a volume, or somebody who makes one, and says of each how it stands.
/// (k8s.io/kubernetes/pkg/controller/volume/persistentvolume, syncClaim)
package struct ClaimBinder: Reconciler {
    static let component = "persistentvolume-controller"
    private static let provisionerMarks = ["volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"]

    package init() {}

    package var sources: [Source] {
        [
            .own(.persistentVolumeClaims),
            // A volume that comes or is free may be what a claim waits for; one that changes concerns its own claim.
            Source(.persistentVolumes) { change, informers in
                let volumes = [change.old, change.new].compactMap { $0.map { PersistentVolume($0) } }
                let waiting = Self.claims(informers).filter { !$0.isBound }.map(\.key)
                return Array(Set(volumes.compactMap(\.claimKey) + waiting))
            },
            Source(.storageClasses) { _, informers in Self.claims(informers).filter { !$0.isBound }.map(\.key) },
            // Who uses a claim is what one that waits for its consumer says of itself.
            Source(.pods) { change, informers in
                guard change.old == nil || change.new == nil else { return [] }
                let pod = Pod(change.object)
                return PersistentVolumeClaim.names(of: pod).map { ObjectKey(pod.namespace, $0.claim) }
            },
        ]
    }

    private static func claims(_ informers: Informers) -> [PersistentVolumeClaim] { informers.list(PersistentVolumeClaim.self) }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let claim = try await client.find(PersistentVolumeClaim.self, key) else { return }
        if claim.annotations[PersistentVolumeClaim.bindCompleted] != nil { return try await keep(claim, client) }
        if claim.isBeingDeleted { return }
        if claim.volumeName.isEmpty { try await look(claim, client) } else { try await take(claim, client) }
    }

    // MARK: A claim without a volume

    private func look(_ claim: PersistentVolumeClaim, _ client: any Client) async throws {
        if claim.className == nil, let chosen = StorageClass.ofChoice(try await client.list(StorageClass.self)) {
            // A default that came after the claim. (KEP-3333)
            _ = try await client.patch(.persistentVolumeClaims, claim.key, ["spec": ["storageClassName": .string(chosen.name)]])
            return
        }
        let name = claim.className ?? ""
        let storage = name.isEmpty ? nil : try await client.find(StorageClass.self, ObjectKey("", name))
        let isDelayed = (storage?.waitsForConsumer ?? false) && claim.annotations[PersistentVolumeClaim.selectedNode] == nil
        let volumes = try await client.list(PersistentVolume.self)
        if let volume = VolumeMatch.best(for: claim, among: volumes, onlyReserved: isDelayed) {
            return try await bind(volume, claim, client)
        }
        if isDelayed {
            let pods = try await client.list(Pod.self, namespace: claim.namespace)
            let user = pods.first { pod in
                pod.nodeName == nil && pod.isActive && PersistentVolumeClaim.names(of: pod).contains { $0.claim == claim.name }
            }
            await tell(
                claim, user == nil ? "WaitForFirstConsumer" : "WaitForPodScheduled",
                user.map { "waiting for pod \($0.name) to be scheduled" } ?? "waiting for first consumer to be created before binding",
                client)
        } else if name.isEmpty {
            await tell(
                claim, "FailedBinding", "no persistent volumes available for this claim and no storage class is set", client)
        } else {
            try await ask(claim, name, storage, client)
        }
        try await wait(claim, client)
    }

    /// Leaves the making of a volume to the class' provisioner.
    private func ask(_ claim: PersistentVolumeClaim, _ name: String, _ storage: StorageClass?, _ client: any Client) async throws {
        guard let storage else {
            return await tell(
                claim, "ProvisioningFailed", "storageclass.storage.k8s.io \"\(name)\" not found", type: "Warning", client)
        }
        let provisioner = storage.provisioner
        if provisioner == "kubernetes.io/no-provisioner" {
            return await tell(
                claim, "FailedBinding", "no persistent volumes available for this claim and no storage class is set", client)
        }
        if Self.provisionerMarks.contains(where: { claim.annotations[$0] != provisioner }) {
            let marks = JSON.object(JSONObject(uniqueMembers: Self.provisionerMarks.map { ($0, .string(provisioner)) }))
            _ = try await client.patch(.persistentVolumeClaims, claim.key, ["metadata": ["annotations": marks]])
        }
        await tell(
            claim, "ExternalProvisioning",
            "Waiting for a volume to be created either by the external provisioner '\(provisioner)' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.",
            client)
    }

    /// The volume that a claim names.
    private func take(_ claim: PersistentVolumeClaim, _ client: any Client) async throws {
        guard let volume = try await client.find(PersistentVolume.self, ObjectKey("", claim.volumeName)) else {
            return try await wait(claim, client)
        }
        if volume.claim.isNull {
            if let obstacle = VolumeMatch.obstacle(volume, claim) {
                await tell(
                    claim, "VolumeMismatch", "Cannot bind to requested volume \"\(volume.name)\": \(obstacle)", type: "Warning", client)
                return try await wait(claim, client)
            }
            return try await bind(volume, claim, client)
        }
        if volume.isKept(for: claim) { return try await bind(volume, claim, client) }
        if claim.annotations[PersistentVolumeClaim.boundByController] == nil {
            await tell(
                claim, "FailedBinding", "volume \"\(volume.name)\" already bound to a different claim.", type: "Warning", client)
        }
        try await wait(claim, client)
    }

    // MARK: A claim that had one

    private func keep(_ claim: PersistentVolumeClaim, _ client: any Client) async throws {
        if claim.volumeName.isEmpty {
            return try await lose(
                claim, "ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!", client)
        }
        guard let volume = try await client.find(PersistentVolume.self, ObjectKey("", claim.volumeName)) else {
            return try await lose(claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!", client)
        }
        if volume.claim.isNull || volume.isKept(for: claim) { return try await bind(volume, claim, client) }
        try await lose(
            claim, "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly", client)
    }

    private func lose(_ claim: PersistentVolumeClaim, _ reason: String, _ words: String, _ client: any Client) async throws {
        if claim.phase == "Lost" { return }
        _ = try await client.updateStatus(.persistentVolumeClaims, claim.with(status: ["phase": "Lost"]))
        await tell(claim, reason, words, type: "Warning", client)
    }

    private func wait(_ claim: PersistentVolumeClaim, _ client: any Client) async throws {
        guard claim.status["phase"].string != "Pending" else { return }
        _ = try await client.updateStatus(.persistentVolumeClaims, claim.with(status: ["phase": "Pending"]))
    }

    // MARK: Binding

    /// Writes both sides, the volume's first: who fails in between goes on from there.
    private func bind(_ volume: PersistentVolume, _ claim: PersistentVolumeClaim, _ client: any Client) async throws {
        if volume.claim["uid"].string != claim.uid {
            _ = try await client.update(.persistentVolumes, volume.claimed(by: claim))
        }
        var bound = claim
        if claim.volumeName.isEmpty {
            bound.json["spec"]["volumeName"] = .string(volume.name)
            bound.json["metadata"]["annotations"][PersistentVolumeClaim.boundByController] = "yes"
        }
        bound.json["metadata"]["annotations"][PersistentVolumeClaim.bindCompleted] = "yes"
        if bound != claim { bound = PersistentVolumeClaim(try await client.update(.persistentVolumeClaims, bound.json)) }
        var status = claim.status
        status["phase"] = "Bound"
        status["accessModes"] = volume.spec["accessModes"]
        // What it grows to is told by whoever makes it grow.
        if claim.phase != "Bound" || status["capacity"].isNull { status["capacity"] = volume.spec["capacity"] }
        if status != claim.status { _ = try await client.updateStatus(.persistentVolumeClaims, bound.with(status: status)) }
    }

    private func tell(
        _ claim: PersistentVolumeClaim, _ reason: String, _ words: String, type: String = "Normal", _ client: any Client
    ) async {
        await client.recordEvent(about: claim, type: type, reason: reason, message: words, component: Self.component)
    }
}

extension Object {
    func with(status: JSON) -> JSON {
        var object = json
        object["status"] = status
        return object
    }
}

extension PersistentVolume {
    /// The volume as it is when it is the claim's; whoever finds it by itself says so.
    func claimed(by claim: PersistentVolumeClaim) -> JSON {
        var volume = json
        if self.claim.isNull { volume["metadata"]["annotations"][PersistentVolumeClaim.boundByController] = "yes" }
        volume["spec"]["claimRef"] = [
            "kind": "PersistentVolumeClaim", "namespace": .string(claim.namespace), "name": .string(claim.name), "uid": .string(claim.uid),
            "apiVersion": "v1", "resourceVersion": .string(claim.resourceVersion),
        ]
        return volume
    }
}
