import Model

/// What holds for the metadata of every kind. (k8s.io/apimachinery/pkg/api/validation)
enum ObjectRules {
    private static let standardFinalizers: Set<String> = ["kubernetes", "orphan", "foregroundDeletion"]

    static func validate(_ object: JSON, _ kind: KindDefinition) -> [StatusError.Cause] {
        let metadata = object["metadata"]
        let name = metadata["name"].string ?? ""
        var causes: [StatusError.Cause] = []
        if name.isEmpty {
            causes.append(.required("metadata.name", "name or generateName is required"))
        } else if let complaint = kind.nameRule.complaint(name) {
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
            causes += finalizerCauses(finalizer, "metadata.finalizers[\(index)]", areStandard: kind.isBuiltIn)
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

    /// `areStandard`: one without a domain is one of Kubernetes' own.
    static func finalizerCauses(_ finalizer: JSON, _ path: String, areStandard: Bool) -> [StatusError.Cause] {
        let text = finalizer.string ?? ""
        if !Names.isQualifiedName(text) { return [.invalid(path, finalizer, Names.qualifiedNameMessage)] }
        guard areStandard, !text.contains("/"), !standardFinalizers.contains(text) else { return [] }
        return [.invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified")]
    }

    /// What an update may not say of what is the server's. (ValidateObjectMetaUpdate)
    static func validateUpdate(_ object: JSON, old: JSON) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        let then = old["metadata"], now = object["metadata"]
        if then["deletionTimestamp"].isNull, !now["deletionTimestamp"].isNull {
            causes.append(.invalid("metadata.deletionTimestamp", now["deletionTimestamp"], "field is immutable"))
        }
        let grace = now["deletionGracePeriodSeconds"]
        if !grace.isNull, grace != then["deletionGracePeriodSeconds"] {
            causes.append(.invalid("metadata.deletionGracePeriodSeconds", grace, "field is immutable; may only be changed via deletion"))
        }
        return causes
    }

    /// Nobody can be asked to wind up what has been told to go. (ValidateNoNewFinalizers)
    static func validateFinalizers(_ object: JSON, old: JSON) -> [StatusError.Cause] {
        guard !old["metadata"]["deletionTimestamp"].isNull else { return [] }
        let had = Set(old["metadata"]["finalizers"].items)
        guard object["metadata"]["finalizers"].items.contains(where: { !had.contains($0) }) else { return [] }
        return [.forbidden("metadata.finalizers", "no new finalizers can be added if the object is being deleted, found new finalizers")]
    }
}
