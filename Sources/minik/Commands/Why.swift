import API
import ArgumentParser
import Lab
import Model
import Proxy
import Runtime

struct Why: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say why a packet is let through or dropped: computed from the policies, and asked of the kernel.",
        discussion: """
            minik why busybox httpd-svc:8080
            minik why node/k8s-node1 default/web:80
            minik why host 192.168.200.129:33000
            minik why busybox 10.244.1.7:icmp
            minik why -6 busybox httpd-svc:8080     in a cluster of both families
            minik why busybox '[fd00:10:244::7]:80'

            The exit code is 0 when the packet passes on every way it can take, 1 when it is denied on one of them.
            """)
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Argument(help: "POD, node/NAME, host (the outside client) or an IP address.") var from: String
    @Argument(help: "POD, svc/NAME, gateway/NAME, node/NAME, host or an IP address; then :PORT, :PORT/PROTO or :icmp.") var to: String
    @Flag(name: [.customShort("6"), .customLong("ipv6")], help: "By their IPv6 addresses, where both ends have some.") var isIPv6 = false
    @Flag(inversion: .prefixedNo, help: "Send real packets and trace them through the kernel.") var probe = true
    @Option(name: .shortAndLong, help: "text or json.") var output = "text"

    func run() async throws {
        guard ["text", "json"].contains(output) else {
            throw UserError("error: unable to match a printer suitable for the output format \"\(output)\", allowed formats are: text,json")
        }
        let client = try options.client(), paths = try options.paths()
        let snapshot = try await ClusterSnapshot(cluster: try options.clusterDocument(), client: client)
        if !snapshot.policies.isEmpty || !snapshot.clusterPolicies.isEmpty { try options.warnIfNotEnforced() }
        let question = try FlowQuestion(from: from, to: to, namespace: scope.namespace, family: isIPv6 ? .ipv6 : nil, snapshot)
        let walk = snapshot.walk()
        let journeys = walk.journeys(from: question.source, to: question.address, proto: question.proto, port: question.probe.port)
            .sorted { ($0.packet.destination, $0.packet.destinationPort) < ($1.packet.destination, $1.packet.destinationPort) }
        let finding =
            probe ? try await LiveTrace(paths: paths, snapshot: snapshot, walk: walk, question.address.family).run(question, journeys) : nil
        let beyond = try WayOutReport(snapshot.cluster, paths).words(to: question.address)
        let report = WhyReport(question: question, journeys: journeys, finding: finding, snapshot: snapshot, beyond: beyond)
        print(output == "json" ? report.json.text(indented: true) : report.text)
        if !report.isAllowed || !report.agrees || !report.isConsistent { throw ExitCode.failure }
    }
}
