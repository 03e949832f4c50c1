import Model

/// The roles and bindings that every cluster has. (kubernetes.io/docs/reference/access-authn-authz/rbac, "Default roles and role bindings")
package enum BootstrapPolicy {
    package static let autoupdate = "rbac.authorization.kubernetes.io/autoupdate"
    private static let group = "rbac.authorization.k8s.io"

    /// Each object, roles before what binds them; roles that are made of others hold what those come to.
    package static let objects: [(Resource, JSON)] = read()

    private static func read() -> [(Resource, JSON)] {
        var objects: [(resource: Resource, object: JSON)] = []
        var unfinished = ""
        for line in text.split(separator: "\n") {
            if line.utf8.first != 0x20 {
                objects.append(open(line))
                continue
            }
            unfinished += line.drop { $0 == " " }
            if unfinished.hasSuffix(",") { continue }
            if let last = objects.indices.last { add(unfinished, to: &objects[last].object) }
            unfinished = ""
        }
        aggregate(&objects)
        let isBinding: (Resource) -> Bool = { [.roleBindings, .clusterRoleBindings].contains($0) }
        return objects.filter { !isBinding($0.resource) } + objects.filter { isBinding($0.resource) }
    }

    private static func open(_ line: Substring) -> (resource: Resource, object: JSON) {
        let words = line.split(separator: " ").map(String.init)
        let kind = words.first ?? "", path = words.dropFirst().first ?? ""
        let known: [String: Resource] = [
            "ClusterRole": .clusterRoles, "Role": .roles, "ClusterRoleBinding": .clusterRoleBindings, "RoleBinding": .roleBindings,
        ]
        let resource = known[kind] ?? .clusterRoles
        let name = resource.namespaced ? path.split(separator: "/", maxSplits: 1).map(String.init) : ["", path]
        var object: JSON = [
            "apiVersion": .string(resource.apiVersion), "kind": .string(resource.kind),
            "metadata": [
                "name": .string(name.last ?? ""), "namespace": resource.namespaced ? JSON.string(name.first ?? "") : .null,
                "labels": ["kubernetes.io/bootstrapping": "rbac-defaults"], "annotations": [autoupdate: "true"],
            ],
        ]
        for word in words.dropFirst(2) {
            if word.hasPrefix("to=") { object["metadata"]["labels"]["\(group)/aggregate-to-\(word.dropFirst(3))"] = "true" }
            if word.hasPrefix("from=") {
                object["aggregationRule"] = [
                    "clusterRoleSelectors": [["matchLabels": ["\(group)/aggregate-to-\(word.dropFirst(5))": "true"]]]
                ]
            }
        }
        if [.roleBindings, .clusterRoleBindings].contains(resource) {
            let role = words.dropLast().last == "->" ? words.last ?? "" : "ClusterRole/\(path)"
            let sides = role.split(separator: "/", maxSplits: 1).map { JSON.string(String($0)) }
            object["roleRef"] = ["apiGroup": .string(group), "kind": sides.first ?? "", "name": sides.last ?? ""]
        } else {
            object["rules"] = []
        }
        return (resource, object)
    }

    /// Adds what a line below an object says: a subject, or a rule.
    private static func add(_ line: String, to object: inout JSON) {
        let words = line.split(separator: " ").map(String.init)
        guard object["roleRef"].isNull else {
            var subject: JSON = ["kind": .string(words.first ?? "")]
            let path = (words.last ?? "").split(separator: "/", maxSplits: 1).map { JSON.string(String($0)) }
            subject["name"] = path.last ?? ""
            if words.first == "ServiceAccount" { subject["namespace"] = path.first ?? "" } else { subject["apiGroup"] = .string(group) }
            object["subjects"] = .array(object["subjects"].items + [subject])
            return
        }
        func list(_ word: String) -> JSON { .array(word.split(separator: ",").map { .string($0 == "core" ? "" : String($0)) }) }
        var rule: JSON = ["verbs": list(words[0])]
        if words.count > 2 {
            rule["apiGroups"] = list(String(words[1].dropLast()))
            rule["resources"] = list(words[2])
            if words.count > 3 { rule["resourceNames"] = list(words[3]) }
        } else {
            rule["nonResourceURLs"] = list(words.last ?? "")
        }
        object["rules"] = .array(object["rules"].items + [rule])
    }

    /// Gives roles that are made of others those others' rules, each once, as the ClusterRole aggregation controller does.
    private static func aggregate(_ objects: inout [(resource: Resource, object: JSON)]) {
        // `view` is a part of `edit`, and `edit` of `admin`.
        for name in ["view", "edit", "admin"] {
            guard let index = objects.firstIndex(where: { $0.resource == .clusterRoles && $0.object["metadata"]["name"].string == name })
            else { continue }
            let selectors = objects[index].object["aggregationRule"]["clusterRoleSelectors"].items.map { LabelSelector($0) }
            let parts = objects.filter { part in
                part.resource == .clusterRoles && selectors.contains { $0.matches(part.object["metadata"]["labels"].stringMap) }
            }.map(\.object).sorted { ($0["metadata"]["name"].string ?? "") < ($1["metadata"]["name"].string ?? "") }
            var rules: [JSON] = []
            for rule in parts.flatMap({ $0["rules"].items }) where !rules.contains(rule) { rules.append(rule) }
            objects[index].object["rules"] = .array(rules)
        }
    }
}
