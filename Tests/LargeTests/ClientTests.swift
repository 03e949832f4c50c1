import Foundation
import Testing

/// A cluster that real clients use: kubectl of two ages, and client libraries of others. Their tests are Python's, beside this file.
@Suite("Kubernetes' own clients", .serialized)
struct ClientTests {
    private static let clients = "\(Shell.root)/.build/clients"

    /// One cluster for all tests of a client; each of them works in namespaces of its own.
    private static func withCluster(_ name: String, subnet: Int, _ body: (_ kubeconfig: String) throws -> Void) throws {
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
        let result = Shell.run("cd Tests/LargeTests/Clients && \(environment) python3 -m unittest \(file)", seconds: seconds)
        let ran = result.errors.firstMatch(of: /Ran (\d+) tests?/).flatMap { Int($0.1) } ?? 0
        #expect(result.isSuccess && ran > 0, "\(result)")
    }

    @Test("kubectl", arguments: ["1.20", "1.32"])
    func kubectl(_ version: String) throws {
        try Self.withCluster("kubectl", subnet: 227) { kubeconfig in
            let files = [
                "basics", "objects", "get", "delete", "workloads", "rollouts", "controllers", "streams", "transfer", "access", "containers",
                // Last, for it empties nodes.
                "nodes",
            ]
            for file in files { try Self.run("kubectl_\(file)_test", "KUBECONFIG=\(kubeconfig) KUBECTL=\(Self.clients)/kubectl-\(version)") }
        }
    }

    @Test("what no client should send is refused, and nobody else notices")
    func hostile() throws {
        try Self.withCluster("hostile", subnet: 229) { kubeconfig in
            let pid = Shell.run("cut -d' ' -f1 /run/minik/hostile/daemon.pid | head -1").output.filter(\.isNumber)
            try Self.run("hostile_test", "KUBECONFIG=\(kubeconfig) DAEMON_PID=\(pid)")
        }
    }

    @Test("client libraries")
    func libraries() throws {
        try Self.withCluster("python", subnet: 228) { kubeconfig in
            let environment = "KUBECONFIG=\(kubeconfig) PYTHONPATH=\(Self.clients)/python"
            for file in ["python_objects", "python_watch", "python_streams", "python_access", "kr8s", "lightkube"] { try Self.run("\(file)_test", environment) }
        }
    }
}
