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
    package var namespace: String { json["metadata"]["namespace"].string ?? "" }
    package var uid: String { json["metadata"]["uid"].string ?? "" }
    package var labels: [String: String] { json["metadata"]["labels"].stringMap }
    package var annotations: [String: String] { json["metadata"]["annotations"].stringMap }
    package var resourceVersion: String { json["metadata"]["resourceVersion"].string ?? "" }
    package var generation: Int { json["metadata"]["generation"].int ?? 0 }
    package var creationTimestamp: Timestamp? { json["metadata"]["creationTimestamp"].string.flatMap(Timestamp.init) }
    package var isBeingDeleted: Bool { !json["metadata"]["deletionTimestamp"].isNull }
    package var key: ObjectKey { ObjectKey(namespace, name) }
    package var spec: JSON { json["spec"] }
    package var status: JSON {
        get { json["status"] }
        set { json["status"] = newValue }
    }

    /// The owner that manages this object (`controller: true`), if it has one.
    package var controllerOwner: (kind: String, name: String, uid: String)? {
        for owner in json["metadata"]["ownerReferences"].items where owner["controller"].bool == true {
            return (owner["kind"].string ?? "", owner["name"].string ?? "", owner["uid"].string ?? "")
        }
        return nil
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

    package var description: String { namespace.isEmpty ? name : "\(namespace)/\(name)" }
    package static func < (a: ObjectKey, b: ObjectKey) -> Bool { (a.namespace, a.name) < (b.namespace, b.name) }
}
