import Model

extension KindDefinition {
    static let namespace = KindDefinition(
        .namespaces, "namespace", ["ns"], type: "core:Namespace", [.status, Subresource("finalize", ["update"], strategy: .finalize)],
        columns: [.name, Column("Status") { object, _ in object["status"]["phase"].string ?? "" }, .age],
        prepare: {
            $0["metadata"]["labels"]["kubernetes.io/metadata.name"] = $0["metadata"]["name"]
            if $0["spec"]["finalizers"].isNull { $0["spec"]["finalizers"] = ["kubernetes"] }
        },
        validate: { object, _, _ in
            ObjectRules.finalizers(object["spec"]["finalizers"], "spec.finalizers", areStandard: true, isEach: true)
        }
    ).with {
        $0.hooks = namespaceHooks
        // Each of them for itself: there is no deletion of all at once.
        $0.verbs = KindDefinition.allVerbs.filter { $0 != "deletecollection" }
        $0.deletion = .namespace
        $0.nameRule = .label
        $0.prepareForUpdate = { object, old in object["spec"]["finalizers"] = old["spec"]["finalizers"] }
        $0.validateStatus = StatusValidation.namespace
        $0.selectableFields = ["status.phase"]
    }

    static let configMap = KindDefinition(
        .configMaps, "configmap", ["cm"], type: "core:ConfigMap",
        columns: [
            .name, .number("Data") { ($0["data"].object?.count ?? 0) + ($0["binaryData"].object?.count ?? 0) },
            .age,
        ],
        validate: { object, old, _ in
            let twice = object["data"].stringMap.keys.filter { !object["binaryData"][$0].isNull }.sorted()
            return validateData(object, old, ["data", "binaryData"])
                + twice.map { .invalid("data[\($0)]", .string($0), "duplicate of key present in binaryData") }
        })

    static let secret = KindDefinition(
        .secrets, "secret", [], type: "core:Secret",
        columns: [
            .name, Column("Type") { object, _ in object["type"].string ?? "" },
            .number("Data") { $0["data"].object?.count ?? 0 }, .age,
        ],
        prepare: { object in
            // stringData is for writing only: it ends up, encoded, in data.
            for (key, value) in object["stringData"].stringMap { object["data"][key] = .string(Base64.encode(Array(value.utf8))) }
            object["stringData"] = .null
        },
        validate: { object, old, _ in
            var causes = validateData(object, old, ["data"])
            for (key, value) in object["data"].stringMap.sorted(by: { $0.key < $1.key }) where Base64.decode(value) == nil {
                causes.append(.invalid("data[\(key)]", .string("<secret contents redacted>"), "illegal base64 data at input byte 0"))
            }
            if let old, old["type"] != object["type"] { causes.append(.invalid("type", object["type"], "field is immutable")) }
            if object["type"].string == ServiceAccountSecret.type, ServiceAccountSecret.account(of: object) == nil {
                causes.append(.required("metadata.annotations[\(ServiceAccountSecret.accountName)]"))
            }
            return causes + SecretTypes.validate(object)
        }
    ).with {
        $0.selectableFields = ["type"]
        $0.warn = SecretTypes.warnings
    }

    /// What holds for the keys of ConfigMaps and Secrets, and for those that say they do not change.
    private static func validateData(_ object: JSON, _ old: JSON?, _ members: [String]) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        var size = 0
        for member in members {
            for (key, value) in object[member].stringMap.sorted(by: { $0.key < $1.key }) {
                size += value.utf8.count
                causes += Names.each("\(member)[\(key)]", key, Names.configKeyComplaints(key))
            }
        }
        if size > 1 << 20 { causes.append(.tooLong("data", 1 << 20)) }
        guard let old, old["immutable"].bool == true else { return causes }
        if object["immutable"].bool != true { causes.append(.forbidden("immutable", "field is immutable when `immutable` is set")) }
        for member in members where old[member] != object[member] {
            causes.append(.forbidden(member, "field is immutable when `immutable` is set"))
        }
        return causes
    }

    static let serviceAccount = KindDefinition(
        .serviceAccounts, "serviceaccount", ["sa"], type: "core:ServiceAccount",
        [Subresource("token", ["create"], kind: ("authentication.k8s.io", "v1", "TokenRequest"))],
        columns: [.name, .age],
        // Of a secret no more than its name is kept. (upstream: cleanSecretReferences)
        prepare: { object in
            guard let secrets = object["secrets"].array else { return }
            object["secrets"] = .array(secrets.map { $0["name"].isNull ? .emptyObject : ["name": $0["name"]] })
        })

    static let node = KindDefinition(
        .nodes, "node", ["no"], type: "core:Node",
        [.status, Subresource("proxy", Subresource.proxyVerbs, kind: ("", "v1", "NodeProxyOptions"))],
        columns: [
            .name,
            Column("Status") { object, _ in
                let ready = object["status"]["conditions"].condition("Ready")
                let text = ready == "True" ? "Ready" : ready == nil ? "Unknown" : "NotReady"
                return object["spec"]["unschedulable"].bool == true ? "\(text),SchedulingDisabled" : text
            },
            Column("Roles") { object, _ in
                let prefix = "node-role.kubernetes.io/"
                let roles = object["metadata"]["labels"].stringMap.keys.filter { $0.hasPrefix(prefix) }.map {
                    String($0.dropFirst(prefix.count))
                }
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
        ],
        prepare: NodeValidation.prepare,
        validate: NodeValidation.validate
    ).with {
        $0.mark = NodeValidation.mark
        $0.selectableFields = ["spec.unschedulable"]
        $0.warn = { node in
            node["spec"]["externalID"].isNull ? [] : ["spec.externalID: this field is deprecated, and is unused by Kubernetes"]
        }
        $0.keepsStatusOnCreate = true
        $0.validateStatus = StatusValidation.node
    }
}
