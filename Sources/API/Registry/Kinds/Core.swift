import Model

extension KindDefinition {
    static let namespace = KindDefinition(
        resource: .namespaces, singular: "namespace", shortNames: ["ns"],
        fields: [
            .init("spec", .object([.init("finalizers", .strings)])),
            .init("status", .object([.init("phase", .string), .init("conditions", .any)]), default: ["phase": "Active"]),
        ],
        columns: [.name, Column("Status") { object, _ in object["status"]["phase"].string ?? "" }, .age],
        prepare: { $0["metadata"]["labels"]["kubernetes.io/metadata.name"] = $0["metadata"]["name"] })

    static let configMap = KindDefinition(
        resource: .configMaps, singular: "configmap", shortNames: ["cm"],
        fields: [.init("data", .map(.string)), .init("binaryData", .map(.string)), .init("immutable", .bool)], hasStatus: false,
        columns: [
            .name, Column("Data") { object, _ in "\((object["data"].object?.count ?? 0) + (object["binaryData"].object?.count ?? 0))" },
            .age,
        ])

    static let secret = KindDefinition(
        resource: .secrets, singular: "secret", shortNames: [],
        fields: [
            .init("type", .string, default: "Opaque"), .init("data", .map(.string)), .init("stringData", .map(.string)),
            .init("immutable", .bool),
        ], hasStatus: false,
        columns: [
            .name, Column("Type") { object, _ in object["type"].string ?? "" },
            Column("Data") { object, _ in "\(object["data"].object?.count ?? 0)" }, .age,
        ],
        prepare: { object in
            // stringData is for writing only: it ends up, encoded, in data.
            for (key, value) in object["stringData"].stringMap { object["data"][key] = .string(Base64.encode(Array(value.utf8))) }
            object["stringData"] = .null
        })

    static let serviceAccount = KindDefinition(
        resource: .serviceAccounts, singular: "serviceaccount", shortNames: ["sa"],
        fields: [.init("secrets", .any), .init("imagePullSecrets", .any), .init("automountServiceAccountToken", .bool)], hasStatus: false,
        columns: [.name, Column("Secrets") { object, _ in "\(object["secrets"].items.count)" }, .age])

    static let event = KindDefinition(
        resource: .events, singular: "event", shortNames: ["ev"],
        fields: [
            .init("involvedObject", .any), .init("reason", .string), .init("message", .string), .init("source", .any),
            .init("firstTimestamp", .string), .init("lastTimestamp", .string), .init("count", .int), .init("type", .string),
            .init("eventTime", .string), .init("series", .any), .init("action", .string), .init("related", .any),
            .init("reportingComponent", .string), .init("reportingInstance", .string),
        ], hasStatus: false,
        columns: [
            Column("Last Seen") { object, now in
                let last = object["lastTimestamp"].string.flatMap(Timestamp.init)
                return last.map { humanDuration(seconds: now.seconds - $0.seconds) } ?? "<unknown>"
            },
            Column("Type") { object, _ in object["type"].string ?? "" },
            Column("Reason") { object, _ in object["reason"].string ?? "" },
            Column("Object") { object, _ in
                "\((object["involvedObject"]["kind"].string ?? "").lowercased())/\(object["involvedObject"]["name"].string ?? "")"
            },
            Column("Message") { object, _ in object["message"].string?.trimmed ?? "" },
        ])

    static let node = KindDefinition(
        resource: .nodes, singular: "node", shortNames: ["no"],
        fields: [
            .init(
                "spec",
                .object([
                    .init("podCIDR", .string), .init("podCIDRs", .strings), .init("providerID", .string), .init("unschedulable", .bool),
                    .init("taints", .list(.object(Schema.taint + [.init("timeAdded", .string)]))),
                ]), default: .emptyObject),
            .init("status", .any),
        ],
        columns: [
            .name,
            Column("Status") { object, _ in
                let ready = object["status"]["conditions"].condition("Ready")
                let text = ready == "True" ? "Ready" : ready == "False" ? "NotReady" : "Unknown"
                return object["spec"]["unschedulable"].bool == true ? "\(text),SchedulingDisabled" : text
            },
            Column("Roles") { object, _ in
                let prefix = "node-role.kubernetes.io/"
                let roles = object["metadata"]["labels"].stringMap.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
                return roles.isEmpty ? "<none>" : roles.sorted().joined(separator: ",")
            },
            .age,
            Column("Version") { object, _ in object["status"]["nodeInfo"]["kubeletVersion"].string ?? "" },
            Column("Internal-IP", wide: true) { object, _ in
                object["status"]["addresses"].items.first { $0["type"].string == "InternalIP" }?["address"].string ?? "<none>"
            },
            Column("External-IP", wide: true) { _, _ in "<none>" },
            Column("OS-Image", wide: true) { object, _ in object["status"]["nodeInfo"]["osImage"].string ?? "<unknown>" },
            Column("Kernel-Version", wide: true) { object, _ in object["status"]["nodeInfo"]["kernelVersion"].string ?? "<unknown>" },
            Column("Container-Runtime", wide: true) { object, _ in
                object["status"]["nodeInfo"]["containerRuntimeVersion"].string ?? "<unknown>"
            },
        ])
}
