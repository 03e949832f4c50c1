import Model

/// The classes of storage, and what drivers of storage tell of themselves. (k8s.io/api/storage/v1)
extension KindDefinition {
    private static func flag(_ name: String, _ field: String) -> Column {
        Column(name, type: "boolean") { object, _ in "\(object["spec"][field].bool ?? false)" }
    }

    /// The name, and whether claims that name no class get it. (upstream: printers/internalversion, printStorageClass)
    private static let classNameColumn = Column("Name") { object, _ in
        let name = object["metadata"]["name"].string ?? ""
        return StorageClass(object).isDefault ? "\(name) (default)" : name
    }

    static let storageClass = KindDefinition(
        .storageClasses, "storageclass", ["sc"], type: "storage:StorageClass",
        columns: [
            classNameColumn, Column("Provisioner") { object, _ in object["provisioner"].string ?? "" },
            Column("ReclaimPolicy") { object, _ in object["reclaimPolicy"].string ?? "Delete" },
            Column("VolumeBindingMode") { object, _ in object["volumeBindingMode"].string ?? "Immediate" },
            Column("AllowVolumeExpansion") { object, _ in "\(object["allowVolumeExpansion"].bool ?? false)" }, .age,
        ],
        validate: { object, old, _ in StorageValidation.storageClass(object, old) })

    static let csiDriver = KindDefinition(
        .csiDrivers, "csidriver", type: "storage:CSIDriver",
        columns: [
            .name, flag("AttachRequired", "attachRequired"), flag("PodInfoOnMount", "podInfoOnMount"),
            flag("StorageCapacity", "storageCapacity"),
            Column("TokenRequests") { object, _ in
                let audiences = object["spec"]["tokenRequests"].items.map { $0["audience"].string ?? "" }
                return audiences.isEmpty ? "<unset>" : audiences.joined(separator: ",")
            },
            flag("RequiresRepublish", "requiresRepublish"),
            Column("Modes") { object, _ in
                let modes = object["spec"]["volumeLifecycleModes"].items.compactMap(\.string)
                return modes.isEmpty ? "<none>" : modes.joined(separator: ",")
            }, .age,
        ],
        validate: { object, old, _ in StorageValidation.driver(object, old) }
    ).with { $0.hasGeneration = true }

    static let csiNode = KindDefinition(
        .csiNodes, "csinode", type: "storage:CSINode",
        columns: [
            .name, Column("Drivers", type: "integer") { object, _ in "\(object["spec"]["drivers"].items.count)" }, .age,
        ],
        validate: { object, old, _ in StorageValidation.driversOfNode(object, old) })

    static let csiStorageCapacity = KindDefinition(
        .csiStorageCapacities, "csistoragecapacity", type: "storage:CSIStorageCapacity",
        validate: { object, old, _ in StorageValidation.storageCapacity(object, old) })

    static let volumeAttachment = KindDefinition(
        .volumeAttachments, "volumeattachment", type: "storage:VolumeAttachment", [.status],
        columns: [
            .name, Column("Attacher") { object, _ in object["spec"]["attacher"].string ?? "" },
            Column("PV") { object, _ in object["spec"]["source"]["persistentVolumeName"].string ?? "" },
            Column("Node") { object, _ in object["spec"]["nodeName"].string ?? "" },
            Column("Attached", type: "boolean") { object, _ in "\(object["status"]["attached"].bool ?? false)" }, .age,
        ],
        validate: { object, old, _ in StorageValidation.attachment(object, old) })

    static let volumeAttributesClass = KindDefinition(
        .volumeAttributesClasses, "volumeattributesclass", ["vac"], type: "storage:VolumeAttributesClass",
        columns: [.name, Column("DriverName") { object, _ in object["driverName"].string ?? "" }, .age],
        validate: { object, old, _ in StorageValidation.attributesClass(object, old) })
}
