/// What happened to an object.
package struct WatchEvent: Sendable {
    package enum Kind: String, Sendable { case added = "ADDED", modified = "MODIFIED", deleted = "DELETED", bookmark = "BOOKMARK" }
    package let kind: Kind
    package let object: JSON
    /// What a modified object was before, where the source of the event knows: a watch across the network does not.
    package let previous: JSON?
    /// What kind of object it is, where the source of the event knows.
    package let resource: Resource?

    package init(_ kind: Kind, _ object: JSON, previous: JSON? = nil, resource: Resource? = nil) {
        self.resource = resource
        self.kind = kind
        self.object = object
        self.previous = previous
    }
}
