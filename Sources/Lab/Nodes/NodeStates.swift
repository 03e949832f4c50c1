import API
import Host
import Model
import Runtime

/// A cluster's nodes as machines: their switches, and what the API takes them for.
package struct NodeStates {
    private let paths: ClusterPaths
    private let cluster: Cluster

    package init(_ cluster: Cluster, _ paths: ClusterPaths) { (self.cluster, self.paths) = (cluster, paths) }

    package struct Row {
        package let node: Cluster.NodeSpec
        package let state: NodePower.State
        package let since: Timestamp?
        package let isPartitioned: Bool
        /// As the Node's Ready condition has it; nil: there is no such Node.
        package let ready: String?
        package let bootID: String

        package var json: JSON {
            [
                "name": .string(node.name), "state": .string(state.rawValue), "since": JSON(since?.description),
                "partitioned": .bool(isPartitioned), "ready": JSON(ready),
                "addresses": .array(node.addresses.map { .string("\($0)") }), "bootID": .string(bootID),
            ]
        }
    }

    package func rows(_ client: any Client) async throws -> [Row] {
        let nodes = Dictionary(try await client.list(Node.self).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        return cluster.nodes.map { spec in
            let power = NodePower(spec.name, paths)
            return Row(
                node: spec, state: power.state, since: power.since, isPartitioned: cluster.link(of: spec.name).isPartitioned,
                ready: nodes[spec.name].map { $0.status["conditions"].condition("Ready") ?? "Unknown" },
                bootID: nodes[spec.name]?.status["nodeInfo"]["bootID"].string ?? "")
        }
    }
}
