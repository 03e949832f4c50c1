import Model

/// Which volume a claim gets: pure. (k8s.io/component-helpers/storage/volume, FindMatchingVolume)
enum VolumeMatch {
    /// The smallest volume that has room for the claim, or the one that somebody keeps for it.
    /// `node`: one that has to reach it. `onlyReserved`: who waits for a pod takes only what is kept for it.
    static func best(
        for claim: PersistentVolumeClaim, among volumes: [PersistentVolume], on node: Node? = nil, onlyReserved: Bool = false
    ) -> PersistentVolume? {
        let selector = claim.spec["selector"]
        var found: PersistentVolume?
        for volume in volumes.sorted(by: { $0.name < $1.name }) {
            if volume.isBeingDeleted || volume.mode != claim.mode { continue }
            let isReserved = volume.isKept(for: claim)
            if isReserved {
                if volume.capacity < claim.request { continue }
                if let node, !volume.isReachable(from: node) { return nil }
                return volume
            }
            guard !onlyReserved, volume.claim.isNull, volume.phase == "Available" || volume.phase == "Pending",
                volume.className == claim.className ?? "",
                claim.accessModes.isSubset(of: volume.accessModes), volume.capacity >= claim.request,
                node.map(volume.isReachable) ?? true, selector.isNull || LabelSelector(selector).matches(volume.labels)
            else { continue }
            if found.map({ volume.capacity < $0.capacity }) ?? true { found = volume }
        }
        return found
    }

    /// What speaks against the very volume that a claim names. (upstream: checkVolumeSatisfyClaim)
    static func obstacle(_ volume: PersistentVolume, _ claim: PersistentVolumeClaim) -> String? {
        if volume.isBeingDeleted { return "the volume is marked for deletion \"\(volume.name)\"" }
        if volume.capacity < claim.request { return "requested PV is too small" }
        if volume.className != claim.className ?? "" { return "storageClassName does not match" }
        if volume.mode != claim.mode { return "incompatible volumeMode" }
        return claim.accessModes.isSubset(of: volume.accessModes) ? nil : "incompatible accessMode"
    }
}

extension PersistentVolume {
    /// Bound to the claim, or kept for whichever claim of that name comes.
    func isKept(for claim: PersistentVolumeClaim) -> Bool {
        guard claimKey == claim.key else { return false }
        let uid = self.claim["uid"].string ?? ""
        return uid.isEmpty || uid == claim.uid
    }
}
