import Foundation
import Glibc
import Model
import Runtime
import SandboxCases
import ShimProtocol
import Testing

@Suite("A pod's real sandbox")
struct PodSandboxTests {
    @Test("keeps what a worker relies on", .timeLimit(.minutes(2)))
    func contract() async throws {
        let root = try TestContainer()
        let paths = ClusterPaths(cluster: "c", below: root.directory)
        for directory in [paths.podRuns, "\(root.directory)/node/etc", "\(root.directory)/node/work", "\(root.directory)/node/run", "\(root.directory)/node/log"] {
            try Files.makeDirectory(directory)
        }
        let node = try await SmallProgram.startShim(["node", "n", "\(root.directory)/node"])
        defer { node.signal(SIGKILL) }
        var container = ContainerSpec()
        container.name = "main"
        (container.lower, container.upper, container.work) = (root.image, "\(root.directory)/upper", "\(root.directory)/work")
        container.merged = "\(root.directory)/merged"
        container.process.argv = ["/bin/busybox", "sleep", "1000"]
        container.logPath = "\(root.directory)/0.log"
        container.devices = DeviceNode.standard
        try await SandboxContract(
            ShimSandboxes(paths: paths), request: SandboxRequest(uid: "u", hostname: "h", nodeProcess: node.pid), container: container
        ).check()
    }
}
