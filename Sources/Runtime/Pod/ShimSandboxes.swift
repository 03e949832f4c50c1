import Glibc
import Host
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
            // Many pods end at once: a thread for each that waits would be hundreds.
            var passed: Int32 = 0, pause: Int32 = 2
            while !identity.awaitEnd(milliseconds: 0) {
                if passed >= milliseconds { return false }
                try await Task.sleep(for: .milliseconds(pause))
                passed += pause
                pause = min(pause * 2, 32)
            }
            return true
        }
    }

    private func identityPath(_ uid: String) -> String { "\(paths.podRun(uid))/shim.pid" }

    package func find(_ uid: String) -> (any PodSandbox)? {
        ProcessIdentity(file: identityPath(uid)).map { Sandbox(identity: $0, socket: paths.shimSocket(uid)) }
    }

    package func create(_ request: SandboxRequest) async throws -> any PodSandbox {
        let run = paths.podRun(request.uid), socket = paths.shimSocket(request.uid)
        let isInNodeIPC = request.settings.contains(.nodeIPC)
        let memory = isInNodeIPC ? request.nodeSharedMemory : "\(run)/shm"
        try Files.makeDirectory(run, mode: 0o700)
        try Files.makeDirectory(memory, mode: 0o700)
        if isInNodeIPC, chmod(memory, 0o1777) < 0 { throw FileError("open to everybody", memory, errno: errno) }
        unlink(socket)  // of one that was killed
        let identity = try await SmallProgram.startShim(
            ["pod", socket, request.hostname, memory, "\(request.nodeProcess)", request.isHostNetwork ? "node" : "own"]
                + request.settings.map(\.word))
        do { try identity.write(to: identityPath(request.uid)) } catch {
            identity.signal(SIGKILL)
            throw error
        }
        return Sandbox(identity: identity, socket: socket)
    }
}
