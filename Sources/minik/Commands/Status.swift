import ArgumentParser
import Host
import Lab
import Model
import Runtime

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show how a cluster fares: daemon, nodes, pods that are not well.")
    @OptionGroup var chosen: ClusterArgument

    func run() async throws {
        let options = try chosen.options()
        let paths = try options.paths()
        let daemon = ProcessIdentity(file: paths.daemonPID)
        print("cluster  \(paths.cluster)")
        if let since = ClusterPause(paths).since {
            print("paused   since \(since), its pods too; let it go on: minik resume \(paths.cluster)")
            throw ExitCode(1)
        }
        let absent = "not running (pods and Services go on); bring it back: minik up -c \(paths.cluster)"
        print("daemon   \(daemon.map { "running, process \($0.pid), \(Self.memory($0.pid))" } ?? absent)")
        print("state    \(paths.state)")
        guard daemon != nil else { throw ExitCode(1) }
        if try options.clusterDocument().bootstrap == .kubeadm, !Files.exists(paths.apiSocket) {
            return print(
                "machines \(try options.clusterDocument().nodes.map(\.name).joined(separator: ", ")); no control plane runs on any")
        }
        let client = try options.client()
        let findings = try await NodeRepair(client: client).found()
        for finding in findings { print(finding) }
        for fault in try InjectedFaults(paths).all {
            print("fault    \(fault.name) on \(fault.node) since \(fault.since); nothing is mended until: minik fault clear \(fault.name)")
        }
        let document = try options.clusterDocument()
        for link in document.links where link.isPartitioned { print("cut off  \(link.node); connect it: minik link heal \(link.node)") }
        for node in document.nodes.map(\.name) {
            let state = NodePower(node, paths).state
            if state != .running { print("\(state == .paused ? "paused " : "stopped")  \(node)") }
        }
        if document.internet { print("internet \(try WayOutReport(document, paths).text)") }
        let nodes = try await client.list(Node.self), pods = PodTally(try await client.list(Pod.self))
        print("nodes    \(nodes.filter(\.isReady).count) of \(nodes.count) ready")
        print("pods     \(pods.text)")
        let missing = document.bootstrap == .minik ? try await AddOns(document, paths).missing(client) : []
        for name in missing { print("missing  \(name) in kube-system; make it again: minik up -c \(paths.cluster)") }
        for pod in pods.unwell { print("         \(pod.key): \(pod.phase)") }
        let isWell = pods.unwell.isEmpty && missing.isEmpty && findings.allSatisfy(\.isMended) && nodes.allSatisfy(\.isReady)
        if !isWell { throw ExitCode(1) }
    }

    private static func memory(_ pid: Int) -> String {
        let line = (Files.text("/proc/\(pid)/status") ?? "").split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
        return "\(kilobytes / 1024) MB resident"
    }
}
