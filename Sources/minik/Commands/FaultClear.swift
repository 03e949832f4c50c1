import ArgumentParser
import Lab

struct FaultClear: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "clear", abstract: "Free nodes of a fault: all is as it was.")
    @OptionGroup var options: ClusterOptions
    @Argument(help: "The fault.") var name: String
    @Option(help: "The node; without, every node that has it.") var node: String?

    func run() async throws {
        let fault = try Fault.named(name)
        let injection = FaultInjection(try options.clusterDocument(), try options.paths())
        let nodes = try await injection.clear(fault, on: node, try options.client())
        print("\(nodes.joined(separator: ", ")): free of \(fault.name)")
    }
}
