import ArgumentParser
import Model

struct LinkClear: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "clear", abstract: "Make a node's link a plain one again.")
    @OptionGroup var link: LinkArgument

    func run() async throws {
        try link.change { link in
            var new = Cluster.NodeLink(node: link.node)
            new.isPartitioned = link.isPartitioned
            link = new
        }
    }
}
