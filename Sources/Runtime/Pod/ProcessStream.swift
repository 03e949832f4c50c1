import CSandbox
import Dispatch
import Glibc
import Model
import ShimProtocol

/// A conversation with a process in a container: one that `exec` starts, or the container's own that `attach` joins.
package struct ProcessStream: Sendable {
    package enum Input: Sendable {
        case stdin([UInt8])
        case endOfInput
        case resize(rows: Int, columns: Int)
    }

    package enum Output: Sendable {
        case stdout([UInt8])
        case stderr([UInt8])
        case exit(Int)
        case failure(String)
    }

    /// Starts or joins. `command` empty: attach. The output ends with `exit` or `failure`.
    package static func open(
        pod: Pod, container: String, command: [String], stdin: Bool, tty: Bool, paths: ClusterPaths, input: AsyncStream<Input>
    ) throws -> AsyncStream<Output> {
        let connection = try ShimConnection(socket: "\(paths.podRun(pod.uid))/shim.sock")
        let (output, say) = AsyncStream.makeStream(of: Output.self)
        let work = Task {  // ends with the process, or with the reader of its output
            await converse(connection, container, command, stdin: stdin, tty: tty, input, say)
            connection.disconnect()
            say.finish()
        }
        say.onTermination = { _ in work.cancel() }
        return output
    }

    private static func converse(
        _ connection: ShimConnection, _ container: String, _ command: [String], stdin: Bool, tty: Bool, _ input: AsyncStream<Input>,
        _ say: AsyncStream<Output>.Continuation
    ) async {
        let isTerminalExec = tty && !command.isEmpty
        var pipes: [Pipe] = []
        do {
            if isTerminalExec {
                try connection.send(.exec(container: container, argv: command, tty: true, rows: 24, columns: 80))
            } else {
                pipes = [try Pipe(), try Pipe(), try Pipe()]
                let ends = [pipes[0].read, pipes[1].write, pipes[2].write]
                try connection.send(
                    command.isEmpty ? .attach(container: container) : .exec(container: container, argv: command, tty: false, rows: 0, columns: 0),
                    descriptors: ends)
                for end in ends { close(end) }
                if !stdin { close(pipes[0].write) }
            }
        } catch {
            say.yield(.failure("\(error)"))
            return
        }
        var messages = connection.messages.makeAsyncIterator()
        guard let first = await messages.next() else {
            say.yield(.failure("the pod's sandbox is gone"))
            return
        }
        if case .failed(_, let stage, let errno) = first.reply {
            let words = errno == Int(ESRCH) ? stage : "\(stage) \(String(cString: strerror(Int32(errno))).lowercased())"
            say.yield(.failure("failed to exec in container: \(words)"))
            return
        }
        // The reader and the writer of a terminal each own a descriptor of it.
        let write: Int32 = isTerminalExec ? dup(first.descriptor ?? -1) : stdin ? pipes[0].write : -1
        let sources: [(Int32, isError: Bool)] = isTerminalExec ? [(first.descriptor ?? -1, false)] : [(pipes[1].read, false), (pipes[2].read, true)]
        let rest = messages
        await withTaskGroup(of: Void.self) { group in
            let feeding = Task {  // cancelled below: the process' end ends its input
                defer { if write >= 0 { close(write) } }
                for await message in input {
                    switch message {
                    case .stdin(let bytes): if write >= 0 { try? await SmallProgram.blocking { Self.write(bytes, to: write) } }
                    case .endOfInput:
                        guard isTerminalExec else { return }
                        Self.write([4], to: write)  // what Ctrl-D types
                    case .resize(let rows, let columns):
                        if isTerminalExec {
                            sandbox_set_window(write, UInt16(clamping: rows), UInt16(clamping: columns))
                        } else {
                            try? connection.send(.resize(container: container, rows: rows, columns: columns))
                        }
                    }
                }
            }
            group.addTask { await pump(sources, say) }
            // Everything the process wrote comes before the word of its end.
            var iterator = rest
            var code: Int?
            while let message = await iterator.next() {
                if case .ended(let exitCode) = message.reply {
                    code = exitCode
                    break
                }
            }
            await group.waitForAll()
            feeding.cancel()
            say.yield(code.map(Output.exit) ?? .failure("the pod's sandbox is gone"))
        }
    }

    private struct Pipe {
        let read: Int32
        let write: Int32

        init() throws {
            var fds: [Int32] = [-1, -1]
            let result = sandbox_pipe(&fds)
            guard result == 0 else { throw FileError("make", "a pipe", errno: -result) }
            (read, write) = (fds[0], fds[1])
        }
    }

    private static func write(_ bytes: [UInt8], to fd: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let n = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if n < 0, errno == EINTR { continue }
            if n <= 0 { return }
            rest = rest.dropFirst(n)
        }
    }

    /// Hands on what can be read from descriptors, on a thread of its own, until all have ended or the task is cancelled; owns
    /// and closes them. Not a dispatch source: with those the daemon crashed in _dispatch_event_loop_drain (Swift 6.3.1) as pipes hung up.
    private static func pump(_ sources: [(Int32, isError: Bool)], _ say: AsyncStream<Output>.Continuation) async {
        var stop: [Int32] = [-1, -1]
        guard sandbox_pipe(&stop) == 0 else {
            say.yield(.failure("cannot make a pipe: \(String(cString: strerror(errno)))"))
            return
        }
        let (stopped, stopper) = (stop[0], stop[1])
        await withTaskCancellationHandler {
            await withCheckedContinuation { done in
                DispatchQueue(label: "stream").async {
                    read(sources, until: stopped, say)
                    close(stopped)
                    done.resume()
                }
            }
        } onCancel: {
            write([0], to: stopper)
        }
        close(stopper)
    }

    private static func read(_ sources: [(Int32, isError: Bool)], until stopped: Int32, _ say: AsyncStream<Output>.Continuation) {
        var open = sources
        var buffer = [UInt8](repeating: 0, count: 32 * 1024)
        while !open.isEmpty {
            var polls = (open.map(\.0) + [stopped]).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&polls, nfds_t(polls.count), -1) > 0 else { continue }
            if polls[open.count].revents != 0 { break }
            var ended: Set<Int32> = []
            for (source, ready) in zip(open, polls) where ready.revents != 0 {
                let n = Glibc.read(source.0, &buffer, buffer.count)
                if n > 0 {
                    let bytes = Array(buffer[..<n])
                    say.yield(source.isError ? .stderr(bytes) : .stdout(bytes))
                } else if n == 0 || (errno != EINTR && errno != EAGAIN) {
                    ended.insert(source.0)  // a terminal that nobody holds any more says EIO
                }
            }
            for fd in ended { close(fd) }
            open.removeAll { ended.contains($0.0) }
        }
        for source in open { close(source.0) }
    }
}
