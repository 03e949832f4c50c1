import Model

extension Schema {
    private static let ports = Schema.list(
        .object([
            .init("name", .string), .init("hostPort", .int), .init("containerPort", .int, required: true),
            .init("protocol", .string(oneOf: ["TCP", "UDP", "SCTP"]), default: "TCP"), .init("hostIP", .string),
        ]), key: "containerPort")

    private static let environment = Schema.list(
        .object([.init("name", .string, required: true), .init("value", .string), .init("valueFrom", .any)]), key: "name")

    private static let volumeMounts = Schema.list(
        .object([
            .init("name", .string, required: true), .init("mountPath", .string, required: true), .init("readOnly", .bool),
            .init("subPath", .string), .init("subPathExpr", .string), .init("mountPropagation", .string),
            .init("recursiveReadOnly", .string),
        ]), key: "mountPath")

    private static let probe = Schema.object([
        .init("httpGet", .any), .init("tcpSocket", .any), .init("exec", .any), .init("grpc", .any),
        .init("initialDelaySeconds", .int), .init("timeoutSeconds", .int, default: 1), .init("periodSeconds", .int, default: 10),
        .init("successThreshold", .int, default: 1), .init("failureThreshold", .int, default: 3),
        .init("terminationGracePeriodSeconds", .int),
    ])

    private static let container = Schema.object([
        .init("name", .string, required: true), .init("image", .string, required: true), .init("command", .strings),
        .init("args", .strings), .init("workingDir", .string), .init("ports", ports), .init("envFrom", .any),
        .init("env", environment),
        .init(
            "resources",
            .object([.init("limits", .map(.quantity)), .init("requests", .map(.quantity)), .init("claims", .any)]),
            default: .emptyObject),
        .init("resizePolicy", .any), .init("restartPolicy", .string), .init("volumeMounts", volumeMounts), .init("volumeDevices", .any),
        .init("livenessProbe", probe), .init("readinessProbe", probe), .init("startupProbe", probe), .init("lifecycle", .any),
        .init("terminationMessagePath", .string, default: "/dev/termination-log"),
        .init("terminationMessagePolicy", .string, default: "File"),
        .init("imagePullPolicy", .string(oneOf: ["Always", "IfNotPresent", "Never"])), .init("securityContext", .any),
        .init("stdin", .bool), .init("stdinOnce", .bool), .init("tty", .bool),
    ])

    static let podSpec = Schema.object([
        .init(
            "volumes",
            .list(
                .object([
                    .init("name", .string, required: true), .init("emptyDir", .any), .init("configMap", .any), .init("secret", .any),
                    .init("hostPath", .any), .init("downwardAPI", .any), .init("projected", .any),
                    .init("persistentVolumeClaim", .any), .init("nfs", .any), .init("csi", .any), .init("ephemeral", .any), .init("image", .any),
                ]), key: "name")),
        .init("initContainers", .list(container, key: "name")),
        .init("containers", .list(container, key: "name"), required: true),
        .init("ephemeralContainers", .any),
        .init("restartPolicy", .string(oneOf: ["Always", "OnFailure", "Never"]), default: "Always"),
        .init("terminationGracePeriodSeconds", .int, default: 30), .init("activeDeadlineSeconds", .int),
        .init("dnsPolicy", .string(oneOf: ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]), default: "ClusterFirst"),
        .init("nodeSelector", .labels), .init("serviceAccountName", .string), .init("serviceAccount", .string),
        .init("automountServiceAccountToken", .bool), .init("nodeName", .string), .init("hostNetwork", .bool), .init("hostPID", .bool),
        .init("hostIPC", .bool), .init("hostUsers", .bool), .init("shareProcessNamespace", .bool),
        .init("securityContext", .any, default: .emptyObject), .init("imagePullSecrets", .any), .init("hostname", .string),
        .init("hostnameOverride", .string), .init("subdomain", .string), .init("affinity", .any), .init("schedulerName", .string, default: "default-scheduler"),
        .init(
            "tolerations",
            .list(
                .object([
                    .init("key", .string), .init("operator", .string(oneOf: ["Exists", "Equal"])), .init("value", .string),
                    .init("effect", .string), .init("tolerationSeconds", .int),
                ]))),
        .init("hostAliases", .list(.object([.init("ip", .string, required: true), .init("hostnames", .strings)]), key: "ip")),
        .init("priorityClassName", .string), .init("priority", .int), .init("dnsConfig", .any), .init("readinessGates", .any),
        .init("runtimeClassName", .string), .init("enableServiceLinks", .bool, default: true), .init("preemptionPolicy", .string),
        .init("overhead", .any), .init("topologySpreadConstraints", .any), .init("setHostnameAsFQDN", .bool), .init("os", .any),
        .init("schedulingGates", .any), .init("resourceClaims", .any), .init("resources", .any),
    ])

    static let podTemplate = Schema.object([.init("metadata", KindDefinition.metadata), .init("spec", podSpec)])
}

/// What holds for a pod wherever its spec stands: in a Pod or in a template.
enum PodRules {
    static func prepare(_ spec: inout JSON) {
        for list in ["initContainers", "containers"] {
            guard var containers = spec[list].array else { continue }
            for index in containers.indices where containers[index]["imagePullPolicy"].isNull {
                let image = containers[index]["image"].string ?? ""
                let tag = image.split(separator: "/").last?.split(separator: ":").dropFirst().first
                containers[index]["imagePullPolicy"] = tag == nil || tag == "latest" ? "Always" : "IfNotPresent"
            }
            spec[list] = .array(containers)
        }
    }

    static func validate(_ spec: JSON, _ path: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        if spec["containers"].array?.isEmpty == true { causes.append(.required("\(path).containers")) }
        let volumes = Set(spec["volumes"].items.compactMap { $0["name"].string })
        var names: Set<String> = []
        for list in ["initContainers", "containers"] {
            for (index, container) in spec[list].items.enumerated() {
                let here = "\(path).\(list)[\(index)]"
                let name = container["name"].string ?? ""
                if !name.isEmpty, !Names.isLabel(name) { causes.append(.invalid("\(here).name", .string(name), Names.labelMessage)) }
                if !names.insert(name).inserted { causes.append(.duplicate("\(here).name", .string(name))) }
                if container["image"].string?.trimmed == "" { causes.append(.required("\(here).image")) }
                for (number, port) in container["ports"].items.enumerated() {
                    let value = port["containerPort"].int ?? 0
                    if !(1...65535).contains(value) {
                        causes.append(.invalid("\(here).ports[\(number)].containerPort", .int(value), "must be between 1 and 65535, inclusive"))
                    }
                }
                for (number, mount) in container["volumeMounts"].items.enumerated() where !volumes.contains(mount["name"].string ?? "") {
                    causes.append(
                        StatusError.Cause(
                            reason: "FieldValueNotFound", message: "Not found: \(mount["name"].text())",
                            field: "\(here).volumeMounts[\(number)].name"))
                }
            }
        }
        return causes
    }

    /// The STATUS column: k8s.io/kubernetes/pkg/printers/internalversion, printPod.
    static func status(_ pod: JSON) -> String {
        var reason = pod["status"]["reason"].string ?? pod["status"]["phase"].string ?? "Unknown"
        let initStatuses = pod["status"]["initContainerStatuses"].items
        var isInitializing = false
        for (index, status) in initStatuses.enumerated() {
            let terminated = status["state"]["terminated"], waiting = status["state"]["waiting"]
            if terminated["exitCode"].int == 0 { continue }
            isInitializing = true
            if !terminated.isNull {
                reason = "Init:" + (terminated["reason"].string ?? "ExitCode:\(terminated["exitCode"].int ?? 0)")
            } else if let why = waiting["reason"].string, why != "PodInitializing" {
                reason = "Init:\(why)"
            } else {
                reason = "Init:\(index)/\(initStatuses.count)"
            }
            break
        }
        if !isInitializing {
            var hasRunning = false
            for status in pod["status"]["containerStatuses"].items.reversed() {
                let terminated = status["state"]["terminated"]
                if let why = status["state"]["waiting"]["reason"].string {
                    reason = why
                } else if !terminated.isNull {
                    let signal = terminated["signal"].int ?? 0
                    reason = terminated["reason"].string ?? (signal != 0 ? "Signal:\(signal)" : "ExitCode:\(terminated["exitCode"].int ?? 0)")
                } else if status["ready"].bool == true {
                    hasRunning = true
                }
            }
            if reason == "Completed", hasRunning {
                reason = pod["status"]["conditions"].condition("Ready") == "True" ? "Running" : "NotReady"
            }
        }
        if !pod["metadata"]["deletionTimestamp"].isNull { return pod["status"]["reason"].string == "NodeLost" ? "Unknown" : "Terminating" }
        return reason
    }
}

extension KindDefinition {
    static let pod = KindDefinition(
        resource: .pods, singular: "pod", shortNames: ["po"],
        fields: [.init("spec", Schema.podSpec, required: true), .init("status", .any, default: ["phase": "Pending"])],
        columns: [
            .name,
            Column("Ready") { object, _ in
                let statuses = object["status"]["containerStatuses"].items
                return "\(statuses.filter { $0["ready"].bool == true }.count)/\(object["spec"]["containers"].items.count)"
            },
            Column("Status") { object, _ in PodRules.status(object) },
            Column("Restarts") { object, now in
                let statuses = object["status"]["containerStatuses"].items
                let count = statuses.reduce(0) { $0 + ($1["restartCount"].int ?? 0) }
                let last = statuses.compactMap { $0["lastState"]["terminated"]["finishedAt"].string.flatMap(Timestamp.init) }.max()
                guard count > 0, let last else { return "\(count)" }
                return "\(count) (\(humanDuration(seconds: now.seconds - last.seconds)) ago)"
            },
            .age,
            Column("IP", wide: true) { object, _ in object["status"]["podIP"].string ?? "<none>" },
            Column("Node", wide: true) { object, _ in object["spec"]["nodeName"].string ?? "<none>" },
            Column("Nominated Node", wide: true) { object, _ in object["status"]["nominatedNodeName"].string ?? "<none>" },
            Column("Readiness Gates", wide: true) { _, _ in "<none>" },
        ],
        prepare: { object in
            PodRules.prepare(&object["spec"])
            if object["spec"]["serviceAccountName"].isNull { object["spec"]["serviceAccountName"] = "default" }
            let hasLimits = object["spec"]["containers"].items.contains {
                !($0["resources"]["limits"].object?.isEmpty ?? true) || !($0["resources"]["requests"].object?.isEmpty ?? true)
            }
            if object["status"]["qosClass"].isNull { object["status"]["qosClass"] = hasLimits ? "Burstable" : "BestEffort" }
        },
        validate: { object, old, _ in
            var causes = PodRules.validate(object["spec"], "spec")
            if let old {
                // Kubernetes lets an update touch images, tolerations and a few more; the rest of a pod's spec is what it was.
                func frozen(_ spec: JSON) -> JSON {
                    var spec = spec
                    for list in ["containers", "initContainers"] {
                        spec[list] =
                            spec[list].array.map {
                                .array(
                                    $0.map {
                                        var c = $0; c["image"] = .null; return c
                                    })
                            } ?? .null
                    }
                    for field in ["tolerations", "activeDeadlineSeconds", "terminationGracePeriodSeconds", "nodeName"] { spec[field] = .null }
                    return spec
                }
                if frozen(object["spec"]) != frozen(old["spec"]) {
                    causes.append(
                        .forbidden(
                            "spec",
                            "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
                        ))
                }
            }
            return causes
        })
}
