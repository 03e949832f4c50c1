import ArgumentParser
import Lab

struct NodeStop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Pull a node's plug: its processes end at once, and nothing is wound up.",
        discussion:
            "The node is NotReady after its grace period, and its pods are evicted when they tolerate it no longer. minik node start boots it."
    )
    @OptionGroup var options: ClusterOptions
    @OptionGroup var node: NodeArgument

    func run() async throws {
        try await NodeSwitch(client: try options.client()).perform(.stop, on: node.name)
        print("node \(node.name) is stopped; boot it: minik node start \(node.name)")
    }
}
