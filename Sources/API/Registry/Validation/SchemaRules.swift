import Model

/// What a schema says of its rules in CEL, but for the rules themselves, which are kept and not read.
/// (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation, ValidateCustomResourceDefinitionOpenAPISchema)
enum SchemaRules {
    private static let reasons = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"]

    static func causes(_ schema: JSON, _ path: String) -> [StatusError.Cause] {
        schema["x-kubernetes-validations"].items.enumerated().flatMap { causes(of: $1, schema, "\(path)[\($0)]") }
    }

    private static func causes(of rule: JSON, _ schema: JSON, _ path: String) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        let text = rule["rule"].string ?? "", message = rule["message"].string ?? ""
        if text.trimmed.isEmpty { causes.append(.required("\(path).rule", "rule is not specified")) }
        if !message.isEmpty, message.trimmed.isEmpty {
            causes.append(.invalid("\(path).message", rule["message"], "message must be non-empty if specified"))
        } else if message.contains("\n") {
            causes.append(.invalid("\(path).message", rule["message"], "message must not contain line breaks"))
        } else if message.isEmpty, text.contains("\n") {
            causes.append(.required("\(path).message", "message must be specified if rule contains line breaks"))
        }
        if let reason = rule["reason"].string, !reasons.contains(reason) {
            let known = reasons.map { "\"\($0)\"" }.joined(separator: ", ")
            causes.append(.notSupported("\(path).reason", rule["reason"], known))
        }
        if let field = rule["fieldPath"].string, !field.isEmpty, SchemaPath(field)?.leads(into: schema) == nil {
            causes.append(.invalid("\(path).fieldPath", rule["fieldPath"], "must be a valid path"))
        }
        if rule["optionalOldSelf"].bool == true, !text.contains("oldSelf") {
            causes.append(.invalid("\(path).optionalOldSelf", true, "may not be set if oldSelf is not used in rule"))
        }
        return causes
    }
}
