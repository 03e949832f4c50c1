import ArgumentParser
import Lab
import Model

struct FaultList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the faults there are, and which nodes have them.", aliases: ["ls"])
    @OptionGroup var options: ClusterOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let entries = try FaultInjection(try options.clusterDocument(), try options.paths()).entries
        func nodes(_ fault: Fault) -> [String] { entries.filter { $0.name == fault.name }.map(\.node) }
        if output.isJSON {
            let all = Fault.all.map { fault -> JSON in
                [
                    "name": .string(fault.name), "summary": .string(fault.summary), "effect": .string(fault.effect),
                    "signs": .string(fault.signs), "undo": .string(fault.undo), "nodes": .array(nodes(fault).map(JSON.string)),
                ]
            }
            return print(JSON.array(all).text(indented: true))
        }
        let rows = Fault.all.map { [$0.name, nodes($0).isEmpty ? "-" : nodes($0).joined(separator: ","), $0.summary] }
        TextTable(header: ["NAME", "NODES", "FAULT"], rows: rows).print()
    }
}
