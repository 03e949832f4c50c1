import ArgumentParser
import Lab

struct NodePause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Stop everything on a node, and its link.",
        discussion: "It gives no sign of life, and answers nobody, until minik node unpause: then its processes go on where they were.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var node: NodeArgument

    func run() async throws {
        try await NodeSwitch(client: try options.client()).perform(.pause, on: node.name)
        print("node \(node.name) is paused; let it go on: minik node unpause \(node.name)")
    }
}
