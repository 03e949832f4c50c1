import ArgumentParser
import Lab

struct FaultClear: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "clear", abstract: "Free nodes of a fault: all is as it was.")
    @OptionGroup var options: ClusterOptions
    @Argument(help: "The fault.") var name: String?
    @Flag(help: "Every fault there is, the last one first.") var all = false
    @Option(help: "The node; without, every node that has it.") var node: String?

    func validate() throws {
        guard (name == nil) == all else {
            throw ValidationError("say which fault, or --all; minik fault list tells who has which")
        }
    }

    func run() async throws {
        let injection = FaultInjection(try options.clusterDocument(), try options.paths())
        let names: [String]
        if let name {
            names = [name]
        } else {
            names = try injection.entries.filter { node == nil || $0.node == node }.map(\.name).reversed().reduce(into: []) {
                if !$0.contains($1) { $0.append($1) }
            }
        }
        if names.isEmpty { return print("no node\(node.map { " \($0)" } ?? "") has a fault") }
        for fault in try names.map(Fault.named) {
            let nodes = try await injection.clear(fault, on: node, try options.client())
            print("\(nodes.joined(separator: ", ")): free of \(fault.name)")
        }
    }
}
