import Model

extension Resource {
    /// Where the real server keeps an object: its messages about conflicts name the place.
    func storageKey(of object: JSON) -> String {
        let namespace = object["metadata"]["namespace"].string ?? ""
        let place = [Self.storageFolders[plural] ?? plural, namespace, object["metadata"]["name"].string ?? ""]
        return "/" + place.filter { !$0.isEmpty }.joined(separator: "/")
    }

    /// Kinds that are kept under an older name.
    private static let storageFolders = [
        "endpoints": "services/endpoints", "ingresses": "ingress", "nodes": "minions", "replicationcontrollers": "controllers",
        "services": "services/specs",
    ]
}
