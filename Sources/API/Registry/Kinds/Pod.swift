import Model

/// What holds for a pod wherever its spec stands: in a Pod or in a template.
enum PodRules {
    static func prepare(_ spec: inout JSON) {
        // An account has two names, of which one is older.
        let account = spec["serviceAccountName"].isNull ? spec["serviceAccount"] : spec["serviceAccountName"]
        if !account.isNull { (spec["serviceAccountName"], spec["serviceAccount"]) = (account, account) }
        if var volumes = spec["volumes"].array {
            // A volume that says nothing of what it is made of is an empty directory.
            for index in volumes.indices where (volumes[index].object?.keys ?? []).allSatisfy({ $0 == "name" }) {
                volumes[index]["emptyDir"] = .emptyObject
            }
            for index in volumes.indices where !volumes[index]["image"].isNull && volumes[index]["image"]["pullPolicy"].isNull {
                volumes[index]["image"]["pullPolicy"] = .string(pullPolicy(of: volumes[index]["image"]["reference"].string ?? ""))
            }
            spec["volumes"] = .array(volumes)
        }
        changeContainers(of: &spec, ["initContainers", "containers", "ephemeralContainers"]) { container in
            guard container["imagePullPolicy"].isNull else { return }
            container["imagePullPolicy"] = .string(pullPolicy(of: container["image"].string ?? ""))
        }
    }

    /// What is not said: a name without a tag, or with `latest`, may be another image by now.
    private static func pullPolicy(of image: String) -> String {
        let sides = image.split(separator: "@", maxSplits: 1)
        let tag = sides.first?.split(separator: "/").last?.split(separator: ":").dropFirst().first
        return tag == "latest" || (tag == nil && sides.count < 2) ? "Always" : "IfNotPresent"
    }

    private static func changeContainers(
        of spec: inout JSON, _ lists: [String] = ["initContainers", "containers"], _ change: (inout JSON) -> Void
    ) {
        for list in lists {
            guard var containers = spec[list].array else { continue }
            for index in containers.indices { change(&containers[index]) }
            spec[list] = .array(containers)
        }
    }

    /// Who sets a limit and says nothing of what is requested requests that. (Of pods; templates stay as they are written.)
    static func requestLimits(_ spec: inout JSON) {
        changeContainers(of: &spec) { container in
            for (name, limit) in container["resources"]["limits"].stringMap where container["resources"]["requests"][name].isNull {
                container["resources"]["requests"][name] = .string(limit)
            }
        }
    }

    /// On its node's network a pod's ports are the node's. (Of pods; templates stay as they are written.)
    static func claimHostPorts(_ spec: inout JSON) {
        guard spec["hostNetwork"].bool == true else { return }
        changeContainers(of: &spec) { container in
            guard var ports = container["ports"].array else { return }
            for place in ports.indices where ports[place]["hostPort"].isNull { ports[place]["hostPort"] = ports[place]["containerPort"] }
            container["ports"] = .array(ports)
        }
    }

    /// A pod that limits itself as a whole, and says nothing of what it requests, requests what its containers do, or its limits.
    /// (Of pods; KEP-2837, defaultPodRequests)
    static func requestWhole(_ spec: inout JSON) {
        let limits = spec["resources"]["limits"].stringMap
        guard !limits.isEmpty else { return }
        var wanted = ResourceValidation.aggregate(of: spec).mapValues(\.description)
        for (name, text) in limits where wanted[name] == nil { wanted[name] = text }
        for (name, text) in wanted.sorted(by: { $0.key < $1.key })
        where ["cpu", "memory"].contains(name) || ResourceValidation.isHugePages(name) {
            if spec["resources"]["requests"][name].isNull { spec["resources"]["requests"][name] = .string(text) }
        }
    }

    /// Keys whose values are the pod's own labels become a part of the selector. (Of new pods; KEP-3633, KEP-3243)
    static func matchOwnLabels(_ pod: inout JSON) {
        let labels = pod["metadata"]["labels"].stringMap
        func matched(_ term: JSON) -> JSON {
            guard !term["labelSelector"].isNull else { return term }
            var term = term
            for (field, name) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
                for key in term[field].items.compactMap(\.string) {
                    guard let value = labels[key] else { continue }
                    let rule: JSON = ["key": .string(key), "operator": .string(name), "values": [.string(value)]]
                    term["labelSelector"]["matchExpressions"] = .array(term["labelSelector"]["matchExpressions"].items + [rule])
                }
            }
            return term
        }
        for kind in ["podAffinity", "podAntiAffinity"] where !pod["spec"]["affinity"][kind].isNull {
            let required = "requiredDuringSchedulingIgnoredDuringExecution", preferred = "preferredDuringSchedulingIgnoredDuringExecution"
            if let terms = pod["spec"]["affinity"][kind][required].array {
                pod["spec"]["affinity"][kind][required] = .array(terms.map(matched))
            }
            if let terms = pod["spec"]["affinity"][kind][preferred].array {
                pod["spec"]["affinity"][kind][preferred] = .array(
                    terms.map { term in
                        var term = term
                        if !term["podAffinityTerm"].isNull { term["podAffinityTerm"] = matched(term["podAffinityTerm"]) }
                        return term
                    })
            }
        }
        if let constraints = pod["spec"]["topologySpreadConstraints"].array {
            pod["spec"]["topologySpreadConstraints"] = .array(constraints.map(matched))
        }
    }

    /// The quality of service that a pod's requests and limits make: those of cpu and memory, and of the pod as a whole where it says
    /// some. (kubernetes.io/docs/concepts/workloads/pods/pod-qos)
    static func setQoS(_ pod: inout JSON) {
        let whole = pod["spec"]["resources"]
        let parts =
            whole["limits"].stringMap.isEmpty && whole["requests"].stringMap.isEmpty
            ? (pod["spec"]["containers"].items + pod["spec"]["initContainers"].items).map { $0["resources"] } : [whole]
        func amount(_ part: JSON, _ half: String, _ name: String) -> Quantity? {
            part[half][name].string.flatMap { Quantity($0) }.flatMap { $0.nano > 0 ? $0 : nil }
        }
        let hasAny = parts.contains { part in
            ["cpu", "memory"].contains { amount(part, "limits", $0) != nil || amount(part, "requests", $0) != nil }
        }
        let isGuaranteed = parts.allSatisfy { part in
            ["cpu", "memory"].allSatisfy { name in
                guard let limit = amount(part, "limits", name) else { return false }
                return part["requests"][name].isNull || amount(part, "requests", name) == limit
            }
        }
        pod["status"]["qosClass"] = !hasAny ? "BestEffort" : isGuaranteed ? "Guaranteed" : "Burstable"
    }

    /// The names of the init containers that go on beside the others.
    static func sidecars(_ pod: JSON) -> Set<String> {
        Set(pod["spec"]["initContainers"].items.filter { $0["restartPolicy"].string == "Always" }.compactMap { $0["name"].string })
    }

    /// The statuses that count for a pod's readiness and restarts.
    static func lastingStatuses(_ pod: JSON) -> [JSON] {
        let sidecars = sidecars(pod)
        return pod["status"]["initContainerStatuses"].items.filter { sidecars.contains($0["name"].string ?? "") }
            + pod["status"]["containerStatuses"].items
    }

    /// The STATUS column: k8s.io/kubernetes/pkg/printers/internalversion, printPod.
    static func status(_ pod: JSON) -> String {
        var reason = pod["status"]["reason"].string ?? pod["status"]["phase"].string ?? "Unknown"
        let initStatuses = pod["status"]["initContainerStatuses"].items, sidecars = sidecars(pod)
        var isInitializing = false
        for (index, status) in initStatuses.enumerated() {
            let terminated = status["state"]["terminated"], waiting = status["state"]["waiting"]
            if terminated["exitCode"].int == 0 { continue }
            if sidecars.contains(status["name"].string ?? ""), status["started"].bool == true { continue }
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
        if !isInitializing || pod["status"]["conditions"].condition("Initialized") == "True" {
            var hasRunning = false
            for status in pod["status"]["containerStatuses"].items.reversed() {
                let terminated = status["state"]["terminated"]
                if let why = status["state"]["waiting"]["reason"].string {
                    reason = why
                } else if !terminated.isNull {
                    let signal = terminated["signal"].int ?? 0
                    reason =
                        terminated["reason"].string ?? (signal != 0 ? "Signal:\(signal)" : "ExitCode:\(terminated["exitCode"].int ?? 0)")
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
    private static let podColumns: [Column] = [
        .name,
        Column("Ready") { object, _ in
            let total = object["spec"]["containers"].items.count + PodRules.sidecars(object).count
            return "\(PodRules.lastingStatuses(object).filter { $0["ready"].bool == true }.count)/\(total)"
        },
        Column("Status") { object, _ in PodRules.status(object) },
        Column("Restarts") { object, now in
            let isInitialized = object["status"]["conditions"].condition("Initialized") == "True"
            let statuses = isInitialized ? PodRules.lastingStatuses(object) : object["status"]["initContainerStatuses"].items
            let count = statuses.reduce(0) { $0 + ($1["restartCount"].int ?? 0) }
            let last = statuses.compactMap { $0["lastState"]["terminated"]["finishedAt"].string.flatMap(Timestamp.init) }.max()
            guard count > 0, let last else { return "\(count)" }
            return "\(count) (\(humanDuration(seconds: now.seconds - last.seconds)) ago)"
        },
        .age,
        Column("IP", wide: true) { object, _ in object["status"]["podIP"].string ?? "<none>" },
        Column("Node", wide: true) { object, _ in object["spec"]["nodeName"].string ?? "<none>" },
        Column("Nominated Node", wide: true) { object, _ in object["status"]["nominatedNodeName"].string ?? "<none>" },
        Column("Readiness Gates", wide: true) { object, _ in
            let gates = object["spec"]["readinessGates"].items.compactMap { $0["conditionType"].string }
            return gates.isEmpty
                ? "<none>" : "\(gates.filter { object["status"]["conditions"].condition($0) == "True" }.count)/\(gates.count)"
        },
    ]

    static let pod = KindDefinition(
        .pods, "pod", ["po"], type: "core:Pod",
        [
            .status(.podStatus), Subresource("attach", ["create", "get"], kind: ("", "v1", "PodAttachOptions")),
            Subresource("binding", ["create"], kind: ("", "v1", "Binding"), strategy: .binding),
            Subresource("ephemeralcontainers", ["get", "patch", "update"], strategy: .ephemeralContainers),
            Subresource("eviction", ["create"], kind: ("policy", "v1", "Eviction")),
            Subresource("exec", ["create", "get"], kind: ("", "v1", "PodExecOptions")), Subresource("log", ["get"]),
            Subresource("portforward", ["create", "get"], kind: ("", "v1", "PodPortForwardOptions")),
            Subresource("proxy", Subresource.proxyVerbs, kind: ("", "v1", "PodProxyOptions")),
            Subresource("resize", ["get", "patch", "update"], strategy: .resize),
        ], hasGeneration: true,
        columns: podColumns,
        prepare: { object in
            PodRules.prepare(&object["spec"])
            PodRules.requestLimits(&object["spec"])
            PodRules.claimHostPorts(&object["spec"])
            PodRules.requestWhole(&object["spec"])
            if object["metadata"]["resourceVersion"].isNull { PodRules.matchOwnLabels(&object) }
            // Below zero counts as the least.
            if let grace = object["spec"]["terminationGracePeriodSeconds"].int, grace < 0 {
                object["spec"]["terminationGracePeriodSeconds"] = 1
            }
            if object["spec"]["enableServiceLinks"].isNull { object["spec"]["enableServiceLinks"] = true }
            if object["status"]["qosClass"].isNull { PodRules.setQoS(&object) }
        },
        validate: { object, old, context in
            let causes = PodValidation.validate(object["spec"], "spec") + PodValidation.annotations(object)
            guard let old else { return causes + PodValidation.creation(object["spec"]) }
            return causes + PodUpdateValidation.validate(object, old: old, placesPods: context.isOwnPart)
        }
    ).with {
        $0.categories = ["all"]
        $0.hooks = podHooks
        // What its class made of it stays. (upstream: the admission plugin Priority)
        $0.prepareForUpdate = { pod, old in
            if pod["spec"]["priority"].isNull { pod["spec"]["priority"] = old["spec"]["priority"] }
        }
        $0.deletion = .pod
        $0.validateStatus = PodStatusValidation.validate
        // Its node is the scheduler's to say.
        $0.intent = { pod in
            var intent: JSON = ["spec": pod["spec"]]
            intent["spec"]["nodeName"] = .null
            return intent
        }
        $0.warn = PodWarnings.ofPod
        $0.selectableFields = [
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork", "status.phase",
            "status.podIP",
            "status.podIPs", "status.nominatedNodeName", "spec.host",
        ]
        // As it was called before 1.0, and still may be.
        $0.fieldAliases = ["spec.host": "spec.nodeName"]
    }
}
