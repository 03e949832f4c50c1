import CSandbox
import Glibc
import Host
import Model

/// Our ends of a process' standard streams: pipes, or a terminal. Closed by whoever holds them last.
struct ProcessEnds {
    struct Source: Sendable {
        let descriptor: Int32
        let isError: Bool
    }

    private(set) var sources: [Source] = []
    private var input: Int32 = -1

    /// Makes three pipes, or two and no input; the process' ends are the caller's to close.
    mutating func makePipes(input isHeard: Bool) throws -> [Int32] {
        var far: [Int32] = []
        do {
            if !isHeard {
                let null = open("/dev/null", O_RDWR | O_CLOEXEC)
                guard null >= 0 else { throw FileError("open", "/dev/null", errno: errno) }
                far.append(null)
            }
            for index in (isHeard ? 0 : 1)..<3 {
                var fds: [Int32] = [-1, -1]
                let result = sandbox_pipe(&fds)
                guard result == 0 else { throw FileError("make", "a pipe", errno: -result) }
                far.append(fds[index == 0 ? 0 : 1])
                if index == 0 { input = fds[1] } else { sources.append(Source(descriptor: fds[0], isError: index == 2)) }
            }
        } catch {
            for end in far { Glibc.close(end) }
            throw error
        }
        return far
    }

    /// The reader and the writer of a terminal each own a descriptor of it.
    mutating func take(terminal: Int32) {
        sources = [Source(descriptor: terminal, isError: false)]
        input = dup(terminal)
    }

    /// A process that does not read must not hold who writes to it.
    func makeReady() throws {
        guard input >= 0, fcntl(input, F_SETFL, fcntl(input, F_GETFL) | O_NONBLOCK) < 0 else { return }
        throw FileError("set", "a process' input", errno: errno)
    }

    mutating func endInput() {
        if input >= 0 { Glibc.close(input) }
        input = -1
    }

    mutating func takeWrite() -> Int32 {
        defer { input = -1 }
        return input
    }

    mutating func close() {
        endInput()
        for source in sources { Glibc.close(source.descriptor) }
        sources = []
    }
}
