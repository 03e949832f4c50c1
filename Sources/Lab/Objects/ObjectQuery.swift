import API
import Model

/// Which objects `minik get` asks the API for.
package struct ObjectQuery {
    package static let tableAccept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

    private let namespace: String
    private let allNamespaces: Bool
    private let selector: String?
    private let fieldSelector: String?

    package init(namespace: String, allNamespaces: Bool, selector: String?, fieldSelector: String?) {
        self.namespace = namespace
        self.allNamespaces = allNamespaces
        self.selector = selector
        self.fieldSelector = fieldSelector
    }

    /// The path of an object, or of the list of them.
    package func path(_ item: ResourceArguments.Item) -> String {
        var query: [String] = []
        if item.name == nil {
            if let selector { query.append("labelSelector=\(URL.encode(selector))") }
            if let fieldSelector { query.append("fieldSelector=\(URL.encode(fieldSelector))") }
        }
        let namespace = allNamespaces && item.name == nil ? nil : namespace
        return item.kind.resource.path(namespace: namespace, name: item.name) + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
    }

    /// The path of what happens to them after `revision`.
    package func watchPath(_ item: ResourceArguments.Item, from revision: String) -> String {
        var path = item.kind.resource.path(namespace: allNamespaces ? nil : namespace) + "?watch=true&resourceVersion=\(revision)"
        if let selector { path += "&labelSelector=\(URL.encode(selector))" }
        let fields = (item.name.map { ["metadata.name=\($0)"] } ?? []) + (fieldSelector.map { [$0] } ?? [])
        if !fields.isEmpty { path += "&fieldSelector=\(URL.encode(fields.joined(separator: ",")))" }
        return path
    }
}
