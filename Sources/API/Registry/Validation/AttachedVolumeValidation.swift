import Model

/// Volumes of storage systems that Kubernetes itself once reached. (k8s.io/kubernetes/pkg/apis/core/validation, validateVolumeSource)
enum AttachedVolumeValidation {
    private static let managedDisk =
        "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
    private static let blob = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"

    static func causes(_ source: JSON, _ kind: String, _ path: String) -> [StatusError.Cause] {
        switch kind {
        case "azureDisk": azureDisk(source, path)
        case "fc": fibreChannel(source, path)
        case "iscsi": iSCSI(source, path)
        case "storageos":
            source["secretRef"].isNull || !(source["secretRef"]["name"].string ?? "").isEmpty
                ? [] : [.required("\(path).secretRef.name")]
        default: []
        }
    }

    private static func azureDisk(_ source: JSON, _ path: String) -> [StatusError.Cause] {
        let address = source["diskURI"].string ?? "", isManaged = source["kind"].string == "Managed"
        if address.isEmpty || source["kind"].isNull || address.hasPrefix(isManaged ? "/subscriptions/" : "https://") { return [] }
        return [.notSupported("\(path).diskURI", source["diskURI"], JSON.string(isManaged ? managedDisk : blob).text())]
    }

    private static func fibreChannel(_ source: JSON, _ path: String) -> [StatusError.Cause] {
        let targets = source["targetWWNs"], identifiers = source["wwids"]
        var causes: [StatusError.Cause] = []
        if targets.items.isEmpty, identifiers.items.isEmpty {
            causes.append(.required("\(path).targetWWNs", "must specify either targetWWNs or wwids, but not both"))
        } else if !targets.items.isEmpty, !identifiers.items.isEmpty {
            causes.append(.invalid("\(path).targetWWNs", targets, "targetWWNs and wwids can not be specified simultaneously"))
        } else if !targets.items.isEmpty {
            if source["lun"].isNull {
                causes.append(.required("\(path).lun", "lun is required if targetWWNs is specified"))
            } else if let lun = source["lun"].int, !(0...255).contains(lun) {
                causes.append(.invalid("\(path).lun", .int(lun), "must be between 0 and 255, inclusive"))
            }
        }
        return causes
    }

    private static func iSCSI(_ source: JSON, _ path: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        let forms = ["iqn", "eui", "naa"]
        if let name = source["initiatorName"].string, !forms.contains(where: name.hasPrefix) {
            causes.append(
                .invalid("\(path).initiatorname", .string(name), "must be valid format starting with iqn, eui, or naa"))
        }
        if source["chapAuthDiscovery"].bool == true || source["chapAuthSession"].bool == true, source["secretRef"].isNull {
            causes.append(.required("\(path).secretRef"))
        }
        return causes
    }
}
