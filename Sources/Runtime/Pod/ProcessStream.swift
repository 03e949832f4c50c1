import CSandbox
@preconcurrency import Dispatch  // its sources may be used from any thread, which their type does not say
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
        let read: [(Int32, isError: Bool)] = isTerminalExec ? [(first.descriptor ?? -1, false)] : [(pipes[1].read, false), (pipes[2].read, true)]
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
            for (descriptor, isError) in read {
                group.addTask { for await bytes in reader(descriptor) { say.yield(isError ? .stderr(bytes) : .stdout(bytes)) } }
            }
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

    /// What can be read from a descriptor, until its end; owns and closes it.
    private static func reader(_ fd: Int32) -> AsyncStream<[UInt8]> {
        AsyncStream { continuation in
            _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)
            let source = DispatchSource.makeReadSource(fileDescriptor: fd, queue: DispatchQueue(label: "stream"))
            source.setEventHandler {
                // Until nothing is left: a hang-up that came with the last bytes is not told a second time.
                var buffer = [UInt8](repeating: 0, count: 32 * 1024)
                while true {
                    let n = Glibc.read(fd, &buffer, buffer.count)
                    if n > 0 {
                        continuation.yield(Array(buffer[..<n]))
                    } else if n < 0, errno == EINTR {
                        continue
                    } else {
                        if n == 0 || errno != EAGAIN { source.cancel() }
                        return
                    }
                }
            }
            source.setCancelHandler {
                close(fd)
                continuation.finish()
            }
            continuation.onTermination = { _ in source.cancel() }
            source.activate()
        }
    }
}
