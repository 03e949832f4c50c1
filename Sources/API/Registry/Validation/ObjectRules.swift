import Model

/// What holds for the metadata of every kind. (k8s.io/apimachinery/pkg/api/validation)
enum ObjectRules {
    static func validate(_ object: JSON, _ kind: KindDefinition) -> [StatusError.Cause] {
        let metadata = object["metadata"]
        let name = metadata["name"].string ?? ""
        var causes: [StatusError.Cause] = []
        if name.isEmpty {
            causes.append(.required("metadata.name", "name or generateName is required"))
        } else if let complaint = complaint(name, kind.resource) {
            causes.append(.invalid("metadata.name", .string(name), complaint))
        }
        causes += Names.labels(metadata["labels"], "metadata.labels")
        let annotations = metadata["annotations"].stringMap
        for key in annotations.keys.sorted() where !Names.isQualifiedName(key.lowercased()) {
            causes.append(.invalid("metadata.annotations", .string(key), Names.qualifiedNameMessage))
        }
        let size = annotations.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        if size > 256 * 1024 { causes.append(.tooLong("metadata.annotations", 256 * 1024)) }
        for (index, finalizer) in metadata["finalizers"].items.enumerated() {
            let text = finalizer.string ?? ""
            if !Names.isQualifiedName(text) {
                causes.append(.invalid("metadata.finalizers[\(index)]", finalizer, Names.qualifiedNameMessage))
            }
        }
        let managers = metadata["ownerReferences"].items.filter { $0["controller"].bool == true }
        if managers.count > 1 {
            causes.append(
                .invalid(
                    "metadata.ownerReferences", metadata["ownerReferences"],
                    "Only one reference can have Controller set to true. Found \"true\" in references for \(managers.map { "\($0["kind"].string ?? "")/\($0["name"].string ?? "")" }.joined(separator: " and "))"
                ))
        }
        return causes
    }

    private static func complaint(_ name: String, _ resource: Resource) -> String? {
        switch resource {
        case .services, .namespaces:
            if name.utf8.count > 63 { return "must be no more than 63 bytes" }
            let isService = resource == .services
            if Names.isLabel(name), !isService || name.first?.isNumber != true { return nil }
            return isService ? Names.dns1035Message : Names.labelMessage
        case .ipAddresses: return nil  // its name is an address, and its own validation says so
        case .roles, .roleBindings, .clusterRoles, .clusterRoleBindings:
            // A path segment, no more: system:node has a colon.
            if [".", ".."].contains(name) { return "may not be '\(name)'" }
            return name.contains("/") || name.contains("%") ? "may not contain '\(name.contains("/") ? "/" : "%")'" : nil
        default:
            if name.utf8.count > 253 { return "must be no more than 253 bytes" }
            return Names.isSubdomain(name) ? nil : Names.subdomainMessage
        }
    }
}
