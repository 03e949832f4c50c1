import ArgumentParser
import Lab

struct NodeRestart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart", abstract: "Pull a node's plug and boot it.", discussion: "As minik node stop and start.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var node: NodeArgument

    func run() async throws {
        try await NodeSwitch(client: try options.client()).perform(.restart, on: node.name)
        print("node \(node.name) is running")
    }
}
