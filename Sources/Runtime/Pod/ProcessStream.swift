import CHost
import Glibc
import Host
import Model
import ShimProtocol

/// A conversation with a process in a container: one that `exec` starts, or the container's own that `attach` joins.
package struct ProcessStream: Sendable {
    private let connection: ShimConnection
    private let request: StreamRequest
    private let isBound: Bool
    /// Longer than a shim takes to find that a process does not start.
    private static let patience = Duration.seconds(60)

    private var isTerminalExec: Bool { request.tty && !request.command.isEmpty }

    /// Starts or joins, and runs until the process ends, or the task is cancelled. The last output is `exit` or `failure`. What the
    /// process says is read no faster than `output` takes it. A process that is bound ends with the task, and what it started too.
    package static func run(
        pod: Pod, _ request: StreamRequest, paths: ClusterPaths, isBound: Bool = false, input: StreamInputs, output: @escaping StreamOutputs
    ) async throws {
        let connection: ShimConnection
        do { connection = try ShimConnection(socket: paths.shimSocket(pod.uid)) } catch let error as FileError
            where [ENOENT, ECONNREFUSED].contains(error.errno)
        {
            // Its sandbox has not been made yet, or is gone: what the kubelet says, and what its caller makes of it.
            let words = "unable to upgrade connection: container not found (\"\(request.container)\")"
            return try await output(.failure("Internal error occurred: \(words)"))
        }
        defer { connection.disconnect() }
        try await ProcessStream(connection: connection, request: request, isBound: isBound).converse(input, output)
    }

    private func converse(_ input: StreamInputs, _ output: @escaping StreamOutputs) async throws {
        var ends = ProcessEnds()
        do { try ask(&ends) } catch { return try await output(.failure("\(error)")) }
        let first: ShimConnection.Message
        do {
            guard let answer = try await answer() else {
                return try await output(.failure("the pod's sandbox is gone"))
            }
            first = answer
        } catch let error as ShimSilent { return try await output(.failure("\(error)")) }
        switch first.reply {
        case .success(.failed(_, let stage, let errno)):
            return try await output(.failure(StartFailure(stage: stage, errno: errno).ofExec(id: Self.newID())))
        case .failure(let error):
            let words = "the pod's sandbox (version \(first.version)) says what this daemon does not understand"
            return try await output(.failure("\(words): \(error)"))
        case .success: break
        }
        if isTerminalExec, let terminal = first.descriptor?.take() { try ends.take(terminal: terminal) }
        try ends.makeReady()
        let code = try await carry(input, output, ends.takeOutput(), errors: ends.takeErrors(), to: ends.takeInput())
        // Whoever attached has heard all there was, however the container ended: its exit code is in the pod's status.
        try await output(code.map { .exit(request.command.isEmpty ? 0 : $0) } ?? .failure("the pod's sandbox is gone"))
    }

    /// What the shim says to what was asked. A container that ends between the connection and the request is told to everybody.
    private func answer() async throws -> ShimConnection.Message? {
        while let message = try await connection.next(within: Self.patience) {
            if case .success(.exited) = message.reply { continue }
            return message
        }
        return nil
    }

    /// 64 hexadecimal digits, as containerd names a process.
    private static func newID() -> String {
        (0..<32).map { _ in
            let digits = String(UInt8.random(in: .min ... .max), radix: 16)
            return digits.count < 2 ? "0\(digits)" : digits
        }.joined()
    }

    private enum Part { case said, heard, ended(Int?) }

    /// Carries bytes both ways; the process' exit code, nil when its sandbox is gone. All it wrote has then been handed on. Each
    /// descriptor is the task's that uses it: the process' input ends while others go on.
    private func carry(
        _ input: StreamInputs, _ output: @escaping StreamOutputs, _ said: SharedDescriptor?, errors: SharedDescriptor?,
        to write: SharedDescriptor?
    ) async throws -> Int? {
        let waiting = try DescriptorWait()
        return try await withThrowingTaskGroup(of: Part.self) { group in
            group.addTask {
                await feed(input, to: write?.take(), waiting)
                return .heard
            }
            group.addTask {
                try await pump(said?.take(), errors: errors?.take(), waiting, output)
                return .said
            }
            group.addTask { .ended(await end()) }
            defer { group.cancelAll() }
            var code: Int?
            var open = 2
            while open > 0, let part = try await group.next() {
                if case .ended(let told) = part { code = told }
                if case .heard = part { continue }
                open -= 1
            }
            return code
        }
    }

    /// Sends the request, with the far ends of pipes unless the shim makes a terminal.
    private func ask(_ ends: inout ProcessEnds) throws {
        func exec(tty: Bool, rows: Int = 0, columns: Int = 0) -> ShimRequest {
            .exec(container: request.container, argv: request.command, tty: tty, rows: rows, columns: columns, bound: isBound)
        }
        if isTerminalExec { return try connection.send(exec(tty: true, rows: 24, columns: 80)) }
        // A container's own input is a pipe that an attachment may leave alone.
        let far = try ends.makePipes(input: request.stdin || request.command.isEmpty)
        let attach = ShimRequest.attach(container: request.container, fromStart: request.fromStart)
        try connection.send(request.command.isEmpty ? attach : exec(tty: false), descriptors: far.numbers)
        if !request.stdin { ends.endInput() }
    }

    private func end() async -> Int? {
        for await message in connection.messages { if case .success(.ended(let code)) = message.reply { return code } }
        return nil
    }

    /// Writes what the client says until it has said all, or the task is cancelled.
    private func feed(_ input: StreamInputs, to write: consuming Descriptor?, _ waiting: DescriptorWait) async {
        do {
            for try await message in input {
                switch message {
                case .stdin(let bytes): await say(bytes, to: write, waiting)
                case .endOfInput:
                    guard isTerminalExec else { return }
                    await say([4], to: write, waiting)  // what Ctrl-D types
                case .resize(let rows, let columns):
                    if isTerminalExec {
                        host_set_window(write.number, UInt16(clamping: rows), UInt16(clamping: columns))
                    } else {
                        // A sandbox that is gone says so by its end.
                        try? connection.send(.resize(container: request.container, rows: rows, columns: columns))
                    }
                }
            }
        } catch {}  // an input that fails has ended
    }

    private func say(_ bytes: [UInt8], to write: borrowing Descriptor?, _ waiting: DescriptorWait) async {
        switch write {
        case .some(let write): await waiting.write(bytes, to: write)
        case .none: break
        }
    }

    /// Hands on what can be read, until both have ended.
    private func pump(
        _ said: consuming Descriptor?, errors: consuming Descriptor?, _ waiting: DescriptorWait, _ output: StreamOutputs
    ) async throws {
        let error = errors.number
        var open = [said.number, error].filter { $0 >= 0 }
        while !open.isEmpty {
            let ready = try await waiting.readable(open)
            for source in open where ready.contains(source) {
                var failure: Int32 = 0
                let bytes = [UInt8](unsafeUninitializedCapacity: 32 * 1024) { room, count in
                    let n = read(source, room.baseAddress, room.count)
                    if n < 0 { failure = errno }
                    count = max(0, n)
                }
                if !bytes.isEmpty {
                    try await output(source == error ? .stderr(bytes) : .stdout(bytes))
                } else if failure != EINTR, failure != EAGAIN {
                    // A terminal that nobody holds any more says EIO.
                    open.removeAll { $0 == source }
                }
            }
        }
    }
}
