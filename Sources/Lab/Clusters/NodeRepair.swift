import API
import Model
import Runtime

/// Has the daemon look at all nodes at once, and says what it found missing and made again.
package struct NodeRepair {
    let client: HTTPClient

    package init(client: HTTPClient) { self.client = client }

    /// What a look found at a node.
    package struct Finding: Sendable, Hashable, CustomStringConvertible {
        package let node: String
        package let words: String
        package var isMended: Bool { !words.hasPrefix(NodeKeeper.unmended) }

        package init(node: String, words: String) {
            self.node = node
            self.words = words
        }

        /// "repaired node n1: table ip kube-proxy was missing"
        package var sentence: String { "\(isMended ? "repaired" : "broken is") node \(node): \(words)" }

        /// As a line of `minik status`: "repaired n1: table ip kube-proxy was missing"
        package var description: String { isMended ? "repaired \(node): \(words)" : "broken   \(node): \(words)" }
    }

    package func found() async throws -> [Finding] {
        let answer = try await client.json("POST", "/minik/repair")
        guard case .object(let nodes) = answer else { return [] }
        return nodes.map { ($0, $1) }.sorted { $0.0 < $1.0 }.flatMap { node, found in
            found.items.map { Finding(node: node, words: $0.string ?? "") }
        }
    }
}
