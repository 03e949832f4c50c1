import ArgumentParser
import Lab
import Model

struct LinkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link", abstract: "Make a node's link slow, lossy or dead.",
        discussion: """
            minik link k8s-node1 --delay 50ms --jitter 5ms --loss 1% --rate 10mbit --corrupt 0.1% --reorder 25%
            minik link clear k8s-node1
            minik link partition k8s-node1

            Both directions of the link between the node and the LAN, so that a ping over it takes twice the delay. The cluster's document has it
            under spec.links; it outlives the node's restarts and the daemon.
            """,
        subcommands: [LinkSet.self, LinkClear.self, LinkPartition.self, LinkHeal.self, LinkLs.self], defaultSubcommand: LinkSet.self)
}

/// Whose link it is.
struct LinkArgument: ParsableArguments {
    @OptionGroup var options: ClusterOptions
    @Argument(help: ArgumentHelp("The node.", valueName: "node")) var node: String

    /// Changes it, and prints what it is then.
    func change(_ body: (inout Cluster.NodeLink) throws -> Void) throws {
        let link = try NodeLinks(try options.paths()).change(node, body)
        let words = Cluster.NodeLink.Field.allCases.compactMap { field in link.text(of: field).map { "\(field.rawValue) \($0)" } }
        let all = (link.isPartitioned ? ["cut off; heal it: minik link heal \(node)"] : []) + words
        print("link of \(node): \(all.isEmpty ? "plain" : all.joined(separator: ", "))")
    }
}
