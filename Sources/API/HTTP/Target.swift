import Model

/// The resource that a path names, and what of it is meant.
struct Target: Sendable {
    let kind: KindDefinition
    let namespace: String?
    let name: String?
    let subresource: String?
    /// What follows `proxy`.
    let rest: [String]
    /// The path itself says so.
    let isWatch: Bool

    var resource: Resource { kind.resource }
    /// Where its objects are kept.
    var stored: Resource { kind.storage?.resource ?? kind.resource }
    var key: ObjectKey { ObjectKey(resource.namespaced ? namespace ?? "default" : "", name ?? "") }

    /// The object as this version of its kind shows it.
    func present(_ object: JSON) -> JSON {
        guard let form = kind.storage else { return object }
        var shown = form.present(object)
        shown["apiVersion"] = .string(resource.apiVersion)
        return shown
    }

    /// A list as its kind has it. What of a typed kind a list holds, the list itself says; custom objects say it each.
    func list(_ items: [JSON], _ metadata: JSON) -> JSON {
        let bare = items.map { item in
            var item = item
            (item["kind"], item["apiVersion"]) = (.null, .null)
            return item
        }
        return [
            "kind": .string("\(resource.kind)List"), "apiVersion": .string(resource.apiVersion), "metadata": metadata,
            "items": .array(kind.isTyped ? bare : items),
        ]
    }

    /// Reads `/api/v1/namespaces/default/pods/web/log`; nil for what is no resource of `catalog`.
    init?(_ path: [String], _ catalog: KindCatalog) {
        guard let place = Place(path), let kind = catalog.kind(group: place.group, version: place.version, plural: place.plural) else {
            return nil
        }
        if kind.resource.namespaced ? place.namespace == nil && place.name != nil : place.namespace != nil { return nil }
        self.kind = kind
        namespace = place.namespace
        name = place.name
        subresource = place.subresource
        rest = place.rest
        isWatch = place.isWatch
        guard rest.isEmpty || subresource == "proxy" else { return nil }
    }

    /// A path's parts, whatever they name.
    struct Place: Sendable {
        let group: String
        let version: String
        var namespace: String?
        let plural: String
        var name: String?
        var subresource: String?
        var rest: [String] = []
        /// `/api/v1/watch/...`, as the path was before there was a parameter.
        var isWatch = false

        init?(_ path: [String]) {
            var parts = path[...]
            switch parts.popFirst() {
            case "api": group = ""
            case "apis":
                guard let first = parts.popFirst() else { return nil }
                group = first
            default: return nil
            }
            guard let version = parts.popFirst() else { return nil }
            self.version = version
            if parts.first == "watch", parts.count > 1 {
                isWatch = true
                parts = parts.dropFirst()
            }
            if parts.first == "namespaces", parts.count > 2,
                !["status", "finalize"].contains(parts[parts.startIndex + 2]) || parts.count > 3
            {
                namespace = parts.dropFirst().first
                parts = parts.dropFirst(2)
            }
            guard let plural = parts.popFirst() else { return nil }
            self.plural = plural
            name = parts.popFirst()
            subresource = parts.popFirst()
            rest = Array(parts)
            // Services and pods are proxied by `name`, `name:port` or `https:name:port`.
        }
    }

    /// The verb of RBAC for a request; none for a method that no object knows.
    static func verb(_ request: HTTPRequest, _ place: Place) -> String {
        switch request.method {
        case "GET" where place.isWatch: return "watch"
        case "GET", "HEAD": return place.name != nil ? "get" : request.isTrue("watch") ? "watch" : "list"
        case "POST": return "create"
        case "PUT": return "update"
        case "PATCH": return "patch"
        case "DELETE": return place.name == nil ? "deletecollection" : "delete"
        default: return ""
        }
    }
}
