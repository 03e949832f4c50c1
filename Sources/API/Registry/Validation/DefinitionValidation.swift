import Model

/// What a CustomResourceDefinition must say. (k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation, in its words)
enum DefinitionValidation {
    private typealias Cause = StatusError.Cause

    static let validate: KindDefinition.Validation = { object, old, context in
        let spec = object["spec"]
        var causes = group(spec, "spec.group") + choice(spec["scope"], ["Cluster", "Namespaced"], "spec.scope")
        causes += versions(spec["versions"], "spec.versions") + names(spec["names"], "spec.names", areNeeded: true)
        causes += conversion(spec["conversion"], "spec.conversion")
        // An earlier version keeps what no field names, and may go on to.
        if context.writtenVersion.isEmpty { causes += preservation(spec, old) }
        for (index, version) in spec["versions"].items.enumerated() {
            causes += DefinitionVersionValidation.causes(version, "spec.versions[\(index)]")
        }
        causes += names(object["status"]["acceptedNames"], "status.acceptedNames", areNeeded: false)
        if object["status"]["storedVersions"].items.isEmpty {
            causes.append(.invalid("status.storedVersions", object["status"]["storedVersions"], "must have at least one stored version"))
        }
        guard let old else { return causes + name(object) + approval(object) }
        return causes + changes(object, old)
    }

    /// The values of a field that must be given.
    static func choice(_ value: JSON, _ known: [String], _ path: String) -> [StatusError.Cause] {
        let text = value.string ?? ""
        if text.isEmpty { return [.required(path)] }
        return known.contains(text) ? [] : [.notSupported(path, value, known.map { "\"\($0)\"" }.joined(separator: ", "))]
    }

    private static func name(_ object: JSON) -> [Cause] {
        let names = object["spec"]["names"], name = object["metadata"]["name"].string ?? ""
        if name.isEmpty || name == "\(names["plural"].string ?? "").\(object["spec"]["group"].string ?? "")" { return [] }
        return [.invalid("metadata.name", .string(name), "must be spec.names.plural+\".\"+spec.group")]
    }

    private static func group(_ spec: JSON, _ path: String) -> [Cause] {
        let group = spec["group"].string ?? "", complaints = Names.subdomainComplaints(group)
        if group.isEmpty { return [.required(path)] }
        if !complaints.isEmpty { return [.invalid(path, .string(group), complaints.joined(separator: ","))] }
        return group.contains(".") ? [] : [.invalid(path, .string(group), "should be a domain with at least one dot")]
    }

    private static func label(_ text: String, _ path: String, _ words: String = "", of written: String? = nil) -> [Cause] {
        let complaints = Names.dns1035Complaints(text)
        return complaints.isEmpty ? [] : [.invalid(path, .string(written ?? text), words + complaints.joined(separator: ","))]
    }

    private static func versions(_ list: JSON, _ path: String) -> [Cause] {
        let names = list.items.map { $0["name"].string ?? "" }
        var causes = names.enumerated().flatMap { label($1, "\(path)[\($0)].name") }
        if Set(names).count < names.count { causes.append(.invalid(path, list, "must contain unique version names")) }
        if list.items.count(where: { $0["storage"].bool == true }) != 1 {
            causes.append(.invalid(path, list, "must have exactly one version marked as storage version"))
        }
        // The first of them is also the version that there once was one of.
        if let first = names.first, !first.isEmpty { causes += label(first, "spec.version") }
        return causes
    }

    private static func names(_ names: JSON, _ path: String, areNeeded: Bool) -> [Cause] {
        var causes: [Cause] = []
        for field in ["plural", "singular", "kind", "listKind"] {
            let name = names[field].string ?? "", isKind = field.lowercased().hasSuffix("kind")
            if !name.isEmpty {
                let words = isKind ? "may have mixed case, but should otherwise match: " : ""
                causes += label(isKind ? name.lowercased() : name, "\(path).\(field)", words, of: name)
            } else if areNeeded {
                causes.append(.required("\(path).\(field)"))
            }
        }
        for list in ["shortNames", "categories"] {
            causes += names[list].items.enumerated().flatMap { label($1.string ?? "", "\(path).\(list)[\($0)]") }
        }
        if let kind = names["kind"].string, names["listKind"].string == kind {
            causes.append(.invalid("\(path).listKind", .string(kind), "kind and listKind may not be the same"))
        }
        return causes
    }

    private static func conversion(_ conversion: JSON, _ path: String) -> [Cause] {
        guard !conversion.isNull else { return [] }
        var causes = choice(conversion["strategy"], ["None", "Webhook"], "\(path).strategy")
        let isWebhook = conversion["strategy"].string == "Webhook", field = "\(path).webhookClientConfig"
        if isWebhook, conversion["webhook"]["clientConfig"].isNull {
            causes.append(.required(field, "required when strategy is set to Webhook"))
        } else if !isWebhook, !conversion["webhook"]["clientConfig"].isNull {
            causes.append(.forbidden(field, "should not be set when strategy is not set to Webhook"))
        }
        return causes
    }

    /// Objects are kept as their schema has them; the switch that once let them be as they came stays off.
    private static func preservation(_ spec: JSON, _ old: JSON?) -> [Cause] {
        guard spec["preserveUnknownFields"].bool == true else { return [] }
        let path = "spec.preserveUnknownFields"
        var causes: [Cause] = []
        if spec["versions"].items.contains(where: { hasDefaults($0["schema"]["openAPIV3Schema"]) }) {
            causes.append(.invalid(path, true, "must be false in order to use defaults in the schema"))
        }
        if old?["spec"]["preserveUnknownFields"].bool != true {
            let why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
            causes.append(.invalid(path, true, why))
        }
        return causes
    }

    private static func hasDefaults(_ schema: JSON) -> Bool {
        guard schema.object != nil else { return false }
        return !schema["default"].isNull || hasDefaults(schema["items"]) || hasDefaults(schema["additionalProperties"])
            || (schema["properties"].object ?? JSONObject()).contains { hasDefaults($0.value) }
    }

    /// Groups of Kubernetes' own are given out by its community. (KEP-1111)
    private static func approval(_ object: JSON) -> [Cause] {
        let group = object["spec"]["group"].string ?? "", key = "api-approved.kubernetes.io"
        let isProtected = ["k8s.io", "kubernetes.io"].contains { group == $0 || group.hasSuffix(".\($0)") }
        guard isProtected else { return [] }
        let path = "metadata.annotations[\(key)]", value = object["metadata"]["annotations"][key].string ?? ""
        let why = "protected groups must have approval annotation \"\(key)\""
        let hint = ", see https://github.com/kubernetes/enhancements/pull/1111"
        if value.isEmpty { return [.required(path, why + hint)] }
        if value.hasPrefix("unapproved") || value.hasPrefix("https://") || value.hasPrefix("http://") { return [] }
        return [.invalid(path, .string(value), "\(why) with either a URL or a reason starting with \"unapproved\"\(hint)")]
    }

    private static func changes(_ object: JSON, _ old: JSON) -> [Cause] {
        let isEstablished = old["status"]["conditions"].condition("Established") == "True"
        var causes: [Cause] = []
        func keep(_ field: String, _ now: JSON, _ then: JSON) {
            if now != then { causes.append(.invalid("spec.\(field)", now.isNull ? "" : now, "field is immutable")) }
        }
        let (now, then) = (object["spec"], old["spec"])
        if isEstablished {
            keep("scope", now["scope"], then["scope"])
            keep("names.kind", now["names"]["kind"], then["names"]["kind"])
        }
        keep("group", now["group"], then["group"])
        keep("names.plural", now["names"]["plural"], then["names"]["plural"])
        let names = Set(now["versions"].items.map { $0["name"] })
        for (index, stored) in object["status"]["storedVersions"].items.enumerated() where !names.contains(stored) {
            let name = stored.string ?? ""
            let why =
                "missing from spec.versions; \(name) was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in \(name) and removes \(name) from status.storedVersions"
            causes.append(.invalid("status.storedVersions[\(index)]", stored, why))
        }
        return causes
    }
}
