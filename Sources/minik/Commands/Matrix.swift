import ArgumentParser
import Lab
import Model
import Proxy

struct Matrix: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show who reaches whom: computed, and with --probe measured with real packets.",
        discussion: """
            Sources are the pods, the nodes and a client outside (on the nodes' LAN, with a route to the pods), targets the pods. The computed answer walks the compiled tables; --probe sends a packet for \
            each cell and looks where it arrives. Where the two differ the cell is marked and the exit code is 1.

            minik matrix --probe --ports 80,udp/53,icmp
            minik matrix --services              the ways into Services, and host ports, too
            minik matrix --with policy.yaml      what would change
            """)
    @OptionGroup var options: ClusterOptions
    @Option(name: .shortAndLong, help: "Only the pods of this namespace; without, all but kube-system's.") var namespace: String?
    @Flag(name: [.customShort("A"), .long], help: "The pods of all namespaces, kube-system's too.") var allNamespaces = false
    @Option(help: "What to probe, such as 80,udp/53,sctp/9,icmp. Without: the ports that the pods declare, and ICMP.") var ports: String?
    @Flag(help: "Services as targets, too: cluster addresses, load balancers' and external ones, node ports; and pods' host ports.")
    var services =
        false
    @Flag(help: "Send real packets as well.") var probe = false
    @Option(help: "Policies that are not applied yet (a file or directory): show which flows they would open and close.") var with:
        [String] = []
    @Option(name: .shortAndLong, help: "text, json, junit or html.") var output = "text"

    func run() async throws {
        guard let format = MatrixReport.Format(rawValue: output) else {
            throw UserError(
                "error: unable to match a printer suitable for the output format \"\(output)\", allowed formats are: text,json,junit,html")
        }
        let wished = try ports.map(Self.probes)
        let client = try options.client(), paths = try options.paths()
        let snapshot = try await ClusterSnapshot(cluster: try options.clusterDocument(), client: client)
        if !snapshot.policies.isEmpty { try options.warnIfNotEnforced() }
        if !with.isEmpty {
            let changes = try await ReachChanges(from: snapshot, adding: try LabFiles.read(with), probes: wished, isWanted: isWanted)
            return print(changes.text(format), terminator: "")
        }
        let fronts =
            services
            ? snapshot.fronts { [namespace, allNamespaces] home in namespace.map { $0 == home } ?? (allNamespaces || home != "kube-system")
            } : []
        let matrix = ReachMatrix(
            snapshot, probes: wished ?? ReachMatrix.declaredProbes(snapshot, isWanted), fronts: fronts, isWanted: isWanted)
        guard !matrix.targets.isEmpty else { throw UserError("error: there is no running pod to reach", hint: "see: minik get pods -A") }
        let measured = probe ? try await MatrixProbe(paths: paths, snapshot: snapshot).measure(matrix) : matrix
        print(MatrixReport(matrix: measured).text(format), terminator: "")
        if measured.cells.contains(where: \.differs) { throw ExitCode.failure }
    }

    private static func probes(_ text: String) throws -> [ReachMatrix.Probe] {
        try text.split(separator: ",").map { text in
            guard let probe = ReachMatrix.Probe(String(text)) else {
                throw UserError("error: \"\(text)\" is nothing to probe", hint: "write ports as 80, tcp/80, udp/53, sctp/9 or icmp")
            }
            return probe
        }
    }

    private func isWanted(_ pod: Pod) -> Bool {
        if let namespace { return pod.namespace == namespace }
        return allNamespaces || pod.namespace != "kube-system"
    }
}
