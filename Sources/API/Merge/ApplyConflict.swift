import Model

/// Fields that a server-side apply would change, and others own. (k8s.io/apimachinery/pkg/util/managedfields, NewConflictError)
struct ApplyConflict: Error {
    let conflicts: [(entry: ManagedFields.Entry, fields: FieldSet)]

    init(_ conflicts: [(ManagedFields.Entry, FieldSet)]) {
        self.conflicts = conflicts.map { (entry: $0, fields: $1) }.sorted { $0.entry.manager < $1.entry.manager }
    }

    /// All that is contested.
    var fields: FieldSet { conflicts.reduce(FieldSet()) { $0.union($1.fields) } }

    var status: StatusError {
        let told = conflicts.flatMap { entry, fields in fields.paths.map { (manager: "\"\(entry.manager)\"\(entry.how)", path: $0) } }
        let causes = told.map {
            StatusError.Cause(reason: "FieldManagerConflict", message: "conflict with \($0.manager)", field: $0.path)
        }
        let message =
            told.count == 1
            ? "Apply failed with 1 conflict: conflict with \(told[0].manager): \(told[0].path)"
            : "Apply failed with \(told.count) conflicts: "
                + conflicts.map { entry, fields in
                    (["conflicts with \"\(entry.manager)\"\(entry.how):"] + fields.paths.map { "- \($0)" }).joined(separator: "\n")
                }.joined(separator: "\n")
        return StatusError(409, .conflict, message, causes: causes)
    }
}
