/// A typed view of a JSON document: reads and writes go through to it, fields it does not name are kept.
package protocol Object: Sendable, Hashable {
    static var resource: Resource { get }
    var json: JSON { get set }
    init(_ json: JSON)
}

extension Object {
    package var name: String {
        get { json["metadata"]["name"].string ?? "" }
        set { json["metadata"]["name"] = .string(newValue) }
    }
    package var metadata: ObjectMeta { json.metadata }
    package var namespace: String { metadata.namespace }
    package var uid: String { metadata.uid }
    package var labels: [String: String] { metadata.labels }
    package var annotations: [String: String] { metadata.annotations }
    package var resourceVersion: String { metadata.resourceVersion }
    package var generation: Int { metadata.generation }
    package var creationTimestamp: Timestamp? { json["metadata"]["creationTimestamp"].string.flatMap(Timestamp.init) }
    package var isBeingDeleted: Bool { metadata.isBeingDeleted }
    package var key: ObjectKey { metadata.key }
    package var spec: JSON { json["spec"] }
    package var status: JSON {
        get { json["status"] }
        set { json["status"] = newValue }
    }

    /// The owner that manages this object (`controller: true`), if it has one.
    package var controllerOwner: (kind: String, name: String, uid: String)? {
        metadata.controller.map { ($0["kind"].string ?? "", $0["name"].string ?? "", $0["uid"].string ?? "") }
    }

    /// An ownerReferences entry that names this object as the managing owner.
    package var ownerReference: JSON {
        [
            "apiVersion": .string(Self.resource.apiVersion), "kind": .string(Self.resource.kind), "name": .string(name),
            "uid": .string(uid), "controller": true, "blockOwnerDeletion": true,
        ]
    }
}

/// Namespace and name; the namespace of cluster-wide objects is empty.
package struct ObjectKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let namespace: String
    package let name: String

    package init(_ namespace: String, _ name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// Where an object says that it is; one that names no namespace is in none.
    package init(of object: JSON) {
        self.init(object["metadata"]["namespace"].string ?? "", object["metadata"]["name"].string ?? "")
    }

    package var description: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }
    /// In the order of `namespace/name`: `a-b/x` stands before `a/x`.
    package static func < (a: ObjectKey, b: ObjectKey) -> Bool {
        if a.namespace == b.namespace { return a.name < b.name }
        // What follows the name decides only where one begins with the other.
        guard a.namespace.hasPrefix(b.namespace) || b.namespace.hasPrefix(a.namespace) else { return a.namespace < b.namespace }
        return "\(a.namespace)/" < "\(b.namespace)/"
    }
}
