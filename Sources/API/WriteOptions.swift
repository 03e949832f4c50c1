import Model

/// How a write is meant.
package struct WriteOptions: Sendable {
    package enum FieldValidation: String, Sendable { case ignore = "Ignore", warn = "Warn", strict = "Strict" }

    /// Do everything but store.
    package var isDryRun = false
    /// Whom metadata.managedFields names; nil for the cluster's own parts, which it does not follow.
    package var fieldManager: String?
    package var fieldValidation = FieldValidation.strict
    /// Server-side apply takes over what others own.
    package var force = false
    /// Why a server-side apply or an update may not create its object; nil: it may.
    package var creationRefusal: StatusError?
    /// What stands twice in the object as it was sent, in the decoder's words.
    package var repeats: [String] = []
    /// What was found when it was read as another version.
    package var warnings: [String] = []
    /// The version as which the object came, where that is not the one that it is stored as.
    package var writtenVersion = ""

    package init() {}
}

/// How a deletion is meant (metav1.DeleteOptions).
package struct DeleteOptions: Sendable {
    package enum Propagation: String, Sendable { case orphan = "Orphan", background = "Background", foreground = "Foreground" }

    package var gracePeriod: Int?
    package var uid: String?
    package var resourceVersion: String?
    package var propagation = Propagation.background
    package var isDryRun = false

    package init() {}
}

/// A change to an object, in one of the forms that PATCH takes.
package enum Patch: Sendable {
    case merge(JSON)
    case json(JSON)
    case strategic(JSON)
    case apply(JSON)

    var isApply: Bool { if case .apply = self { true } else { false } }
}

/// What a write made of an object.
package struct Written: Sendable {
    package var object = JSON.null
    package var warnings: [String] = []
    package var wasCreated = false
    package var isGone = false
    /// What came could be read as the kind.
    var isWellFormed = true
    /// What was missed, or is none of a field's values, as it was read: told unless the kind's own rules speak of that field.
    var found: [StatusError.Cause] = []
}
