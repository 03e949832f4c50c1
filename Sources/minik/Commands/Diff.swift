import ArgumentParser
import Host
import Lab
import Model
import Runtime

struct Diff: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a lab under two network plugins, and show what differs.",
        discussion: """
            Brings the lab up under the one, looks at links, routes, MTU and TTL and sends a packet from everybody to everybody, takes it down again, and does the same under the other. A cluster that is up is not \
            touched. The exit code is diff's: 1 when there is a difference.

            minik diff flannel calico -f labs/netpol.yaml
            """)
    @Argument(help: "A plugin: \(Self.known).") var first: String
    @Argument(help: "The other one.") var second: String
    @Option(name: .shortAndLong, help: "Files or directories with the lab; - is standard input.") var filename: [String] = []
    @Option(help: "Seconds to wait for what was applied to be ready.") var timeout: Int = 120
    @Option(name: .shortAndLong, help: "text or json.") var output = "text"

    private static let known = Cluster.Plugin.allCases.filter(\.isBuiltIn).map(\.rawValue).joined(separator: ", ")
    private static let longestName = 32

    func run() async throws {
        try requireRoot()
        guard ["text", "json"].contains(output) else {
            throw UserError(
                "error: unable to match a printer suitable for the output format \"\(output)\", allowed formats are: text,json")
        }
        let plugins = try [first, second].map { name in
            guard let plugin = Cluster.Plugin(rawValue: name), plugin.isBuiltIn else {
                throw UserError("\"\(name)\" is no plugin that can be compared", hint: "there are: \(Self.known)")
            }
            return plugin
        }
        let wish = try ClusterStart.Wish(files: filename, name: nil, patience: .seconds(timeout), writesKubeconfig: false)
        let before = try await facts(of: plugins[0], wish), after = try await facts(of: plugins[1], wish)
        let difference = FactsDifference(before, after)
        print(output == "json" ? difference.json.text(indented: true) + "\n" : difference.text, terminator: "")
        if !difference.changes.isEmpty { throw ExitCode.failure }
    }

    private func facts(of plugin: Cluster.Plugin, _ wish: ClusterStart.Wish) async throws -> NetworkFacts {
        var cluster = wish.cluster
        cluster.plugin = plugin
        if plugin != .calico { cluster.encapsulation = .vxlan }
        let ending = "-diff-\(plugin.rawValue)"
        cluster.name = cluster.name.prefix(Self.longestName - ending.count) + ending
        let paths = ClusterPaths(cluster: cluster.name)
        guard try paths.storedCluster() == nil else {
            throw UserError("there is a cluster \"\(cluster.name)\"", hint: "left by an earlier diff? minik down \(cluster.name)")
        }
        let progress = Progress()
        let result: Result<NetworkFacts, any Error>
        do {
            _ = try await ClusterStart(ClusterStart.Wish(cluster, like: wish), images: MachineImages(), progress).run()
            result = .success(try await NetworkFacts.read(paths, cluster, title: plugin.rawValue))
        } catch { result = .failure(error) }
        progress.abandon()
        let lock = try ClusterLock(paths)
        let problems = await Teardown(paths: paths).run()
        lock.remove()
        guard problems.isEmpty else {
            throw UserError("cluster \"\(cluster.name)\" is not down; left is:\n  " + problems.joined(separator: "\n  "))
        }
        return try result.get()
    }
}
