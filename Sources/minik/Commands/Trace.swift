import ArgumentParser
import Lab
import Model
import Proxy

struct Trace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell one real packet's way, and its answer's, hop by hop.",
        discussion: """
            minik trace busybox httpd-svc:8080
            minik trace busybox httpd-svc:8080 -o mermaid
            minik trace host 192.168.200.129:33000

            The packet asks for a connection. What every namespace on its way saw of it, and of what answered, is told in order of time: \
            names, rules, policies, routes, connections, and each interface.
            The exit code is 0 when the packet arrived, 1 when it did not.
            """)
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Argument(help: "POD, node/NAME, host (the outside client) or an IP address.") var from: String
    @Argument(help: "POD, svc/NAME, node/NAME, host or an IP address; then :PORT, :PORT/PROTO or :icmp.") var to: String
    @Flag(name: [.customShort("6"), .customLong("ipv6")], help: "By their IPv6 addresses, where both ends have some.") var isIPv6 = false
    @Option(help: "The seconds that an answer may take.") var wait = 1.0
    @Option(name: .shortAndLong, help: "text, json or mermaid.") var output = "text"

    func run() async throws {
        guard ["text", "json", "mermaid"].contains(output) else {
            throw UserError(
                "error: unable to match a printer suitable for the output format \"\(output)\", allowed formats are: text,json,mermaid")
        }
        guard wait > 0, wait <= 60 else { throw UserError("error: --wait \(wait): up to 60 seconds") }
        let client = try options.client(), paths = try options.paths()
        let snapshot = try await ClusterSnapshot(cluster: try options.clusterDocument(), client: client)
        let question = try FlowQuestion(from: from, to: to, namespace: scope.namespace, family: isIPv6 ? .ipv6 : nil, snapshot)
        let walk = snapshot.walk()
        let journeys = walk.journeys(from: question.source, to: question.address, proto: question.proto, port: question.probe.port)
        let story = try await PacketTrace(paths: paths, snapshot: snapshot, walk: walk, question: question, journeys: journeys)
            .run(patience: wait)
        let report = TraceReport(question: question, story: story)
        switch output {
        case "json": print(report.json.text(indented: true))
        case "mermaid": print(report.mermaid)
        default: print(report.text)
        }
        if !report.isDelivered { throw ExitCode.failure }
    }
}
