import ArgumentParser
import Lab

struct FaultInject: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "inject", abstract: "Give a node a fault.")
    @OptionGroup var options: ClusterOptions
    @Argument(help: "The fault; minik fault list has them.") var name: String
    @Option(help: "The node; without, the first worker.") var node: String?

    func run() async throws {
        let fault = try Fault.named(name), paths = try options.paths()
        try paths.requireDaemon()
        let nodes = try await FaultInjection(try options.clusterDocument(), paths).inject(fault, on: node)
        print("\(nodes.joined(separator: ", ")): \(fault.summary); clear it: minik fault clear \(fault.name)")
    }
}
