import ArgumentParser

struct LinkHeal: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "heal", abstract: "Connect a node again that was cut off.")
    @OptionGroup var link: LinkArgument

    func run() async throws { try link.change { $0.isPartitioned = false } }
}
