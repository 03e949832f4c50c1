import ArgumentParser

struct LinkPartition: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "partition", abstract: "Cut a node off: its port on the LAN is down.",
        discussion: """
            Its pods go on and reach each other; nobody else reaches them. Its kubelet does not reach the API: the node is NotReady after the
            grace period, and what tolerates that no longer is evicted.
            """)
    @OptionGroup var link: LinkArgument

    func run() async throws { try link.change { $0.isPartitioned = true } }
}
