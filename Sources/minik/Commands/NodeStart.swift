import ArgumentParser
import Lab

struct NodeStart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Boot a node that was stopped.",
        discussion: "Its pods' containers begin anew, with what was in memory gone.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var node: NodeArgument

    func run() async throws {
        try await NodeSwitch(client: try options.client()).perform(.start, on: node.name)
        print("node \(node.name) is running")
    }
}
