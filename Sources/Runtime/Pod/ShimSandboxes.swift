import Glibc
import Model
import ShimProtocol

/// The sandboxes that minik-shim makes.
package struct ShimSandboxes: PodSandboxes {
    private let paths: ClusterPaths

    package init(paths: ClusterPaths) { self.paths = paths }

    private struct Sandbox: PodSandbox {
        let identity: ProcessIdentity
        let socket: String
        var process: Int { identity.pid }
        func connect() throws -> ShimConnection { try ShimConnection(socket: socket) }
        func kill() { identity.signal(SIGKILL) }
        func awaitEnd(milliseconds: Int32) async throws -> Bool {
            try await SmallProgram.blocking { [identity] in identity.awaitEnd(milliseconds: milliseconds) }
        }
    }

    private func identityPath(_ uid: String) -> String { "\(paths.podRun(uid))/shim.pid" }

    package func find(_ uid: String) -> (any PodSandbox)? {
        ProcessIdentity(file: identityPath(uid)).map { Sandbox(identity: $0, socket: paths.shimSocket(uid)) }
    }

    package func create(_ request: SandboxRequest) async throws -> any PodSandbox {
        let run = paths.podRun(request.uid), socket = paths.shimSocket(request.uid)
        try Files.makeDirectory("\(run)/shm", mode: 0o700)
        let identity = try await SmallProgram.startShim(
            ["pod", socket, request.hostname, "\(run)/shm", "\(request.nodeProcess)", request.isHostNetwork ? "node" : "own"]
                + request.settings.map(\.word))
        do { try identity.write(to: identityPath(request.uid)) } catch {
            identity.signal(SIGKILL)
            throw error
        }
        return Sandbox(identity: identity, socket: socket)
    }
}
