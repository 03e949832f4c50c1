import Model

/// The blocks of all nodes, as they stand in the API.
package struct CalicoNodeBlocks: Sendable {
    let client: any Client

    package init(client: any Client) { self.client = client }

    /// Gives back those whose nodes are none of these; which they were.
    package func release(keeping nodes: Set<String>) async throws -> [IPNetwork] {
        var released: [IPNetwork] = []
        for object in try await client.list(.calicoAffinities, namespace: nil, selector: nil).items {
            guard let node = object["spec"]["node"].string, !nodes.contains(node),
                let range = object["spec"]["cidr"].string.flatMap({ IPNetwork($0) })
            else { continue }
            let key = ObjectKey("", CalicoBlock.name(range))
            if let block = try await client.find(.calicoBlocks, key).flatMap({ CalicoBlock($0) }), block.node == node {
                for handle in block.handles { try await delete(.calicoHandles, ObjectKey("", CalicoAddresses.name(handle))) }
                try await delete(.calicoBlocks, key)
            }
            // Last: who fails before begins again here.
            try await delete(.calicoAffinities, ObjectKey("", object.metadata.name))
            released.append(range)
        }
        return released
    }

    private func delete(_ resource: Resource, _ key: ObjectKey) async throws {
        do { try await client.delete(resource, key) } catch let error as StatusError where error.reason == .notFound {}
    }
}
