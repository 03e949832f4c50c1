/// What every object says of itself, whatever its kind. (metav1.ObjectMeta)
package struct ObjectMeta: Sendable {
    package let json: JSON

    package var name: String { json["name"].string ?? "" }
    package var namespace: String { json["namespace"].string ?? "" }
    package var uid: String { json["uid"].string ?? "" }
    package var resourceVersion: String { json["resourceVersion"].string ?? "" }
    package var generation: Int { json["generation"].int ?? 0 }
    package var labels: [String: String] { json["labels"].stringMap }
    package var annotations: [String: String] { json["annotations"].stringMap }
    package var finalizers: [JSON] { json["finalizers"].items }
    package var ownerReferences: [JSON] { json["ownerReferences"].items }
    package var isBeingDeleted: Bool { !json["deletionTimestamp"].isNull }
    package var key: ObjectKey { ObjectKey(namespace, name) }
    /// The number that every write moves on. (Comparable since Kubernetes 1.35, KEP-5504)
    package var revision: Int { json["resourceVersion"].string.flatMap { Int($0) } ?? 0 }

    /// The entry of the owner that manages the object (`controller: true`).
    package var controller: JSON? { ownerReferences.first { $0["controller"].bool == true } }
}

extension JSON {
    package var metadata: ObjectMeta { ObjectMeta(json: self["metadata"]) }
}
