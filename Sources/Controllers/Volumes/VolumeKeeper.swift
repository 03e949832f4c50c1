import Model

/// Says of each volume whose it is, and does with it what its policy wants when its claim is gone.
/// (k8s.io/kubernetes/pkg/controller/volume/persistentvolume, syncVolume)
package struct VolumeKeeper: Reconciler {
    private let disks: any VolumeDisks
    private let now: @Sendable () -> Timestamp

    package init(disks: any VolumeDisks, now: @escaping @Sendable () -> Timestamp = Timestamp.now) {
        self.disks = disks
        self.now = now
    }

    package var sources: [Source] {
        [
            .own(.persistentVolumes),
            Source(.persistentVolumeClaims) { change, informers in
                let claim = PersistentVolumeClaim(change.object)
                let held = informers.list(PersistentVolume.self).filter { $0.claimKey == claim.key }.map(\.key)
                return claim.volumeName.isEmpty ? held : Array(Set(held + [ObjectKey("", claim.volumeName)]))
            },
        ]
    }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard let volume = try await client.find(PersistentVolume.self, key) else { return }
        let uid = volume.claim["uid"].string ?? ""
        guard let claimKey = volume.claimKey, !uid.isEmpty else { return try await set(volume, "Available", nil, client) }
        guard let claim = try await client.find(PersistentVolumeClaim.self, claimKey), claim.uid == uid else {
            // What failed to go stays so, until somebody looks after it.
            if volume.phase != "Failed" { try await set(volume, "Released", nil, client) }
            return try await reclaim(volume, client)
        }
        if claim.volumeName == volume.name { return try await set(volume, "Bound", nil, client) }
        if claim.volumeName.isEmpty { return }
        // The claim took another one.
        if volume.provisioner != nil, volume.spec["persistentVolumeReclaimPolicy"] == "Delete" {
            try await set(volume, "Released", nil, client)
            return try await reclaim(volume, client)
        }
        try await free(volume, client)
    }

    private func free(_ volume: PersistentVolume, _ client: any Client) async throws {
        var free = volume.json
        if volume.annotations[PersistentVolumeClaim.boundByController] != nil {
            free["metadata"]["annotations"][PersistentVolumeClaim.boundByController] = .null
            free["spec"]["claimRef"] = .null
        } else {
            free["spec"]["claimRef"]["uid"] = .null
        }
        _ = try await client.update(.persistentVolumes, free)
    }

    private func reclaim(_ volume: PersistentVolume, _ client: any Client) async throws {
        switch volume.spec["persistentVolumeReclaimPolicy"].string {
        case "Delete":
            switch volume.provisioner {
            case StorageClass.localProvisioner: try await erase(volume, client)
            // Some other provisioner's to delete.
            case .some: return
            case nil where volume.isBeingDeleted: return
            case nil:
                try await fail(
                    volume, "VolumeFailedDelete",
                    "error getting deleter volume plugin for volume \"\(volume.name)\": no deletable volume plugin matched", client)
            }
        case "Recycle":
            try await fail(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!", client)
        default: return
        }
    }

    private func erase(_ volume: PersistentVolume, _ client: any Client) async throws {
        do { try await disks.delete(volume) } catch {
            try await fail(volume, "VolumeFailedDelete", "\(error)", client)
            throw error
        }
        try await client.delete(.persistentVolumes, volume.key)
    }

    private func fail(_ volume: PersistentVolume, _ reason: String, _ words: String, _ client: any Client) async throws {
        if volume.phase == "Failed", volume.status["message"].string == words { return }
        try await set(volume, "Failed", words, client)
        await client.recordEvent(about: volume, type: "Warning", reason: reason, message: words, component: ClaimBinder.component)
    }

    private func set(_ volume: PersistentVolume, _ phase: String, _ words: String?, _ client: any Client) async throws {
        guard volume.phase != phase || volume.status["message"].string != words else { return }
        var status: JSON = ["phase": .string(phase), "message": JSON(words)]
        status["lastPhaseTransitionTime"] =
            volume.phase == phase ? volume.status["lastPhaseTransitionTime"] : .string(now().description)
        guard let held = try await client.find(PersistentVolume.self, volume.key), held.uid == volume.uid else { return }
        _ = try await client.updateStatus(.persistentVolumes, held.with(status: status))
    }
}
