import Glibc
import Model
import Runtime
import ShimProtocol

/// What a worker relies on in whoever makes its pods' sandboxes. One check for the real ones and for the tests' own.
package struct SandboxContract: Sendable {
    private let sandboxes: any PodSandboxes
    private let request: SandboxRequest
    /// A container that runs until it is told to end.
    private let container: ContainerSpec
    private let limit = Duration.seconds(20)

    package init(_ sandboxes: any PodSandboxes, request: SandboxRequest, container: ContainerSpec) {
        self.sandboxes = sandboxes
        self.request = request
        self.container = container
    }

    package struct Broken: Error, CustomStringConvertible {
        package let description: String
        package init(description: String) { self.description = description }
    }

    private func promise(_ words: String, _ holds: Bool) throws {
        if !holds { throw Broken(description: words) }
    }

    private func answer(_ connection: ShimConnection) async throws -> ShimReply {
        guard let message = try await connection.next(within: limit) else { throw Broken(description: "an answer comes before the end") }
        return try message.reply.get()
    }

    /// Throws the first promise that is broken.
    package func check() async throws {
        try promise("what was not made is not found", sandboxes.find(request.uid) == nil)
        let sandbox = try await sandboxes.create(request)
        try promise("what was made is found", sandboxes.find(request.uid)?.process == sandbox.process)
        let connection = try sandbox.connect()
        try connection.send(.state)
        guard case .state(let none) = try await answer(connection), none.isEmpty else {
            throw Broken(description: "it begins without containers")
        }

        var stray = container
        (stray.name, stray.target) = ("stray", "nobody")
        try connection.send(.start(stray))
        guard case .failed("stray", let stage, Int(ESRCH)) = try await answer(connection) else {
            throw Broken(description: "a container beside one that does not run is refused")
        }
        try promise("the refusal says why: \(stage)", stage == "the target container nobody is not running")

        try connection.send(.start(container))
        guard case .started(let record) = try await answer(connection) else { throw Broken(description: "a container starts") }
        try promise("the record names the container and its process", record.name == container.name && record.pid > 0)

        let second = try sandbox.connect()
        try second.send(.state)
        guard case .state(let known) = try await answer(second) else { throw Broken(description: "another conversation is answered") }
        try promise("it knows the same container", known.map(\.pid) == [record.pid])
        second.disconnect()

        try connection.send(.signal(container: container.name, signal: Int(SIGKILL)))
        guard case .exited(let end) = try await answer(connection) else { throw Broken(description: "an end is told") }
        try promise("with the signal", end.exitCode == 137 && end.signal == 9 && end.pid == 0 && end.finishedAt != nil)

        try connection.send(.shutdown)
        try promise("a shutdown ends the conversation", try await connection.next(within: limit) == nil)
        try promise("and the sandbox", try await sandbox.awaitEnd(milliseconds: 20_000))
        try promise("an ended one is not found", sandboxes.find(request.uid) == nil)

        let next = try await sandboxes.create(request)
        let last = try next.connect()
        next.kill()
        try promise("a killed one ends", try await next.awaitEnd(milliseconds: 20_000))
        try promise("its conversations end with it", try await last.next(within: limit) == nil)
        try promise("it is not found", sandboxes.find(request.uid) == nil)
        let third = try await sandboxes.create(request)
        try promise("another takes its place", sandboxes.find(request.uid)?.process == third.process)
        third.kill()
        _ = try await third.awaitEnd(milliseconds: 20_000)
    }
}
