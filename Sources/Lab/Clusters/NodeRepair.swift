import API
import Model

/// Has the daemon look at all nodes at once, and says what it found missing and made again.
package struct NodeRepair {
    let client: HTTPClient

    package init(client: HTTPClient) { self.client = client }

    /// What was found, a line each: "n1: table ip kube-proxy was missing".
    package func found() async throws -> [String] {
        let answer = try await client.json("POST", "/minik/repair")
        guard case .object(let nodes) = answer else { return [] }
        return nodes.map { ($0, $1) }.sorted { $0.0 < $1.0 }.flatMap { node, found in found.items.map { "\(node): \($0.string ?? "")" } }
    }
}
