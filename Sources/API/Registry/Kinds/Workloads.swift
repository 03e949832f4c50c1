import Model

extension KindDefinition {
    /// How a workload of kind `name` names itself in complaints, and which restart policies its pods may have.
    static func validateWorkload(_ name: String, restartPolicies: [String] = ["Always"], selectorIsFixed: Bool = true) -> Validation {
        { object, old, _ in
            let template = object["spec"]["template"]
            let selector = object["spec"]["selector"], wrong = SelectorRules.validate(selector, "spec.selector")
            var causes = wrong
            if selector.isNull {
                if name != "daemonset" { causes.append(.required("spec.selector")) }
                causes.append(unmatched(template))
            } else if !wrong.isEmpty {
                if name != "daemonset" {
                    causes.append(.invalid("spec.selector", selector, name == "statefulset" ? "" : "invalid label selector"))
                }
            } else if LabelSelector(selector).requirements.isEmpty {
                // Upstream calls a ReplicaSet a deployment here.
                let called = name == "replicaset" ? "deployment" : name
                causes.append(.invalid("spec.selector", selector, "empty selector is invalid for \(called)"))
            } else if !LabelSelector(selector).matches(template["metadata"]["labels"].stringMap) {
                causes.append(unmatched(template))
            }
            // A template is looked at when its selector can be read.
            if wrong.isEmpty || name == "daemonset" { causes += Self.template(of: object, name, restartPolicies) }
            if selectorIsFixed, let old, LabelSelector(old["spec"]["selector"]) != LabelSelector(selector) {
                causes.append(.invalid("spec.selector", selector, "field is immutable"))
            }
            let counts = ["replicas", "minReadySeconds"] + (name == "statefulset" ? [] : ["revisionHistoryLimit"])
            for field in counts {
                if let count = object["spec"][field].int, count < 0 {
                    causes.append(.invalid("spec.\(field)", .int(count), "must be greater than or equal to 0"))
                }
            }
            return causes
        }
    }

    private static func template(of object: JSON, _ name: String, _ restartPolicies: [String]) -> [StatusError.Cause] {
        let template = object["spec"]["template"], path = "spec.template.spec"
        let claims = object["spec"]["volumeClaimTemplates"].items.compactMap { $0["metadata"]["name"].string }
        var causes = PodValidation.validate(template["spec"], path, claims: claims) + claimed(object["spec"])
        if !template["spec"]["ephemeralContainers"].items.isEmpty {
            causes.append(.forbidden("\(path).ephemeralContainers", "ephemeral containers not allowed in pod template"))
        }
        if !template["spec"]["activeDeadlineSeconds"].isNull {
            let kind = name == "replicationcontroller" ? "ReplicationController" : "ReplicaSet"
            causes.append(.forbidden("\(path).activeDeadlineSeconds", "activeDeadlineSeconds in \(kind) is not Supported"))
        }
        if let policy = template["spec"]["restartPolicy"].string, !restartPolicies.contains(policy) {
            let all = ["Always", "OnFailure", "Never"]
            for known in all.contains(policy) ? [restartPolicies] : [all, restartPolicies] {
                let list = known.map { "\"\($0)\"" }.joined(separator: ", ")
                causes.append(.notSupported("\(path).restartPolicy", .string(policy), list))
            }
        }
        let labels = Names.labels(template["metadata"]["labels"], "spec.template.labels")
        // Of a StatefulSet two functions look at them.
        return causes + (name == "statefulset" ? labels + labels : labels)
    }

    /// What stands in a StatefulSet's pods for each of its claims.
    private static func claimed(_ spec: JSON) -> [StatusError.Cause] {
        let first = spec["template"]["spec"]["volumes"].items.count
        return spec["volumeClaimTemplates"].items.enumerated().flatMap { index, claim -> [StatusError.Cause] in
            let name = claim["metadata"]["name"].string ?? "", here = "spec.template.spec.volumes[\(first + index)]"
            if name.isEmpty { return [.required("\(here).persistentVolumeClaim.claimName"), .required("\(here).name")] }
            return Names.each("\(here).name", name, Names.labelComplaints(name))
        }
    }

    private static func unmatched(_ template: JSON) -> StatusError.Cause {
        .invalid("spec.template.metadata.labels", template["metadata"]["labels"], "`selector` does not match template `labels`")
    }

    static let warnTemplate: @Sendable (JSON) -> [String] = { object in
        let template = object["spec"]["template"], isNew = object["metadata"]["resourceVersion"].isNull
        return (isNew ? PodWarnings.name(object) : [])
            + PodWarnings.warnings(template["metadata"], "spec.template.metadata", template["spec"], "spec.template.spec")
    }
    private static let prepareTemplate: @Sendable (inout JSON) -> Void = { PodRules.prepare(&$0["spec"]["template"]["spec"]) }
    static func count(_ name: String, _ path: String...) -> Column {
        Column(name, type: "integer") { object, _ in "\(path.reduce(object) { $0[$1] }.int ?? 0)" }
    }

    /// What once was a field of a DaemonSet's spec counts its templates.
    private static let templateGeneration = "deprecated.daemonset.template.generation"

    static let daemonSet = KindDefinition(
        .daemonSets, "daemonset", ["ds"], type: "apps:DaemonSet", [.status], hasGeneration: true,
        columns: [
            .name, count("Desired", "status", "desiredNumberScheduled"), count("Current", "status", "currentNumberScheduled"),
            count("Ready", "status", "numberReady"), count("Up-to-date", "status", "updatedNumberScheduled"),
            count("Available", "status", "numberAvailable"),
            Column("Node Selector") { object, _ in Column.labels(object["spec"]["template"]["spec"]["nodeSelector"]) }, .age,
            containersColumn, imagesColumn, selectorColumn,
        ],
        prepare: { object in
            prepareTemplate(&object)
            if object["metadata"]["annotations"][templateGeneration].isNull {
                object["metadata"]["annotations"][templateGeneration] = "1"
            }
            guard object["spec"]["updateStrategy"]["type"].string == "RollingUpdate" else { return }
            if object["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"].isNull {
                object["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"] = 1
            }
            if object["spec"]["updateStrategy"]["rollingUpdate"]["maxSurge"].isNull {
                object["spec"]["updateStrategy"]["rollingUpdate"]["maxSurge"] = 0
            }
        },
        validate: { validateWorkload("daemonset")($0, $1, $2) + RolloutValidation.daemonSet($0, $1, $2) }
    ).with {
        $0.categories = ["all"]
        $0.warn = warnTemplate
        $0.hooks = templateHooks { $0["spec"]["template"] }
        $0.prepareForUpdate = { object, old in
            let then = Int(old["metadata"]["annotations"][templateGeneration].string ?? "") ?? 1
            var template = object["spec"]["template"]
            PodRules.prepare(&template["spec"])
            let isSame = template == old["spec"]["template"]
            object["metadata"]["annotations"][templateGeneration] = .string("\(isSame ? then : then + 1)")
        }
        $0.validateStatus = StatusValidation.counts([
            "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady", "updatedNumberScheduled",
            "numberAvailable",
            "numberUnavailable",
        ])
    }

    static let statefulSet = KindDefinition(
        .statefulSets, "statefulset", ["sts"], type: "apps:StatefulSet", [.status, .scale], hasGeneration: true,
        columns: [
            .name, Column("Ready") { object, _ in "\(object["status"]["readyReplicas"].int ?? 0)/\(object["spec"]["replicas"].int ?? 0)" },
            .age,
            containersColumn, imagesColumn,
        ],
        prepare: { object in
            prepareTemplate(&object)
            if object["spec"]["updateStrategy"]["type"].string == "RollingUpdate",
                object["spec"]["updateStrategy"]["rollingUpdate"]["partition"].isNull
            {
                object["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 0
            }
            guard let claims = object["spec"]["volumeClaimTemplates"].array else { return }
            object["spec"]["volumeClaimTemplates"] = .array(
                claims.map { claim in
                    var claim = claim
                    (claim["apiVersion"], claim["kind"]) = ("v1", "PersistentVolumeClaim")
                    return claim
                })
        },
        validate: { object, old, context in
            var causes = validateWorkload("statefulset", selectorIsFixed: false)(object, old, context)
            causes += RolloutValidation.statefulSet(object, old, context)
            for (index, claim) in object["spec"]["volumeClaimTemplates"].items.enumerated() where old == nil {
                causes += ClaimValidation.spec(claim["spec"], "spec.volumeClaimTemplates[\(index)].spec")
            }
            if let old {
                var then = old["spec"], now = object["spec"]
                for field in [
                    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy",
                    "minReadySeconds",
                ] {
                    then[field] = .null
                    now[field] = .null
                }
                if then != now {
                    causes.append(
                        .forbidden(
                            "spec",
                            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
                        ))
                }
            }
            return causes
        }
    ).with {
        $0.categories = ["all"]
        $0.nameRule = .label
        $0.warn = warnStatefulSet
        $0.hooks = templateHooks { $0["spec"]["template"] }
        $0.validateStatus = StatusValidation.counts(
            ["replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas", "collisionCount"],
            parts: ["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"], ready: "status.readyReplicas",
            collides: false)
    }

    private static let warnStatefulSet: @Sendable (JSON) -> [String] = { object in
        var texts = warnTemplate(object)
        for (index, claim) in object["spec"]["volumeClaimTemplates"].items.enumerated() {
            let path = "spec.volumeClaimTemplates[\(index)].resources"
            for half in ["limits", "requests"] {
                texts += PodWarnings.fractions(claim["spec"]["resources"][half], ["storage"], "\(path).\(half)")
            }
        }
        if let limit = object["spec"]["revisionHistoryLimit"].int, limit < 0 {
            texts.append(
                "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended")
        }
        return texts
    }

    static let replicationController = KindDefinition(
        .replicationControllers, "replicationcontroller", ["rc"], type: "core:ReplicationController", [.status, .scale],
        hasGeneration: true,
        columns: [
            .name, count("Desired", "spec", "replicas"), count("Current", "status", "replicas"), count("Ready", "status", "readyReplicas"),
            .age,
            containersColumn, imagesColumn, Column("Selector", wide: true) { object, _ in Column.labels(object["spec"]["selector"]) },
        ],
        prepare: { object in
            prepareTemplate(&object)
            // A controller without a selector or labels takes those of its pods.
            let labels = object["spec"]["template"]["metadata"]["labels"]
            if object["spec"]["selector"].isNull { object["spec"]["selector"] = labels }
            if object["metadata"]["labels"].isNull { object["metadata"]["labels"] = labels }
        },
        validate: { object, old, context in
            // Its selector is a plain map.
            func asSelector(_ object: JSON) -> JSON {
                var copy = object
                copy["spec"]["selector"] = object["spec"]["selector"].isNull ? .null : ["matchLabels": object["spec"]["selector"]]
                return copy
            }
            if object["spec"]["template"].isNull {
                let isFree = (object["spec"]["selector"].object ?? JSONObject()).isEmpty
                return (isFree ? [.required("spec.selector")] : []) + [.required("spec.template")]
            }
            return validateWorkload("replicationcontroller", selectorIsFixed: false)(asSelector(object), old.map(asSelector), context)
        }
    ).with {
        $0.selectableFields = ["status.replicas"]
        $0.categories = ["all"]
        $0.warn = warnTemplate
        $0.hooks = templateHooks { $0["spec"]["template"] }
        $0.validateStatus = replicaStatus
        $0.scale = .replicationController
    }

    static let replicaStatus = StatusValidation.counts(
        ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
        parts: ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"], ready: "readyReplicas")

    static let podTemplate = KindDefinition(
        .podTemplates, "podtemplate", type: "core:PodTemplate", hasGeneration: true,
        columns: [
            .name,
            Column("Containers") { object, _ in
                object["template"]["spec"]["containers"].items.compactMap { $0["name"].string }.joined(separator: ",")
            },
            Column("Images") { object, _ in
                object["template"]["spec"]["containers"].items.compactMap { $0["image"].string }.joined(separator: ",")
            },
            Column("Pod Labels") { object, _ in Column.labels(object["template"]["metadata"]["labels"]) },
        ],
        prepare: { PodRules.prepare(&$0["template"]["spec"]) },
        validate: { object, _, _ in
            let template = object["template"]
            let causes =
                PodValidation.validate(template["spec"], "template.spec") + Names.labels(template["metadata"]["labels"], "template.labels")
            if template["spec"]["ephemeralContainers"].items.isEmpty { return causes }
            return causes + [.forbidden("template.spec.ephemeralContainers", "ephemeral containers not allowed in pod template")]
        }
    ).with { $0.hooks = templateHooks { $0["template"] } }

    static let controllerRevision = KindDefinition(
        .controllerRevisions, "controllerrevision", type: "apps:ControllerRevision",
        columns: [
            .name,
            Column("Controller") { object, _ in
                let owner = object["metadata"]["ownerReferences"].items.first { $0["controller"].bool == true }
                guard let owner, let kind = owner["kind"].string else { return "<none>" }
                let group = owner["apiVersion"].string?.split(separator: "/").first.map(String.init) ?? ""
                return "\(kind.lowercased()).\(group)/\(owner["name"].string ?? "")"
            },
            .number("Revision") { $0["revision"].int ?? 0 }, .age,
        ],
        validate: { object, old, _ in
            var causes: [StatusError.Cause] = []
            if old == nil, object["data"].isNull { causes.append(.required("data", "data is mandatory")) }
            if let revision = object["revision"].int, revision < 0 {
                causes.append(.invalid("revision", .int(revision), "must be greater than or equal to 0"))
            }
            guard let old, old["data"] != object["data"] else { return causes }
            return causes + [.invalid("data", object["data"], "field is immutable")]
        })
}
