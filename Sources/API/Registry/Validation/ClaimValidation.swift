import Model

/// What a claim of storage may ask for, wherever it stands. (k8s.io/kubernetes/pkg/apis/core/validation, ValidatePersistentVolumeClaimSpec)
enum ClaimValidation {
    static let modes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]

    static func spec(_ spec: JSON, _ path: String) -> [StatusError.Cause] {
        let given = spec["accessModes"].items
        var causes: [StatusError.Cause] = []
        if given.isEmpty { causes.append(.required("\(path).accessModes", "at least 1 access mode is required")) }
        for mode in given where !modes.contains(mode.string ?? "") {
            causes.append(
                .notSupported("\(path).accessModes", mode, modes.map { "\"\($0)\"" }.joined(separator: ", ")))
        }
        if given.count > 1, given.contains("ReadWriteOncePod") {
            causes.append(.forbidden("\(path).accessModes", "may not use ReadWriteOncePod with other access modes"))
        }
        causes += SelectorRules.validate(spec["selector"], "\(path).selector")
        let size = spec["resources"]["requests"]["storage"]
        if let text = size.string {
            if let amount = Quantity(text), amount.nano <= 0 {
                causes.append(.invalid("\(path).resources[storage]", size, "must be greater than zero"))
            }
        } else {
            causes.append(.required("\(path).resources[storage]"))
        }
        if let name = spec["storageClassName"].string, !name.isEmpty {
            causes += Names.each("\(path).storageClassName", name, Names.subdomainComplaints(name))
        }
        for field in ["dataSource", "dataSourceRef"] where !spec[field].isNull {
            let source = spec[field]
            for part in ["name", "kind"] where (source[part].string ?? "").isEmpty { causes.append(.required("\(path).\(field).\(part)")) }
            if (source["apiGroup"].string ?? "").isEmpty, let kind = source["kind"].string, kind != "PersistentVolumeClaim" {
                causes.append(
                    .invalid(
                        "\(path).\(field)", .string(kind), "must be 'PersistentVolumeClaim' when referencing the default apiGroup"))
            }
        }
        return causes
    }

    /// What no update of a claim changes. (ValidatePersistentVolumeClaimUpdate)
    static func update(_ claim: JSON, old: JSON) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        var then = old["spec"], now = claim["spec"]
        let size = amount(now["resources"]["requests"]["storage"]), before = amount(then["resources"]["requests"]["storage"])
        // Whoever binds it names the volume, and a class that comes later is filled in.
        if (then["volumeName"].string ?? "").isEmpty { then["volumeName"] = now["volumeName"] }
        if then["storageClassName"].isNull { then["storageClassName"] = now["storageClassName"] }
        if old["status"]["phase"].string == "Bound" {
            now["resources"]["requests"]["storage"] = then["resources"]["requests"]["storage"]
            now["volumeAttributesClassName"] = then["volumeAttributesClassName"]
        }
        if then != now {
            causes.append(
                .forbidden(
                    "spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"))
        }
        if size < before, size <= amount(old["status"]["capacity"]["storage"]) {
            causes.append(.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"))
        }
        if claim["spec"]["volumeMode"] != old["spec"]["volumeMode"] {
            causes.append(.invalid("volumeMode", claim["spec"]["volumeMode"], "field is immutable"))
        }
        return causes
    }

    private static func amount(_ value: JSON) -> Int128 { value.string.flatMap { Quantity($0) }?.nano ?? 0 }
}
