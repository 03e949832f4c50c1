import Model

/// How a write through one path of a kind (the object itself or one of its subresources) becomes an object to store.
/// (upstream: rest.RESTUpdateStrategy, one for each storage of a kind)
package struct WriteStrategy: Sendable {
    package typealias Preparation = @Sendable (_ wanted: JSON, _ old: JSON, _ kind: KindDefinition) throws -> JSON
    package typealias Validation =
        @Sendable (_ object: JSON, _ old: JSON, _ kind: KindDefinition, _ context: ValidationContext) -> [StatusError.Cause]

    /// A member that is not taken from who writes through here, and whose values are not looked at.
    var ignored: String?
    /// The object `old` with what a write through here may change of it, as `wanted` has it.
    var prepareForUpdate: Preparation
    /// Kubernetes' complaints, beside those about the metadata.
    var validateUpdate: Validation
    /// Addresses, ports and shares of quotas are given out to what is written through here.
    var isAdmitted = true
    /// What the object says may be against its namespace's rules after such a write.
    var isReviewed = false

    /// The object itself: everything but its status.
    static let object = WriteStrategy(
        ignored: "status",
        prepareForUpdate: { wanted, old, kind in
            var object = wanted
            if kind.hasStatus { object["status"] = old["status"] }
            kind.prepareForUpdate(&object, old)
            kind.prepare(&object)
            return object
        },
        validateUpdate: { $2.validate($0, $1, $3) }, isReviewed: true)

    /// The status, and the labels and annotations with which whoever reports on an object marks it.
    static let status = WriteStrategy(
        ignored: "spec",
        prepareForUpdate: { wanted, old, _ in
            var object = old
            object["status"] = wanted["status"]
            for field in ["annotations", "labels"] { object["metadata"][field] = wanted["metadata"][field] }
            return object
        },
        validateUpdate: { $2.validateStatus($0, $1, $3) }, isAdmitted: false)

    /// A Deployment's status: its labels are its owner's.
    static let deploymentStatus = status.with {
        $0.prepareForUpdate = { wanted, old, kind in
            var object = try status.prepareForUpdate(wanted, old, kind)
            object["metadata"]["labels"] = old["metadata"]["labels"]
            return object
        }
    }

    /// A custom object's status, and nothing else; its schema speaks of the status, too.
    static let customStatus = WriteStrategy(
        ignored: "spec",
        prepareForUpdate: { wanted, old, _ in
            var object = old
            object["status"] = wanted["status"]
            return object
        },
        validateUpdate: { $2.validate($0, $1, $3) }, isAdmitted: false)

    /// What a namespace waits for before it goes.
    static let finalize = WriteStrategy(
        prepareForUpdate: { wanted, old, _ in
            var object = old
            object["spec"]["finalizers"] = wanted["spec"]["finalizers"]
            return object
        },
        validateUpdate: { $2.validate($0, $1, $3) }, isAdmitted: false)

    /// The fields that nobody owns for having written them through here.
    func unowned(_ kind: KindDefinition) -> FieldSet {
        guard let ignored, ignored != "status" || kind.hasStatus else { return FieldSet() }
        return FieldSet(paths: [[ignored]])
    }

    func with(_ change: (inout WriteStrategy) -> Void) -> WriteStrategy {
        var copy = self
        change(&copy)
        return copy
    }

    /// Whether a complaint about `field` is about something that is not taken from the writer anyway.
    func isIgnored(_ field: String) -> Bool { ignored.map { field == $0 || field.hasPrefix("\($0).") } ?? false }
}
