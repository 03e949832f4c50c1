import Model

/// Where a pod wants to be, and beside whom. (k8s.io/kubernetes/pkg/apis/core/validation, validateAffinity and its parts)
enum AffinityValidation {
    private typealias Cause = StatusError.Cause

    static func validate(_ affinity: JSON, _ path: String) -> [StatusError.Cause] {
        guard !affinity.isNull else { return [] }
        return node(affinity["nodeAffinity"], "\(path).nodeAffinity")
            + ["podAffinity", "podAntiAffinity"].flatMap { pods(affinity[$0], "\(path).\($0)") }
    }

    // MARK: Nodes

    private static func node(_ affinity: JSON, _ path: String) -> [Cause] {
        let required = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
        let terms = "\(path).requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
        var causes: [Cause] = []
        if !required.isNull {
            if required["nodeSelectorTerms"].items.isEmpty { causes.append(.required(terms, "must have at least one node selector term")) }
            for (index, item) in required["nodeSelectorTerms"].items.enumerated() { causes += term(item, "\(terms)[\(index)]") }
        }
        for (index, item) in affinity["preferredDuringSchedulingIgnoredDuringExecution"].items.enumerated() {
            let here = "\(path).preferredDuringSchedulingIgnoredDuringExecution[\(index)]"
            causes += weight(item["weight"], here) + term(item["preference"], "\(here).preference")
        }
        return causes
    }

    private static func weight(_ weight: JSON, _ path: String) -> [Cause] {
        let number = weight.int ?? 0
        return (1...100).contains(number) ? [] : [.invalid("\(path).weight", .int(number), "must be in the range 1-100")]
    }

    /// A NodeSelectorTerm.
    static func term(_ term: JSON, _ path: String) -> [StatusError.Cause] {
        term["matchExpressions"].items.enumerated().flatMap { expression($1, "\(path).matchExpressions[\($0)]") }
            + term["matchFields"].items.enumerated().flatMap { field($1, "\(path).matchFields[\($0)]") }
    }

    private static func expression(_ rule: JSON, _ path: String) -> [Cause] {
        var causes: [Cause] = []
        let values = rule["values"].items, name = rule["operator"].string ?? ""
        switch name {
        case "In", "NotIn":
            if values.isEmpty { causes.append(.required("\(path).values", "must be specified when `operator` is 'In' or 'NotIn'")) }
        case "Exists", "DoesNotExist":
            if !values.isEmpty {
                causes.append(.forbidden("\(path).values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
            }
        case "Gt", "Lt":
            if values.count != 1 {
                causes.append(.required("\(path).values", "must be specified single value when `operator` is 'Lt' or 'Gt'"))
            }
        default: causes.append(.invalid("\(path).operator", .string(name), "not a valid selector operator"))
        }
        let key = rule["key"].string ?? ""
        causes += Names.each("\(path).key", key, Names.qualifiedNameComplaints(key))
        for (index, value) in values.enumerated() {
            let text = value.string ?? ""
            causes += Names.each("\(path).values[\(index)]", text, Names.labelValueComplaints(text))
        }
        return causes
    }

    private static func field(_ rule: JSON, _ path: String) -> [Cause] {
        var causes: [Cause] = []
        let values = rule["values"].items, name = rule["operator"].string ?? "", key = rule["key"].string ?? ""
        if ["In", "NotIn"].contains(name) {
            if values.count != 1 {
                causes.append(
                    .required("\(path).values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"))
            }
        } else {
            causes.append(.invalid("\(path).operator", .string(name), "not a valid selector operator"))
        }
        guard key == "metadata.name" else {
            return causes + [.invalid("\(path).key", .string(key), "not a valid field selector key")]
        }
        for (index, value) in values.enumerated() {
            let text = value.string ?? ""
            causes += Names.each("\(path).values[\(index)]", text, Names.subdomainComplaints(text))
        }
        return causes
    }

    // MARK: Pods

    private static func pods(_ affinity: JSON, _ path: String) -> [Cause] {
        affinity["requiredDuringSchedulingIgnoredDuringExecution"].items.enumerated().flatMap {
            podTerm($1, "\(path).requiredDuringSchedulingIgnoredDuringExecution[\($0)]")
        }
            + affinity["preferredDuringSchedulingIgnoredDuringExecution"].items.enumerated().flatMap { index, item in
                let here = "\(path).preferredDuringSchedulingIgnoredDuringExecution[\(index)]"
                return weight(item["weight"], here) + podTerm(item["podAffinityTerm"], "\(here).podAffinityTerm")
            }
    }

    private static func podTerm(_ term: JSON, _ path: String) -> [Cause] {
        var causes = SelectorRules.validate(term["labelSelector"], "\(path).labelSelector")
        causes += SelectorRules.validate(term["namespaceSelector"], "\(path).namespaceSelector")
        for name in term["namespaces"].items.compactMap(\.string) {
            causes += Names.each("\(path).namespace", name, Names.labelComplaints(name))
        }
        causes += labelKeys(term, path)
        return causes + topologyKey(term["topologyKey"], "\(path).topologyKey")
    }

    private static func topologyKey(_ key: JSON, _ path: String) -> [Cause] {
        let text = key.string ?? ""
        return (text.isEmpty ? [.required(path, "can not be empty")] : []) + Names.each(path, text, Names.qualifiedNameComplaints(text))
    }

    /// Keys whose values are the pod's own; the server adds them to the selector.
    private static func labelKeys(_ term: JSON, _ path: String) -> [Cause] {
        var causes: [Cause] = []
        let matching = term["matchLabelKeys"].items.compactMap(\.string)
        for field in ["matchLabelKeys", "mismatchLabelKeys"] {
            let keys = term[field].items
            if !keys.isEmpty, term["labelSelector"].isNull {
                causes.append(.forbidden("\(path).\(field)", "must not be specified when labelSelector is not set"))
            }
            for (index, key) in keys.enumerated() {
                let text = key.string ?? "", here = "\(path).\(field)[\(index)]"
                causes += Names.each(here, text, Names.qualifiedNameComplaints(text))
            }
        }
        let selector = term["labelSelector"], rules = selector["matchExpressions"].items
        for (index, key) in matching.enumerated()
        where !selector["matchLabels"][key].isNull || rules.count(where: { $0["key"].string == key }) > 1 {
            causes.append(.invalid("\(path)[\(index)]", .string(key), "exists in both matchLabelKeys and labelSelector"))
        }
        for (index, key) in matching.enumerated() where term["mismatchLabelKeys"].items.contains(.string(key)) {
            causes.append(
                .invalid("\(path).matchLabelKeys[\(index)]", .string(key), "exists in both matchLabelKeys and mismatchLabelKeys"))
        }
        return causes
    }

    // MARK: Spreading

    static func spread(_ constraints: JSON, _ path: String) -> [StatusError.Cause] {
        let pairs = constraints.items.map { [$0["topologyKey"].string ?? "", $0["whenUnsatisfiable"].string ?? ""] }
        let later = Dictionary(pairs.enumerated().map { ($1, $0) }, uniquingKeysWith: { max($0, $1) })
        return constraints.items.enumerated().flatMap { index, constraint -> [Cause] in
            let here = "\(path)[\(index)]"
            let when = constraint["whenUnsatisfiable"].string ?? "", key = constraint["topologyKey"].string ?? ""
            var causes = skew(constraint, when, here)
            causes +=
                key.isEmpty
                ? [.required("\(here).topologyKey", "can not be empty")] : topologyKey(constraint["topologyKey"], "\(here).topologyKey")
            if !["DoNotSchedule", "ScheduleAnyway"].contains(when) {
                causes.append(.notSupported("\(here).whenUnsatisfiable", .string(when), "\"DoNotSchedule\", \"ScheduleAnyway\""))
            }
            // The one that comes again is the one that is told.
            if later[[key, when], default: 0] > index {
                causes.append(.duplicate("\(here).{topologyKey, whenUnsatisfiable}", .string("{\(key), \(when)}")))
            }
            let keys = constraint["matchLabelKeys"].items
            if !keys.isEmpty, constraint["labelSelector"].isNull {
                causes.append(.forbidden("\(here).matchLabelKeys", "must not be specified when labelSelector is not set"))
            }
            for (number, key) in keys.enumerated() {
                let text = key.string ?? "", place = "\(here).matchLabelKeys[\(number)]"
                causes += Names.each(place, text, Names.qualifiedNameComplaints(text))
            }
            return causes + SelectorRules.validate(constraint["labelSelector"], "\(here).labelSelector")
        }
    }

    private static func skew(_ constraint: JSON, _ when: String, _ path: String) -> [Cause] {
        var causes: [Cause] = []
        let skew = constraint["maxSkew"].int ?? 0
        if skew <= 0 { causes.append(.invalid("\(path).maxSkew", .int(skew), "must be greater than zero")) }
        guard let domains = constraint["minDomains"].int else { return causes }
        if domains <= 0 { causes.append(.invalid("\(path).minDomains", .int(domains), "must be greater than zero")) }
        if when != "DoNotSchedule" {
            causes.append(
                .invalid(
                    "\(path).minDomains", .int(domains), "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not \(when)"))
        }
        return causes
    }
}
