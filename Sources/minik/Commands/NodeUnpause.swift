import ArgumentParser
import Lab

struct NodeUnpause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unpause", abstract: "Let a paused node go on.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var node: NodeArgument

    func run() async throws {
        try await NodeSwitch(client: try options.client()).perform(.unpause, on: node.name)
        print("node \(node.name) is running")
    }
}
