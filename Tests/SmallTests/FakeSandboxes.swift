import CHost
import Foundation
import Glibc
import Host
import Model
import Runtime
import ShimProtocol
import Synchronization

/// Sandboxes without namespaces, whose shims are threads of the test and do what it says.
final class FakeSandboxes: PodSandboxes {
    private struct State {
        var shims: [String: FakePodShim] = [:]
        var refusals = 0
        var isSilent = false
        var isDeaf = false
        var created = 0
        var requests: [SandboxRequest] = []
    }

    private let paths: ClusterPaths
    private let state = Mutex(State())

    init(paths: ClusterPaths) { self.paths = paths }

    /// How many were made.
    var created: Int { state.withLock { $0.created } }
    var requests: [SandboxRequest] { state.withLock { $0.requests } }
    var living: Int { state.withLock { $0.shims.values.count { $0.lives } } }

    /// The next `count` are not made.
    func refuse(_ count: Int) { state.withLock { $0.refusals = count } }
    /// Shims that are made from now on say nothing.
    func beSilent(_ isSilent: Bool) { state.withLock { $0.isSilent = isSilent } }
    /// Containers that are started from now on do not end when asked.
    func beDeaf(_ isDeaf: Bool) { state.withLock { $0.isDeaf = isDeaf } }

    func shim(_ uid: String) -> FakePodShim? { state.withLock { $0.shims[uid] } }
    func find(_ uid: String) -> (any PodSandbox)? { shim(uid).flatMap { $0.lives ? $0 : nil } }

    struct Refused: Error, CustomStringConvertible { let description = "no sandbox today" }

    func create(_ request: SandboxRequest) async throws -> any PodSandbox {
        try Files.makeDirectory(paths.podRun(request.uid))
        return try state.withLock { state in
            if state.refusals > 0 {
                state.refusals -= 1
                throw Refused()
            }
            state.created += 1
            state.requests.append(request)
            let shim = try FakePodShim(
                socket: paths.shimSocket(request.uid), process: 100_000 + state.created, isSilent: state.isSilent, isDeaf: state.isDeaf)
            state.shims[request.uid] = shim
            return shim
        }
    }
}

/// A pod's shim as a thread. Its containers are records.
final class FakePodShim: PodSandbox {
    private struct State {
        var containers: [String: ContainerRecord] = [:]
        var connections: [Int32] = []
        var lives = true
        var pids = 0
        var specs: [ContainerSpec] = []
    }

    let process: Int
    private let socket: String
    private let listener: Int32
    private let isSilent: Bool
    private let isDeaf: Bool
    private let state = Mutex(State())

    init(socket: String, process: Int, isSilent: Bool, isDeaf: Bool) throws {
        (self.socket, self.process, self.isSilent, self.isDeaf) = (socket, process, isSilent, isDeaf)
        listener = host_unix_socket(socket, Int32(SOCK_SEQPACKET.rawValue), 1)
        guard listener >= 0 else { throw FileError("listen on", socket, errno: -listener) }
        Thread.detachNewThread { self.run() }
    }

    /// What was to be started.
    var specs: [ContainerSpec] { state.withLock { $0.specs } }
    var lives: Bool { state.withLock { $0.lives } }
    /// The containers that run.
    var running: [String] { state.withLock { $0.containers.values.filter { $0.pid > 0 }.map(\.name).sorted() } }

    func connect() throws -> ShimConnection { try ShimConnection(socket: socket) }
    func kill() { state.withLock { $0.lives = false } }

    func awaitEnd(milliseconds: Int32) async throws -> Bool {
        for _ in 0..<(milliseconds / 5) where lives { try await Task.sleep(for: .milliseconds(5)) }
        return !lives
    }

    /// A container ends by itself.
    func end(_ name: String, code: Int) { state.withLock { exit(name, code: code, signal: 0, &$0) } }

    private func exit(_ name: String, code: Int, signal: Int, _ state: inout State) {
        guard var record = state.containers[name], record.pid > 0 else { return }
        (record.pid, record.exitCode, record.signal, record.finishedAt) = (0, code, signal, .now())
        state.containers[name] = record
        for connection in state.connections { say(.exited(record), to: connection) }
    }

    private func run() {
        while lives {
            let connections = state.withLock { $0.connections }
            var polls = ([listener] + connections).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&polls, nfds_t(polls.count), 5) > 0 else { continue }
            for ready in polls where ready.revents != 0 {
                if ready.fd != listener {
                    serve(ready.fd)
                } else if case let connection = host_accept(listener), connection >= 0 {
                    state.withLock { $0.connections.append(connection) }
                }
            }
        }
        unlink(socket)
        close(listener)
        for connection in state.withLock({ $0.connections }) { close(connection) }
    }

    private func serve(_ connection: Int32) {
        var bytes = [UInt8](repeating: 0, count: maximumShimPacket), fds: [Int32] = [-1, -1, -1], count = 0
        let n = host_receive(connection, &bytes, bytes.count, &fds, 3, &count)
        for fd in fds where fd >= 0 { close(fd) }
        guard n > 0, let json = try? JSON(parsing: bytes[..<n]), let request = try? ShimRequest(json) else {
            close(connection)
            return state.withLock { $0.connections.removeAll { $0 == connection } }
        }
        if isSilent { return }
        state.withLock { handle(request, from: connection, &$0) }
    }

    private func handle(_ request: ShimRequest, from connection: Int32, _ state: inout State) {
        switch request {
        case .state: say(.state(state.containers.values.sorted { $0.name < $1.name }), to: connection)
        case .start(let spec):
            guard spec.target.isEmpty || state.containers[spec.target]?.pid ?? 0 > 0 else {
                let stage = "the target container \(spec.target) is not running"
                return say(.failed(container: spec.name, stage: stage, errno: Int(ESRCH)), to: connection)
            }
            state.pids += 1
            state.specs.append(spec)
            let record = ContainerRecord(name: spec.name, pid: process * 10 + state.pids, startedAt: .now())
            state.containers[spec.name] = record
            say(.started(record), to: connection)
        case .signal(let name, let signal):
            if !isDeaf || signal == Int(SIGKILL) { exit(name, code: 128 + signal, signal: signal, &state) }
        case .shutdown: state.lives = false
        case .enclosed, .exec, .attach, .resize: break
        }
    }

    private func say(_ reply: ShimReply, to connection: Int32) {
        let bytes = reply.json.bytes()
        _ = host_send(connection, bytes, bytes.count, nil, 0)
    }
}
