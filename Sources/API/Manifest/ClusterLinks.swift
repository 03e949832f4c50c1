import Model

/// What a `Cluster` document says of the links between its nodes and the LAN.
enum ClusterLinks {
    static let schema = Schema.list(
        .object(
            [.init("node", .string, required: true), .init("partitioned", .bool)]
                + Cluster.NodeLink.Field.allCases.map { .init($0.rawValue, .string) }))

    static func links(_ json: JSON, of nodes: [Cluster.NodeSpec], _ fail: (String, String) -> ManifestError) throws -> [Cluster.NodeLink] {
        var links: [Cluster.NodeLink] = []
        for (index, item) in json.items.enumerated() {
            let path = "spec.links[\(index)]", node = item["node"].string ?? ""
            guard nodes.contains(where: { $0.name == node }) else {
                throw fail("\(path).node", "there is no node \"\(node)\"; there are: \(nodes.map(\.name).joined(separator: ", "))")
            }
            guard !links.contains(where: { $0.node == node }) else { throw fail("\(path).node", "\"\(node)\" is there twice") }
            var link = Cluster.NodeLink(node: node)
            link.isPartitioned = item["partitioned"].bool ?? false
            do throws(Cluster.NodeLink.Problem) {
                for field in Cluster.NodeLink.Field.allCases { if let text = item[field.rawValue].string { try link.set(field, text) } }
                try link.check()
            } catch { throw fail("\(path).\(error.field.rawValue)", error.description) }
            if !link.isPlain { links.append(link) }
        }
        return links
    }
}
