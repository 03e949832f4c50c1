/// What happened to an object.
package struct WatchEvent: Sendable {
    package enum Kind: String, Sendable { case added = "ADDED", modified = "MODIFIED", deleted = "DELETED", bookmark = "BOOKMARK" }
    package let kind: Kind
    package let object: JSON

    package init(_ kind: Kind, _ object: JSON) {
        self.kind = kind
        self.object = object
    }
}
