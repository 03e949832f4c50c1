import Foundation
import Synchronization
import Testing

/// A cluster that real clients use: kubectl of two ages, and client libraries of others. Their tests are Python's, beside this file.
@Suite("[Serial] Kubernetes' own clients", .serialized, .printsClusters)
struct ClientTests {
    private static let clients = "\(Shell.root)/.build/clients"

    /// One cluster for all tests of a client; each of them works in namespaces of its own.
    private static func withCluster(_ name: String, subnet: Int, _ body: (_ kubeconfig: String) throws -> Void) throws {
        // Pods of some tests run this machine's Python, which may lie where nodes have directories of their own.
        let python = Shell.run("python3 -c 'import sys; print(sys.base_prefix)'").output.trimmingCharacters(in: .whitespacesAndNewlines)
        let isHidden = ["/root/", "/home/"].contains { python.hasPrefix($0) }
        let mounts = isHidden ? "  extraMounts: [{hostPath: \(python), nodePath: \(python), readOnly: true}]" : ""
        let file = try ClusterFiles.write(
            """
            apiVersion: minik.dev/v1
            kind: Cluster
            metadata: {name: \(name)}
            spec:
              nodes:
              - {name: node-1, role: control-plane}
              - {name: node-2}
              - {name: node-3}
              nodeSubnet: 192.168.\(subnet).0/24
            \(mounts)
            """)
        try TestCluster.with(file, name: name) { cluster in
            let kubeconfig = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).kubeconfig").path
            defer { try? FileManager.default.removeItem(atPath: kubeconfig) }
            let written = Shell.run("umask 077; \(Shell.minik) kubeconfig -c \(name) > \(kubeconfig)")
            try #require(written.isSuccess, "\(written)")
            try body(kubeconfig)
        }
    }

    /// Runs one file of tests; every test of it must have run and passed.
    private static func run(_ file: String, _ environment: String, seconds: Int = 150) throws {
        check(start(file, environment, seconds: seconds))
    }

    private static func start(_ file: String, _ environment: String, seconds: Int) -> CommandResult {
        Shell.run("cd Tests/LargeTests/Clients && \(environment) python3 -m unittest \(file)", seconds: seconds)
    }

    private static func check(_ result: CommandResult) {
        let ran = result.errors.firstMatch(of: /Ran (\d+) tests?/).flatMap { Int($0.1) } ?? 0
        #expect(result.isSuccess && ran > 0 && !result.errors.contains("skipped="), "a skip is a failure: \(result)")
    }

    /// Runs lists of files side by side, the files of a list one after the other: they wait more than they work.
    private static func run(_ lists: [(files: [String], environment: String)], seconds: Int) {
        let results = Mutex<[CommandResult]>([])
        DispatchQueue.concurrentPerform(iterations: lists.count) { index in
            for file in lists[index].files {
                let result = start(file, lists[index].environment, seconds: seconds)
                results.withLock { $0.append(result) }
            }
        }
        for result in results.withLock({ $0 }) { check(result) }
    }

    @Test("kubectl", arguments: ["1.20", "1.32"])
    func kubectl(_ version: String) throws {
        try Self.withCluster("kubectl", subnet: 227) { kubeconfig in
            let files = [
                "basics", "objects", "get", "delete", "workloads", "rollouts", "controllers", "streams", "transfer", "access", "containers",
                "kubelet",
                // Last, for it empties nodes.
                "nodes",
            ]
            for file in files {
                try Self.run("kubectl_\(file)_test", "KUBECONFIG=\(kubeconfig) KUBECTL=\(Self.clients)/kubectl-\(version)")
            }
        }
    }

    @Test("what no client should send is refused, and nobody else notices")
    func hostile() throws {
        try Self.withCluster("hostile", subnet: 229) { kubeconfig in
            let pid = Shell.run("cut -d' ' -f1 /run/minik/hostile/daemon.pid | head -1").output.filter(\.isNumber)
            try Self.run("hostile_test", "KUBECONFIG=\(kubeconfig) DAEMON_PID=\(pid)")
        }
    }

    @Test("what Kubernetes' own conformance tests assert of pods, workloads, networks and kubectl holds")
    func conformance() throws {
        try Self.withCluster("conformance", subnet: 230) { kubeconfig in
            // Schedules go by the minute, so this one takes longest.
            try Self.withCluster("schedules", subnet: 231) { other in
                func environment(_ kubeconfig: String) -> String {
                    "KUBECONFIG=\(kubeconfig) KUBECTL=\(Self.clients)/kubectl-1.32 PYTHONPATH=\(Self.clients)/python"
                }
                let files = ["pods", "volumes", "network", "apps", "cli", "node"].map { "conformance_\($0)_test" }
                Self.run([(files, environment(kubeconfig)), (["conformance_jobs_test"], environment(other))], seconds: 420)
            }
        }
    }

    @Test("client libraries")
    func libraries() throws {
        try Self.withCluster("python", subnet: 228) { kubeconfig in
            let environment = "KUBECONFIG=\(kubeconfig) PYTHONPATH=\(Self.clients)/python"
            for file in ["python_objects", "python_watch", "python_streams", "python_access", "kr8s", "lightkube"] {
                try Self.run("\(file)_test", environment)
            }
        }
    }
}
