import ArgumentParser
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
        print(
            "daemon   \(daemon.map { "running, process \($0.pid), \(Self.memory($0.pid))" } ?? "not running (pods and Services go on); bring it back: minik up -c \(paths.cluster)")"
        )
        print("state    \(paths.state)")
        guard daemon != nil else { throw ExitCode(1) }
        let client = try options.client()
        for line in try await NodeRepair(client: client).found() { print("repaired \(line)") }
        let nodes = try await client.list(Node.self), pods = try await client.list(Pod.self)
        let unwell = pods.filter { !$0.isReady && !$0.isFinished }
        print("nodes    \(nodes.filter(\.isReady).count) of \(nodes.count) ready")
        print("pods     \(pods.filter(\.isReady).count) of \(pods.count) ready")
        for pod in unwell { print("         \(pod.key): \(pod.phase)") }
        if !unwell.isEmpty || nodes.contains(where: { !$0.isReady }) { throw ExitCode(1) }
    }

    private static func memory(_ pid: Int) -> String {
        let line = (Files.text("/proc/\(pid)/status") ?? "").split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        let kilobytes = line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
        return "\(kilobytes / 1024) MB resident"
    }
}
