import API
import Model

/// Asks the daemon to switch a node.
package struct NodeSwitch {
    private let client: HTTPClient

    package init(client: HTTPClient) { self.client = client }

    package func perform(_ verb: NodePowerAPI.Verb, on node: String) async throws {
        let problems: [String]
        do {
            problems = try await client.json("POST", "/minik/nodes/\(node)/\(verb.rawValue)")["problems"].items.compactMap(\.string)
        } catch let error as StatusError {
            guard error.reason != .notFound else { throw UserError("there is no node \"\(node)\"", hint: "see: minik node ls") }
            throw UserError(error.message)
        }
        guard problems.isEmpty else {
            throw UserError(
                "node \(node) runs, but not all of it could be made: \(problems.joined(separator: "; "))", hint: "see: minik status")
        }
    }
}
