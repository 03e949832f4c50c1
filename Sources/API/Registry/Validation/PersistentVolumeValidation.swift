import Model

/// What a volume may be said to be. (k8s.io/kubernetes/pkg/apis/core/validation, ValidatePersistentVolume and ...Update)
enum PersistentVolumeValidation {
    private typealias Cause = StatusError.Cause

    /// In the order in which Kubernetes looks: the first that is given counts, each further one is one too many.
    static let sources = [
        "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs", "iscsi",
        "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "scaleIO",
        "local", "storageos", "csi",
    ]

    static func validate(_ object: JSON, _ old: JSON?, _ context: ValidationContext) -> [StatusError.Cause] {
        let spec = object["spec"]
        var causes = self.spec(spec, "spec")
        guard let old else { return causes }
        // Kubernetes looks twice at what an update says, and tells it twice.
        causes += causes
        let then = old["spec"]
        if sources.contains(where: { spec[$0] != then[$0] }) {
            causes.append(.forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"))
        }
        if spec["volumeMode"] != then["volumeMode"] { causes.append(.invalid("volumeMode", spec["volumeMode"], "field is immutable")) }
        if !then["nodeAffinity"].isNull, spec["nodeAffinity"] != then["nodeAffinity"] {
            causes.append(
                .invalid("nodeAffinity", spec["nodeAffinity"], "field is immutable, except for updating from beta label to GA"))
        }
        return causes
    }

    private static func spec(_ spec: JSON, _ path: String) -> [Cause] {
        var causes: [Cause] = []
        if spec["accessModes"].items.isEmpty { causes.append(.required("\(path).accessModes")) }
        causes += accessModes(spec["accessModes"], "\(path).accessModes") + capacity(spec["capacity"], "\(path).capacity")
        causes += affinity(spec["nodeAffinity"], "\(path).nodeAffinity") + source(spec, path)
        if let name = spec["storageClassName"].string, !name.isEmpty {
            causes += Names.each("\(path).storageClassName", name, Names.subdomainComplaints(name))
        }
        if spec["hostPath"]["path"].string.map(isRoot) ?? false, spec["persistentVolumeReclaimPolicy"] == "Recycle" {
            causes.append(.forbidden("\(path).persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"))
        }
        return causes
    }

    private static func isRoot(_ path: String) -> Bool { !path.isEmpty && path.allSatisfy { $0 == "/" } }

    static func accessModes(_ modes: JSON, _ path: String) -> [StatusError.Cause] {
        let given = modes.items
        var causes: [Cause] = []
        for mode in given where !ClaimValidation.modes.contains(mode.string ?? "") {
            causes.append(.notSupported(path, mode.isNull ? "" : mode, ClaimValidation.modes.map { "\"\($0)\"" }.joined(separator: ", ")))
        }
        if given.count > 1, given.contains("ReadWriteOncePod") {
            causes.append(.forbidden(path, "may not use ReadWriteOncePod with other access modes"))
        }
        return causes
    }

    private static func capacity(_ capacity: JSON, _ path: String) -> [Cause] {
        let count = capacity.object?.count ?? 0
        var causes: [Cause] = count == 0 ? [.required(path)] : []
        if count != 1 || capacity["storage"].isNull {
            causes.append(.notSupported(path, count == 0 ? .null : capacity, "\"storage\""))
        }
        for name in capacity.stringMap.keys.sorted() where name == "storage" {
            causes += positive(capacity[name], "\(path)[\(name)]")
        }
        return causes
    }

    /// An amount that is neither negative nor nothing. (ValidatePositiveQuantityValue behind validateBasicResource)
    private static func positive(_ amount: JSON, _ path: String) -> [Cause] {
        guard let value = amount.string.flatMap({ Quantity($0) }), value.nano <= 0 else { return [] }
        let below: [Cause] =
            value.nano < 0 ? [.invalid(path, .int(Int(clamping: value.nano / 1_000_000_000)), "must be a valid resource quantity")] : []
        return below + [.invalid(path, amount, "must be greater than zero")]
    }

    private static func affinity(_ affinity: JSON, _ path: String) -> [Cause] {
        guard !affinity.isNull else { return [] }
        let terms = "\(path).required.nodeSelectorTerms"
        guard !affinity["required"].isNull else { return [.required("\(path).required", "must specify required node constraints")] }
        let list = affinity["required"]["nodeSelectorTerms"].items
        if list.isEmpty { return [.required(terms, "must have at least one node selector term")] }
        return list.enumerated().flatMap { AffinityValidation.term($1, "\(terms)[\($0)]") }
    }

    private static func source(_ spec: JSON, _ path: String) -> [Cause] {
        let given = sources.filter { !spec[$0].isNull }
        guard let first = given.first else { return [.required(path, "must specify a volume type")] }
        var causes: [Cause] = given.dropFirst().map { .forbidden("\(path).\($0)", "may not specify more than 1 volume type") }
        let source = spec[first], here = "\(path).\(first)"
        if first == "local" {
            let place = source["path"].string ?? ""
            if place.isEmpty { causes.append(.required("\(here).path")) }
            if place.split(separator: "/").contains("..") {
                causes.append(.invalid("\(here).path", source["path"], "must not contain '..'"))
            }
            if spec["nodeAffinity"].isNull { causes.append(.required("spec.nodeAffinity", "Local volume requires node affinity")) }
        } else {
            causes += VolumeValidation.source(source, first, here)
        }
        if first == "csi", (source["volumeHandle"].string ?? "").isEmpty { causes.append(.required("\(here).volumeHandle")) }
        return causes
    }
}
