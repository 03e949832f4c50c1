import Model

/// What Kubernetes asks of a label selector. (k8s.io/apimachinery/pkg/apis/meta/v1/validation, ValidateLabelSelector)
enum SelectorRules {
    static func validate(_ selector: JSON, _ path: String) -> [StatusError.Cause] {
        Names.labels(selector["matchLabels"], "\(path).matchLabels")
            + selector["matchExpressions"].items.enumerated().flatMap { expression($1, "\(path).matchExpressions[\($0)]") }
    }

    private static func expression(_ expression: JSON, _ path: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        let values = expression["values"].items
        switch expression["operator"].string ?? "" {
        case "In", "NotIn":
            if values.isEmpty { causes.append(.required("\(path).values", "must be specified when `operator` is 'In' or 'NotIn'")) }
        case "Exists", "DoesNotExist":
            if !values.isEmpty {
                causes.append(.forbidden("\(path).values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
            }
        default: causes.append(.invalid("\(path).operator", .string(expression["operator"].string ?? ""), "not a valid selector operator"))
        }
        let key = expression["key"].string ?? ""
        causes += Names.each("\(path).key", key, Names.qualifiedNameComplaints(key))
        for (index, value) in values.enumerated() {
            let text = value.string ?? ""
            causes += Names.each("\(path).values[\(index)]", text, Names.labelValueComplaints(text))
        }
        return causes
    }
}
