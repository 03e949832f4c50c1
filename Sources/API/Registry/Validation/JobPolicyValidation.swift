import Model

/// What a Job's podFailurePolicy and successPolicy must be. (KEP-3329, KEP-3998; k8s.io/kubernetes/pkg/apis/batch/validation, in its words)
enum JobPolicyValidation {
    private static let mostRules = 20, mostExitCodes = 255, mostConditions = 20, longestIndexes = 64 * 1024

    // MARK: podFailurePolicy

    static func failurePolicy(_ spec: JSON, _ path: String) -> [StatusError.Cause] {
        guard !spec["podFailurePolicy"].isNull else { return [] }
        let rules = spec["podFailurePolicy"]["rules"].items, template = spec["template"]["spec"]
        let containers = (template["containers"].items + template["initContainers"].items).compactMap { $0["name"].string }
        var causes: [StatusError.Cause] = []
        if rules.count > mostRules { causes.append(.tooMany("\(path).rules", rules.count, mostRules)) }
        for (index, rule) in rules.enumerated() {
            let here = "\(path).rules[\(index)]"
            causes += choice(rule["action"], ["Count", "FailIndex", "FailJob", "Ignore"], "\(here).action")
            if rule["action"].string == "FailIndex", spec["backoffLimitPerIndex"].isNull {
                causes.append(.invalid("\(here).action", rule["action"], "requires the backoffLimitPerIndex to be set"))
            }
            let codes = rule["onExitCodes"], conditions = rule["onPodConditions"].items
            if !codes.isNull { causes += exitCodes(codes, "\(here).onExitCodes", containers) }
            causes += podConditions(conditions, "\(here).onPodConditions")
            if !codes.isNull, !conditions.isEmpty {
                causes.append(whole(here, "specifying both OnExitCodes and OnPodConditions is not supported"))
            }
            if codes.isNull, conditions.isEmpty {
                causes.append(whole(here, "specifying one of OnExitCodes and OnPodConditions is required"))
            }
        }
        return causes
    }

    /// One of some values, which must be given.
    private static func choice(_ value: JSON, _ known: [String], _ field: String) -> [StatusError.Cause] {
        let text = value.string ?? "", list = known.map { "\"\($0)\"" }
        if text.isEmpty { return [.required(field, "valid values: [\(list.joined(separator: " "))]")] }
        return known.contains(text) ? [] : [.notSupported(field, value, list.joined(separator: ", "))]
    }

    /// About a rule as a whole, which the message does not repeat.
    private static func whole(_ field: String, _ message: String) -> StatusError.Cause {
        StatusError.Cause(reason: "FieldValueInvalid", message: "Invalid value: \(message)", field: field)
    }

    private static func exitCodes(_ requirement: JSON, _ path: String, _ containers: [String]) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        if let name = requirement["containerName"].string, !containers.contains(name) {
            causes.append(
                .invalid("\(path).containerName", .string(name), "must be one of the container or initContainer names in the pod template"))
        }
        causes += choice(requirement["operator"], ["In", "NotIn"], "\(path).operator")
        let values = requirement["values"].items.compactMap(\.int)
        if values.isEmpty {
            causes.append(.invalid("\(path).values", requirement["values"], "at least one value is required"))
        } else if values.count > mostExitCodes {
            causes.append(.tooMany("\(path).values", values.count, mostExitCodes))
        }
        var seen: Set<Int> = []
        for (index, value) in values.enumerated() {
            if requirement["operator"].string == "In", value == 0 {
                causes.append(.invalid("\(path).values[\(index)]", .int(value), "must not be 0 for the In operator"))
            }
            if !seen.insert(value).inserted { causes.append(.duplicate("\(path).values[\(index)]", .int(value))) }
        }
        if values != values.sorted() { causes.append(.invalid("\(path).values", requirement["values"], "must be ordered")) }
        return causes
    }

    private static func podConditions(_ patterns: [JSON], _ path: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        if patterns.count > mostConditions { causes.append(.tooMany(path, patterns.count, mostConditions)) }
        for (index, pattern) in patterns.enumerated() {
            let type = pattern["type"].string ?? ""
            causes += Names.each("\(path)[\(index)].type", type, Names.qualifiedNameComplaints(type))
            let status = pattern["status"].string ?? "True"
            if !["True", "False", "Unknown"].contains(status) {
                causes.append(.notSupported("\(path)[\(index)].status", .string(status), "\"False\", \"True\", \"Unknown\""))
            }
        }
        return causes
    }

    // MARK: successPolicy

    static func successPolicy(_ spec: JSON, _ path: String) -> [StatusError.Cause] {
        let rules = spec["successPolicy"]["rules"].items
        var causes: [StatusError.Cause] = []
        if rules.isEmpty {
            causes.append(.required("\(path).rules", "at least one rules must be specified when the successPolicy is specified"))
        }
        if rules.count > mostRules { causes.append(.tooMany("\(path).rules", rules.count, mostRules)) }
        for (index, rule) in rules.enumerated() {
            causes += successRule(rule, "\(path).rules[\(index)]", completions: spec["completions"].int ?? 0)
        }
        return causes
    }

    private static func successRule(_ rule: JSON, _ path: String, completions: Int) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        if rule["succeededCount"].isNull, rule["succeededIndexes"].isNull {
            causes.append(.required(path, "at least one of succeededCount or succeededIndexes must be specified"))
        }
        var total = 0
        if let text = rule["succeededIndexes"].string {
            if text.utf8.count > longestIndexes { causes.append(.tooLong("\(path).succeededIndexes", longestIndexes)) }
            do { total = try CompletionIndexes(validating: text, completions: completions).count } catch {
                causes.append(.invalid("\(path).succeededIndexes", .string(text), "error parsing succeededIndexes: \(error)"))
            }
        }
        guard let count = rule["succeededCount"].int else { return causes }
        func refuse(_ why: String) { causes.append(.invalid("\(path).succeededCount", .int(count), why)) }
        if count < 0 { refuse("must be greater than or equal to 0") }
        if count > completions { refuse("must be less than or equal to \(completions) (the number of specified completions)") }
        if !rule["succeededIndexes"].isNull, count > total {
            refuse("must be less than or equal to \(total) (the number of indexes in the specified succeededIndexes field)")
        }
        return causes
    }
}
