import Model

/// The two fields by which a claim says what its volume begins as; each follows from the other.
/// (k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim, NormalizeDataSources, and pkg/api/persistentvolumeclaim, DropDisabledFields)
enum ClaimSources {
    static func settle(_ spec: inout JSON) {
        let source = spec["dataSource"]
        if !source.isNull, !isCopied(source) { spec["dataSource"] = .null }
        let reference = spec["dataSourceRef"]
        if spec["dataSource"].isNull, !reference.isNull, (reference["namespace"].string ?? "").isEmpty {
            spec["dataSource"] = reference
        } else if !spec["dataSource"].isNull, reference.isNull {
            spec["dataSourceRef"] = spec["dataSource"]
        }
    }

    private static func isCopied(_ source: JSON) -> Bool {
        switch source["apiGroup"].string ?? "" {
        case "": source["kind"].string == "PersistentVolumeClaim"
        case "snapshot.storage.k8s.io": source["kind"].string == "VolumeSnapshot"
        default: false
        }
    }
}
