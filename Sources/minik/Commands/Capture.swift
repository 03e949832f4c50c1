import ArgumentParser
import Glibc
import Host
import Lab
import Model
import Proxy
import Rules
import Runtime

struct Capture: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Capture packets in all namespaces at once, each with its hop and the rules that decided on it.",
        discussion: """
            minik capture -w all.pcapng                         until ctrl-C
            minik capture --flow busybox httpd-svc:8080 -w - | wireshark -k -i -
            minik capture --pod busybox --seconds 10 -w busybox.pcapng
            minik capture --node k8s-node1                       lines for people

            The file is pcapng: an interface for each link of each pod, node and of the nodes' LAN, and a comment on each packet.
            """)
    @OptionGroup var options: ClusterOptions
    @OptionGroup var scope: NamespaceOptions
    @Option(help: "Only packets from and to this pod; may be given several times.") var pod: [String] = []
    @Option(help: "Only on this node and in its pods; may be given several times.") var node: [String] = []
    @Option(
        parsing: .upToNextOption,
        help: "Only one flow, translated or not: FROM (POD, node/NAME, host or an IP address) and TO (as minik why takes them).")
    var flow: [String] = []
    @Option(name: .shortAndLong, help: "A file in pcapng, or - for standard output; without, lines for people.") var write: String?
    @Option(help: "End after so many packets.") var count: Int?
    @Option(help: "End after so many seconds.") var seconds: Double?
    @Flag(help: "The packets of why, matrix, trace and labs, too.") var probes = false
    @Flag(name: [.customShort("6"), .customLong("ipv6")], help: "The flow between IPv6 addresses only.") var isIPv6 = false

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count \(count): one or more") }
        if let seconds, !(seconds > 0 && seconds <= 86400) { throw ValidationError("--seconds \(seconds): up to a day") }
    }

    func run() async throws {
        guard flow.isEmpty || flow.count == 2 else {
            throw UserError("error: --flow wants two ends", hint: "minik capture --flow busybox httpd-svc:8080")
        }
        if write == "-", isatty(STDOUT_FILENO) == 1 {
            throw UserError("error: a capture is nothing for a terminal", hint: "minik capture -w - | wireshark -k -i -")
        }
        let client = try options.client(), paths = try options.paths()
        let snapshot = try await ClusterSnapshot(cluster: try options.clusterDocument(), client: client)
        let filter = try filter(snapshot), places = try places(snapshot, paths)
        // A reader that has seen enough ends the capture, not the process.
        signal(SIGPIPE, SIG_IGN)
        let output = try CaptureOutput(write, version: "minik \(Version.minik)")
        let capture = try PacketCapture(paths: paths, snapshot: snapshot, places: places, filter: filter, output: output)
        let outcome = try await run(capture, snapshot.cluster.families)
        printError("\(outcome.packets) packets on \(outcome.interfaces) interfaces, \(outcome.dropped) dropped for want of room")
    }

    private func run(_ capture: PacketCapture, _ families: [IPFamily]) async throws -> PacketCapture.Outcome {
        let end = CaptureEnd(after: seconds)
        do {
            try await capture.start(families)
            if write != nil { printError("capturing; ctrl-C ends it") }
            while !end.hasCome, try await capture.turn(most: count) {}
            return try await capture.stop(most: count)
        } catch {
            await capture.abandon()
            throw error
        }
    }

    private func filter(_ snapshot: ClusterSnapshot) throws -> CaptureFilter {
        var filter = CaptureFilter()
        filter.includesProbes = probes
        if !pod.isEmpty { filter.addresses = Set(try pods(snapshot).flatMap(\.ips)) }
        if flow.count == 2 {
            let walk = snapshot.walk()
            filter.flow = CaptureFilter.ends(try questions(snapshot).flatMap { packets($0, walk) })
        }
        return filter
    }

    /// The flow in each family that both ends have, or in IPv6 alone.
    private func questions(_ snapshot: ClusterSnapshot) throws -> [FlowQuestion] {
        func question(_ family: IPFamily?) throws -> FlowQuestion {
            try FlowQuestion(from: flow[0], to: flow[1], namespace: scope.namespace, family: family, snapshot)
        }
        let first = try question(isIPv6 ? .ipv6 : nil)
        if isIPv6 { return [first] }
        return try [first]
            + snapshot.cluster.families.filter { $0 != first.address.family }.compactMap { family in
                do { return try question(family) } catch is UserError {
                    // What is understood in one family has no addresses of the other.
                    return nil
                }
            }
    }

    /// The flow's packets under every name that they have on their ways.
    private func packets(_ question: FlowQuestion, _ walk: PacketWalk) -> [Packet] {
        let sent = Packet(
            from: walk.sourceAddress(of: question.source, to: question.address), to: question.address, proto: question.proto,
            port: question.probe.port)
        let journeys = walk.journeys(from: question.source, to: question.address, proto: question.proto, port: question.probe.port)
        return journeys.flatMap(\.packets) + [sent]
    }

    private func pods(_ snapshot: ClusterSnapshot) throws -> [Pod] {
        try pod.map { name in
            let parts = name.split(separator: "/").map(String.init)
            let key = parts.count == 2 ? ObjectKey(parts[0], parts[1]) : ObjectKey(scope.namespace, name)
            guard let found = snapshot.pods.first(where: { $0.key == key }) else {
                throw UserError("error: there is no pod \"\(name)\"", hint: "name it NAMESPACE/NAME outside -n \(scope.namespace)")
            }
            guard !found.isHostNetwork else {
                throw UserError("error: pod \(key) has no network of its own", hint: "capture its node: --node \(found.nodeName ?? "NODE")")
            }
            return found
        }
    }

    private func places(_ snapshot: ClusterSnapshot, _ paths: ClusterPaths) throws -> [TapPlaces.One] {
        let all = snapshot.cluster.nodes.map(\.name)
        for name in node where !all.contains(name) {
            throw UserError("error: there is no node \"\(name)\"", hint: "one of \(all.joined(separator: ", "))")
        }
        let nodes = node.isEmpty ? all : all.filter(node.contains)
        let pods = snapshot.pods.filter { $0.nodeName.map(nodes.contains) ?? false && !$0.isFinished }
        return try TapPlaces(paths: paths, snapshot: snapshot).read(pods: pods.sorted { $0.key < $1.key }, nodes: nodes, lan: node.isEmpty)
    }
}
