import Model
import Store

/// What the API server's admission plugins make of claims: DefaultStorageClass, LimitRanger and PersistentVolumeClaimResize.
struct ClaimAdmission {
    let store: ObjectStore

    func admit(_ claim: inout JSON) async throws {
        let namespace = claim["metadata"]["namespace"].string ?? "default", name = claim["metadata"]["name"].string ?? ""
        if claim["spec"]["storageClassName"].isNull, claim["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"].isNull {
            let chosen = StorageClass.ofChoice(try await store.list(.storageClasses).items.map { StorageClass($0) })
            if let chosen { claim["spec"]["storageClassName"] = .string(chosen.name) }
        }
        let size = claim["spec"]["resources"]["requests"]["storage"].string
        guard let text = size, let amount = Quantity(text) else { return }
        var causes: [String] = []
        for range in try await store.list(.limitRanges, namespace: namespace).items {
            for limit in range["spec"]["limits"].items where limit["type"] == "PersistentVolumeClaim" {
                if let least = limit["min"]["storage"].string, let bound = Quantity(least), amount < bound {
                    causes.append("minimum storage usage per PersistentVolumeClaim is \(least), but request is \(text)")
                }
                if let most = limit["max"]["storage"].string, let bound = Quantity(most), amount > bound {
                    causes.append("maximum storage usage per PersistentVolumeClaim is \(most), but request is \(text)")
                }
            }
        }
        if causes.isEmpty { return }
        let list = causes.count == 1 ? causes[0] : "[\(causes.joined(separator: ", "))]"
        throw StatusError.forbidden("persistentvolumeclaims \"\(name)\" is forbidden: \(list)")
    }

    /// Only a volume that a class made, and whose class lets it, grows.
    func admitGrowth(_ claim: JSON, old: JSON) async throws {
        let now = PersistentVolumeClaim(claim), then = PersistentVolumeClaim(old)
        guard now.request > then.request else { return }
        func refuse(_ words: String) -> StatusError {
            .forbidden("persistentvolumeclaims \"\(now.name)\" is forbidden: \(words)")
        }
        if then.phase != "Bound" { return }
        let chosen = try await store.get(.storageClasses, ObjectKey("", then.className ?? ""))
        guard let chosen, StorageClass(chosen).allowsExpansion else {
            throw refuse(
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize")
        }
    }
}
