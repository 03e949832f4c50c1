import ArgumentParser
import Lab
import Model

struct NodeLs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List the nodes as machines: whether each runs, and what the cluster takes it for.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let rows = try await NodeStates(try options.clusterDocument(), try options.paths()).rows(try options.client())
        if output.isJSON { return print(JSON.array(rows.map(\.json)).text(indented: true)) }
        let lines = rows.map { row in
            [
                row.node.name, "\(row.state.rawValue)\(row.isPartitioned ? ",cut-off" : "")", row.ready ?? "<none>",
                row.node.addresses.map(\.description).joined(separator: ","), row.since?.description ?? "", row.bootID,
            ]
        }
        TextTable(header: ["NAME", "STATE", "READY", "ADDRESS", "SINCE", "BOOT-ID"], rows: lines).print()
    }
}
