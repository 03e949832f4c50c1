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
        } else {
            causes += Names.each("metadata.name", name, kind.nameRule.complaints(name))
        }
        causes += Names.labels(metadata["labels"], "metadata.labels")
        let annotations = metadata["annotations"].stringMap
        for key in annotations.keys.sorted() {
            causes += Names.each("metadata.annotations", key, Names.qualifiedNameComplaints(key.lowercased()))
        }
        let size = annotations.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        if size > 256 * 1024 { causes.append(.tooLong("metadata.annotations", 256 * 1024)) }
        causes += finalizers(metadata["finalizers"], "metadata.finalizers", areStandard: kind.isBuiltIn && !kind.namesFinalizersFreely)
        return causes + owners(metadata["ownerReferences"])
    }

    private static func owners(_ list: JSON) -> [StatusError.Cause] {
        let path = "metadata.ownerReferences"
        var causes: [StatusError.Cause] = []
        for owner in list.items {
            let version = owner["apiVersion"].string ?? "", parts = version.split(separator: "/", omittingEmptySubsequences: false)
            if parts.last ?? "" == "" || parts.count > 2 {
                causes.append(.invalid("\(path).apiVersion", .string(version), "version must not be empty"))
            }
            for field in ["kind", "name", "uid"] where (owner[field].string ?? "").isEmpty {
                causes.append(.invalid("\(path).\(field)", "", "must not be empty"))
            }
        }
        let managers = list.items.filter { $0["controller"].bool == true }
        if managers.count > 1 {
            let names = managers.prefix(2).map { "\($0["kind"].string ?? "")/\($0["name"].string ?? "")" }.joined(separator: " and ")
            for _ in managers.dropFirst() {
                causes.append(
                    .invalid(
                        path, list, "Only one reference can have Controller set to true. Found \"true\" in references for \(names)"))
            }
        }
        return causes
    }

    /// `areStandard`: one without a domain is one of Kubernetes' own.
    static func finalizers(_ list: JSON, _ path: String, areStandard: Bool, isEach: Bool = false) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        for (index, finalizer) in list.items.enumerated() {
            let text = finalizer.string ?? ""
            causes += Names.each(path, text, Names.qualifiedNameComplaints(text))
            guard areStandard, !text.contains("/"), !standardFinalizers.contains(text) else { continue }
            causes.append(
                .invalid(
                    isEach ? path : "\(path)[\(index)]", finalizer, "name is neither a standard finalizer name nor is it fully qualified"))
        }
        let names = Set(list.items.compactMap(\.string))
        if names.contains("orphan"), names.contains("foregroundDeletion") {
            causes.append(.invalid(path, list, "finalizer orphan and foregroundDeletion cannot be both set"))
        }
        return causes
    }

    /// What an update may not say of what is the server's. (ValidateObjectMetaUpdate)
    /// What an update's metadata is complained of, as often as the real server comes by it: its generic store looks at the metadata, and
    /// most strategies do so again, of the kind's object and of its update. Messages name each once, the causes all.
    static func repeating(_ causes: [StatusError.Cause], _ kind: KindDefinition) -> [StatusError.Cause] {
        causes.flatMap { cause -> [StatusError.Cause] in
            let times =
                switch cause.field {
                case "metadata.labels", "metadata.annotations", "metadata.ownerReferences": kind.metadataPasses
                case "metadata.deletionTimestamp": kind.metadataPasses > 2 ? 2 : 1
                case let field where field.hasPrefix("metadata.finalizers[") || field == "metadata.finalizers":
                    max(1, kind.metadataPasses - 2)
                default: 1
                }
            return Array(repeating: cause, count: times)
        }
    }

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
