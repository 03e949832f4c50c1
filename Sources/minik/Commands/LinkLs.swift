import ArgumentParser
import Lab
import Model

struct LinkLs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List the nodes' links.")
    @OptionGroup var options: ClusterOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let links = try NodeLinks(try options.paths()).all()
        if output.isJSON {
            let all = links.map { link, port in
                var json = link.json
                json["port"] = .string(port)
                return json
            }
            return print(JSON.array(all).text(indented: true))
        }
        let fields = Cluster.NodeLink.Field.allCases
        let rows = links.map { link, port in
            [link.node, port, link.isPartitioned ? "cut-off" : "up"] + fields.map { link.text(of: $0) ?? "-" }
        }
        TextTable(header: ["NODE", "LAN-PORT", "STATE"] + fields.map { $0.rawValue.uppercased() }, rows: rows).print()
    }
}
