import Model

/// What a Job's spec must be, in a Job or in a CronJob's template. (k8s.io/kubernetes/pkg/apis/batch/validation, in its words)
struct JobValidation {
    private let spec: JSON
    private let path: String
    private var causes: [StatusError.Cause] = []

    /// Jobs of more indexes than this have lower limits for the rest.
    private static let manyCompletions = 100_000, mostIndexes = 100_000, mostIndexesOfMany = 10_000, longestManager = 63

    static func validate(_ spec: JSON, _ path: String) -> [StatusError.Cause] {
        var validation = JobValidation(spec: spec, path: path)
        validation.run()
        return validation.causes
    }

    private init(spec: JSON, path: String) {
        self.spec = spec
        self.path = path
    }

    private var isIndexed: Bool { spec["completionMode"].string == "Indexed" }

    private mutating func run() {
        for field in [
            "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "backoffLimitPerIndex",
            "maxFailedIndexes",
        ] {
            if let value = spec[field].int, value < 0 {
                causes.append(.invalid("\(path).\(field)", .int(value), "must be greater than or equal to 0"))
            }
        }
        if !spec["maxFailedIndexes"].isNull, spec["backoffLimitPerIndex"].isNull {
            causes.append(.required("\(path).backoffLimitPerIndex", "when maxFailedIndexes is specified"))
        }
        checkManager()
        if isIndexed { checkIndexes() } else if ["NonIndexed", ""].contains(spec["completionMode"].string ?? "") { checkNoIndexes() }
        causes += JobPolicyValidation.failurePolicy(spec, "\(path).podFailurePolicy")
        if !spec["successPolicy"].isNull {
            causes +=
                isIndexed
                ? JobPolicyValidation.successPolicy(spec, "\(path).successPolicy")
                : [.invalid("\(path).successPolicy", spec["successPolicy"], "requires indexed completion mode")]
        }
        if !spec["podFailurePolicy"].isNull, let policy = spec["podReplacementPolicy"].string, policy != "Failed" {
            causes.append(.notSupported("\(path).podReplacementPolicy", .string(policy), "\"Failed\""))
        }
        causes += PodValidation.validate(spec["template"]["spec"], "\(path).template.spec")
        causes += Names.labels(spec["template"]["metadata"]["labels"], "\(path).template.labels")
        checkRestartPolicy()
    }

    private mutating func checkManager() {
        guard let name = spec["managedBy"].string else { return }
        let field = "\(path).managedBy", parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if name.isEmpty {
            causes.append(.required(field))
        } else if parts.count != 2 || parts[0].isEmpty || parts[1].isEmpty {
            causes.append(.invalid(field, .string(name), "must be a domain-prefixed path (such as \"acme.io/foo\")"))
        } else {
            if !Names.isSubdomain(String(parts[0])) { causes.append(.invalid(field, .string(String(parts[0])), Names.subdomainMessage)) }
            if parts[1].wholeMatch(of: /[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+/) == nil {
                causes.append(
                    .invalid(
                        field, .string(String(parts[1])), "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"))
            }
        }
        if name.utf8.count > Self.longestManager { causes.append(.tooLong(field, Self.longestManager)) }
    }

    private mutating func checkIndexes() {
        let completions = spec["completions"].int, parallelism = spec["parallelism"].int ?? 0, most = spec["maxFailedIndexes"].int
        if completions == nil { causes.append(.required("\(path).completions", "when completion mode is Indexed")) }
        if parallelism > Self.mostIndexes {
            limit("parallelism", parallelism, Self.mostIndexes, " when completion mode is Indexed")
        }
        guard let completions else { return }
        if let most, most > completions {
            causes.append(.invalid("\(path).maxFailedIndexes", .int(most), "must be less than or equal to completions"))
        }
        if let most, most > Self.mostIndexes { limit("maxFailedIndexes", most, Self.mostIndexes, "") }
        guard completions > Self.manyCompletions, !spec["backoffLimitPerIndex"].isNull else { return }
        let why = " when completions are above \(Self.manyCompletions) and used with backoff limit per index"
        if most == nil {
            causes.append(.required("\(path).maxFailedIndexes", "must be specified when completions is above \(Self.manyCompletions)"))
        }
        if parallelism > Self.mostIndexesOfMany { limit("parallelism", parallelism, Self.mostIndexesOfMany, why) }
        if let most, most > Self.mostIndexesOfMany { limit("maxFailedIndexes", most, Self.mostIndexesOfMany, why) }
    }

    private mutating func limit(_ field: String, _ value: Int, _ most: Int, _ why: String) {
        causes.append(.invalid("\(path).\(field)", .int(value), "must be less than or equal to \(most)\(why)"))
    }

    private mutating func checkNoIndexes() {
        for field in ["backoffLimitPerIndex", "maxFailedIndexes"] where !spec[field].isNull {
            causes.append(.invalid("\(path).\(field)", spec[field], "requires indexed completion mode"))
        }
    }

    private mutating func checkRestartPolicy() {
        let field = "\(path).template.spec.restartPolicy", policy = spec["template"]["spec"]["restartPolicy"].string ?? "Always"
        switch policy {
        case "Never": break
        case "OnFailure":
            if !spec["podFailurePolicy"].isNull {
                causes.append(.invalid(field, .string(policy), "only \"Never\" is supported when podFailurePolicy is specified"))
            }
        case "Always": causes.append(.required(field, "valid values: \"OnFailure\", \"Never\""))
        default:
            for known in ["\"Always\", \"OnFailure\", \"Never\"", "\"OnFailure\", \"Never\""] {
                causes.append(.notSupported(field, .string(policy), known))
            }
        }
    }

    // MARK: A Job's own

    /// The selector is the one that the server chose, unless the user says that it is his, and the pods' labels those that go with it.
    static func generated(_ job: JSON) -> [StatusError.Cause] {
        let selector = job["spec"]["selector"], labels = job["spec"]["template"]["metadata"]["labels"], name = job["metadata"]["name"]
        guard job["spec"]["manualSelector"].bool != true, !selector.isNull else { return [] }
        let values = [("controller-uid", job["metadata"]["uid"].string ?? ""), ("job-name", name.string ?? "")]
        var causes: [StatusError.Cause] = [], expected: [String: String] = [:]
        for prefix in ["", "batch.kubernetes.io/"] {
            for (key, value) in values {
                expected[prefix + key] = value
                let field = "spec.template.metadata.labels[\(prefix)\(key)]", held = labels[prefix + key].string
                if held == nil {
                    causes.append(.required(field, "must be '\(value)'"))
                } else if held != value {
                    causes.append(.invalid(field, labels, "must be '\(value)'"))
                }
            }
        }
        if !LabelSelector(selector).matches(expected) {
            causes.append(.invalid("spec.selector", selector, "`selector` not auto-generated"))
        }
        return causes
    }

    /// Whoever chose it, the selector matches the pods that the job makes.
    static func selector(_ spec: JSON) -> [StatusError.Cause] {
        let selector = spec["selector"], labels = spec["template"]["metadata"]["labels"]
        var causes = selector.isNull ? [.required("spec.selector")] : SelectorRules.validate(selector, "spec.selector")
        if selector.isNull || !LabelSelector(selector).matches(labels.stringMap) {
            causes.append(.invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
        }
        return causes
    }

    /// The pods' host names carry the index, the largest of which must still fit.
    static func hostname(_ job: JSON) -> [StatusError.Cause] {
        guard job["spec"]["completionMode"].string == "Indexed", let count = job["spec"]["completions"].int, count > 0 else { return [] }
        let longest = "\(job["metadata"]["name"].string ?? "")-\(count - 1)"
        return Names.isLabel(longest)
            ? [] : [.invalid("metadata.name", job["metadata"]["name"], "will not able to create pod with invalid DNS label: \(longest)")]
    }

    static func update(_ job: JSON, _ old: JSON) -> [StatusError.Cause] {
        let (now, then) = (job["spec"], old["spec"])
        var causes: [StatusError.Cause] = []
        for field in ["selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
        where then[field] != now[field] {
            causes.append(.invalid("spec.\(field)", now[field], "field is immutable"))
        }
        if then["completions"] != now["completions"] {
            if now["completionMode"].string != "Indexed" {
                causes.append(.invalid("spec.completions", now["completions"], "field is immutable"))
            } else if !now["completions"].isNull, now["completions"] != now["parallelism"] {
                causes.append(.invalid("spec.completions", now["completions"], "can only be modified in tandem with spec.parallelism"))
            }
        }
        let template = fixed(now["template"], old: then["template"], isFree: isAtRest(old))
        for part in ["spec", "metadata"] where template[part] != then["template"][part] {
            causes.append(.invalid("spec.template.\(part)", now["template"][part], "field is immutable"))
        }
        return causes
    }

    /// Suspended, with no pods, and its suspension noted or never started: what it asks of nodes may change. (KEP-2926, KEP-5440)
    private static func isAtRest(_ job: JSON) -> Bool {
        let status = job["status"]
        return job["spec"]["suspend"].bool == true && status["active"].int ?? 0 == 0
            && (status["startTime"].isNull || status["conditions"].condition("Suspended") == "True")
    }

    /// The template with what may change at rest as it was: the directives of scheduling and the containers' resources.
    private static func fixed(_ template: JSON, old: JSON, isFree: Bool) -> JSON {
        guard isFree else { return template }
        var template = template
        for field in ["nodeSelector", "tolerations", "schedulingGates"] { template["spec"][field] = old["spec"][field] }
        for field in ["labels", "annotations"] { template["metadata"][field] = old["metadata"][field] }
        let then = old["spec"]["affinity"]
        var affinity = template["spec"]["affinity"].isNull ? JSON.emptyObject : template["spec"]["affinity"]
        affinity["nodeAffinity"] = then["nodeAffinity"]
        template["spec"]["affinity"] = then.isNull && affinity == .emptyObject ? .null : affinity
        for list in ["containers", "initContainers"] {
            guard let containers = template["spec"][list].array, containers.count == old["spec"][list].items.count else { continue }
            template["spec"][list] = .array(
                zip(containers, old["spec"][list].items).map { container, then in
                    var container = container
                    container["resources"] = then["resources"]
                    return container
                })
        }
        return template
    }
}
