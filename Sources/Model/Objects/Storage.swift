// Views of the kinds that have to do with storage.

package struct StorageClass: Object {
    package static let resource = Resource.storageClasses
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    package static let defaultMark = "storageclass.kubernetes.io/is-default-class"
    /// The provisioner of minik's own: directories on a node's disk.
    package static let localProvisioner = "minik.dev/local-path"

    package var isDefault: Bool {
        [Self.defaultMark, "storageclass.beta.kubernetes.io/is-default-class"].contains { annotations[$0] == "true" }
    }
    package var provisioner: String { json["provisioner"].string ?? "" }
    package var waitsForConsumer: Bool { json["volumeBindingMode"].string == "WaitForFirstConsumer" }
    package var allowsExpansion: Bool { json["allowVolumeExpansion"].bool ?? false }

    /// The one that a claim without a class gets: of several that are the default the newest, and of those of one second the first by name.
    /// (k8s.io/kubernetes/pkg/volume/util, GetDefaultClass)
    package static func ofChoice(_ classes: [StorageClass]) -> StorageClass? {
        classes.filter(\.isDefault).min { ($1.created, $0.name) < ($0.created, $1.name) }
    }
    private var created: String { json["metadata"]["creationTimestamp"].string ?? "" }
}

package struct PersistentVolume: Object {
    package static let resource = Resource.persistentVolumes
    package static let protection = "kubernetes.io/pv-protection"
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    package var phase: String { status["phase"].string ?? "" }
    package var claim: JSON { spec["claimRef"] }
    package var claimKey: ObjectKey? {
        claim.isNull ? nil : ObjectKey(claim["namespace"].string ?? "", claim["name"].string ?? "")
    }
    package var capacity: Quantity { spec["capacity"]["storage"].string.flatMap { Quantity($0) } ?? Quantity(0) }
    package var className: String { spec["storageClassName"].string ?? "" }
    package var mode: String { spec["volumeMode"].string ?? "Filesystem" }
    package var accessModes: Set<String> { Set(spec["accessModes"].items.compactMap(\.string)) }
    package var provisioner: String? { annotations["pv.kubernetes.io/provisioned-by"] }
}

package struct PersistentVolumeClaim: Object {
    package static let resource = Resource.persistentVolumeClaims
    package static let protection = "kubernetes.io/pvc-protection"
    package static let bindCompleted = "pv.kubernetes.io/bind-completed"
    package static let boundByController = "pv.kubernetes.io/bound-by-controller"
    package static let selectedNode = "volume.kubernetes.io/selected-node"
    package var json: JSON
    package init(_ json: JSON) { self.json = json }

    package var phase: String { status["phase"].string ?? "Pending" }
    package var volumeName: String { spec["volumeName"].string ?? "" }
    /// nil: whatever the default is.
    package var className: String? { spec["storageClassName"].string }
    package var request: Quantity { spec["resources"]["requests"]["storage"].string.flatMap { Quantity($0) } ?? Quantity(0) }
    package var mode: String { spec["volumeMode"].string ?? "Filesystem" }
    package var accessModes: Set<String> { Set(spec["accessModes"].items.compactMap(\.string)) }
    package var isBound: Bool { !volumeName.isEmpty && annotations[Self.bindCompleted] != nil }
    package var isExclusive: Bool { accessModes.contains("ReadWriteOncePod") }

    /// The claims of a pod's volumes, by the volumes' names. (k8s.io/component-helpers/storage/ephemeral, VolumeClaimName)
    package static func names(of pod: Pod) -> [(volume: String, claim: String, isEphemeral: Bool)] {
        pod.spec["volumes"].items.compactMap { volume in
            let name = volume["name"].string ?? ""
            if let claim = volume["persistentVolumeClaim"]["claimName"].string { return (name, claim, false) }
            return volume["ephemeral"].isNull ? nil : (name, "\(pod.name)-\(name)", true)
        }
    }
}
