import Foundation
import Glibc
import Host
import Model
import Runtime
import SandboxCases
import ShimProtocol
import Testing

@Suite("A pod's real sandbox")
struct PodSandboxTests {
    /// A node's init and what makes pods below it, for one test.
    private struct Ground: ~Copyable {
        let root: TestContainer
        let node: ProcessIdentity
        let sandboxes: ShimSandboxes

        init() async throws {
            let root = try TestContainer(), directory = root.directory
            for path in ["root", "work", "merged"] { try Files.makeDirectory("\(directory)/node/\(path)") }
            let node = try await SmallProgram.startShim(["node", "n", "\(directory)/node"])
            self.node = node
            sandboxes = ShimSandboxes(paths: ClusterPaths(cluster: "c", below: directory))
            self.root = root
        }

        deinit { node.signal(SIGKILL) }

        func request(_ settings: [SandboxSetting] = []) -> SandboxRequest {
            SandboxRequest(uid: "u", hostname: "h", nodeProcess: node.pid, settings: settings, nodeSharedMemory: "\(root.directory)/shm")
        }

        func container(_ name: String, _ script: String, among processes: ContainerSpec.Processes = .own) throws -> ContainerSpec {
            var spec = ContainerSpec()
            spec.name = name
            let directory = "\(root.directory)/\(name)"
            Files.removeTree(directory)  // a layer that was mounted volatile is not mounted again
            for path in ["upper", "work", "merged"] { try Files.makeDirectory("\(directory)/\(path)") }
            (spec.lower, spec.upper, spec.work, spec.merged) = (
                root.image, "\(directory)/upper", "\(directory)/work", "\(directory)/merged"
            )
            spec.process.argv = ["/bin/busybox", "sh", "-c", script]
            spec.logPath = "\(directory)/log"
            spec.devices = DeviceNode.standard
            spec.processes = processes
            return spec
        }

        /// What containers of a sandbox with these settings say, each started when the one before has spoken.
        func said(_ settings: [SandboxSetting], _ containers: [ContainerSpec]) async throws -> [String] {
            let sandbox = try await sandboxes.create(request(settings))
            let connection = try sandbox.connect()
            var said: [String] = []
            for container in containers {
                try connection.send(.start(container))
                guard let message = try await connection.next(within: .seconds(20)) else { break }
                guard case .started = try message.reply.get() else { throw SandboxContract.Broken(description: "\(message.reply)") }
                for _ in 0..<1000 where Files.text(container.logPath)?.contains("done") != true {
                    try await Task.sleep(for: .milliseconds(10))
                }
                said.append(Files.text(container.logPath) ?? "")
            }
            sandbox.kill()
            _ = try await sandbox.awaitEnd(milliseconds: 20_000)
            return said
        }
    }

    @Test("keeps what a worker relies on", .timeLimit(.minutes(2)))
    func contract() async throws {
        let ground = try await Ground()
        try await SandboxContract(
            ground.sandboxes, request: ground.request(), container: try ground.container("main", "exec /bin/busybox sleep 1000")
        ).check()
    }

    private static let names = "cat /proc/[0-9]*/comm; echo pid $$; echo done; exec /bin/busybox sleep 1000"

    @Test("containers see their own processes, their pod's or their node's", .timeLimit(.minutes(2)))
    func processes() async throws {
        let ground = try await Ground()
        func run(_ processes: ContainerSpec.Processes, _ settings: [SandboxSetting]) async throws -> String {
            let first = try ground.container("first", "echo done; exec /bin/busybox sleep 1000", among: processes)
            return try await ground.said(settings, [first, try ground.container("second", Self.names, among: processes)]).last ?? ""
        }
        let own = try await run(.own, [])
        #expect(own.contains("pid 1\n") && !own.contains("pause") && !own.contains("node-init"))
        let pods = try await run(.pod, [.podProcesses])
        #expect(pods.contains("pause") && !pods.contains("node-init") && !pods.contains("pid 1\n"))
        #expect(pods.components(separatedBy: "busybox").count == 3, "the other container's process and its own: \(pods)")
        let nodes = try await run(.node, [])
        #expect(nodes.contains("node-init") && nodes.contains("minik-shim"))
    }

    @Test("a pod in its node's IPC namespace has the node's shared memory", .timeLimit(.minutes(2)))
    func memory() async throws {
        let ground = try await Ground()
        let script = "/bin/busybox readlink /proc/self/ns/ipc; echo here > /dev/shm/it; echo done; exec /bin/busybox sleep 1000"
        let node = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(ground.node.pid)/ns/ipc")
        let shared = try await ground.said([.nodeIPC], [try ground.container("shared", script)])
        #expect(shared.first?.contains(node) == true && Files.text("\(ground.root.directory)/shm/it") == "here\n")
        let own = try await ground.said([], [try ground.container("own", script)])
        #expect(own.first?.contains("ipc:") == true && own.first?.contains(node) == false)
    }
}
