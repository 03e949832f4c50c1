import Model

/// Volumes that outlive pods, and the claims that pods have on them.
extension KindDefinition {
    private static let shortModes = [
        ("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP"),
    ]

    private static func modes(_ list: JSON) -> String {
        let given = Set(list.items.compactMap(\.string))
        return shortModes.filter { given.contains($0.0) }.map(\.1).joined(separator: ",")
    }

    /// What is being deleted says so. (upstream: printers/internalversion, printPersistentVolume)
    private static func phase(_ object: JSON) -> String {
        object["metadata"]["deletionTimestamp"].isNull ? object["status"]["phase"].string ?? "" : "Terminating"
    }

    private static func className(_ object: JSON) -> String {
        object["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"].string ?? object["spec"]["storageClassName"].string
            ?? ""
    }

    private static let attributesColumn = Column("VolumeAttributesClass") { object, _ in
        object["spec"]["volumeAttributesClassName"].string ?? "<unset>"
    }
    private static let modeColumn = Column("VolumeMode", wide: true) { object, _ in object["spec"]["volumeMode"].string ?? "<unset>" }

    static let persistentVolume = KindDefinition(
        .persistentVolumes, "persistentvolume", ["pv"], type: "core:PersistentVolume", [.status],
        columns: [
            .name, Column("Capacity") { object, _ in object["spec"]["capacity"]["storage"].string ?? "" },
            Column("Access Modes") { object, _ in modes(object["spec"]["accessModes"]) },
            Column("Reclaim Policy") { object, _ in object["spec"]["persistentVolumeReclaimPolicy"].string ?? "" },
            Column("Status") { object, _ in phase(object) },
            Column("Claim") { object, _ in
                let claim = object["spec"]["claimRef"]
                return claim.isNull ? "" : "\(claim["namespace"].string ?? "")/\(claim["name"].string ?? "")"
            },
            Column("StorageClass") { object, _ in className(object) }, attributesColumn,
            Column("Reason") { object, _ in object["status"]["reason"].string ?? "" }, .age, modeColumn,
        ],
        validate: PersistentVolumeValidation.validate
    ).with {
        $0.hooks = persistentVolumeHooks
        $0.nameRule = .subdomain
    }

    static let persistentVolumeClaim = KindDefinition(
        .persistentVolumeClaims, "persistentvolumeclaim", ["pvc"], type: "core:PersistentVolumeClaim", [.status],
        columns: [
            .name, Column("Status") { object, _ in phase(object) },
            Column("Volume") { object, _ in object["spec"]["volumeName"].string ?? "" },
            Column("Capacity") { object, _ in isBound(object) ? object["status"]["capacity"]["storage"].string ?? "" : "" },
            Column("Access Modes") { object, _ in isBound(object) ? modes(object["status"]["accessModes"]) : "" },
            Column("StorageClass") { object, _ in className(object) }, attributesColumn, .age, modeColumn,
        ],
        prepare: { ClaimSources.settle(&$0["spec"]) },
        validate: { object, old, _ in
            ClaimValidation.spec(object["spec"], "spec") + (old.map { ClaimValidation.update(object, old: $0) } ?? [])
        }
    ).with {
        $0.hooks = persistentVolumeClaimHooks
        $0.warn = { claim in
            let text = claim["spec"]["resources"]["requests"]["storage"].string ?? ""
            guard let size = Quantity(text), size.nano % 1_000_000_000 != 0 else { return [] }
            return ["spec.resources.requests[storage]: fractional byte value \"\(text)\" is invalid, must be an integer"]
        }
    }

    private static func isBound(_ claim: JSON) -> Bool { !(claim["spec"]["volumeName"].string ?? "").isEmpty }
}
