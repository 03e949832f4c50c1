import CSandbox
import Glibc
import Model
import ShimProtocol

/// A client that has joined a container's streams. Descriptors are -1 once closed.
struct Attachment {
    let connection: Int32
    var input: Int32
    let output: Int32
    let errors: Int32

    func closeAll() {
        if input >= 0 { close(input) }
        close(output)
        close(errors)
    }
}

/// A container, its ends of the pipes or the pty, its log and who is attached.
struct SupervisedContainer {
    let spec: ContainerSpec
    var record: ContainerRecord
    /// The pty's master with a terminal, else -1.
    var terminal: Int32
    var stdin: Int32
    var stdout: Int32
    var stderr: Int32
    var log: LogFile
    var attachments: [Attachment] = []
    /// Somebody has attached to it.
    var wasJoined = false

    /// Starts the container, in the PID namespace of process `target` unless that is 0; the failure names the step that did not work.
    /// `node`: a pidfd of the node's init.
    static func start(_ spec: ContainerSpec, target: Int, node: Int32) -> Result<SupervisedContainer, ShimFailure> {
        var inPipe: [Int32] = [-1, -1], outPipe: [Int32] = [-1, -1], errPipe: [Int32] = [-1, -1]
        if !spec.process.tty {
            if spec.stdin { sandbox_pipe(&inPipe) }
            sandbox_pipe(&outPipe)
            sandbox_pipe(&errPipe)
        }
        var process = sandbox_process()
        process.stdio = (inPipe[0], outPipe[1], errPipe[1])
        process.console = 1
        var terminal: Int32 = -1
        var failure = sandbox_failure()
        let pid = withRoot(spec, target: target, node: node, shm: PodShim.sharedMemory) { root in
            withProcess(spec.process, &process) { sandbox_start(root, $0, &terminal, &failure) }
        }
        for fd in [inPipe[0], outPipe[1], errPipe[1]] where fd >= 0 { close(fd) }
        guard pid > 0 else {
            for fd in [inPipe[1], outPipe[0], errPipe[0]] where fd >= 0 { close(fd) }
            return .failure(ShimFailure(failure))
        }
        for fd in [terminal, inPipe[1], outPipe[0], errPipe[0]] where fd >= 0 { setNonBlocking(fd) }
        return .success(
            SupervisedContainer(
                spec: spec, record: ContainerRecord(name: spec.name, pid: Int(pid), startedAt: .now()), terminal: terminal,
                stdin: inPipe[1], stdout: outPipe[0], stderr: errPipe[0], log: LogFile(path: spec.logPath)))
    }

    /// The descriptors whose output is waited for.
    var outputs: [Int32] { [terminal, stdout, stderr].filter { $0 >= 0 } }

    /// Copies what is readable on `fd` to the log and to who is attached; closes it at its end.
    mutating func drain(_ fd: Int32) {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let n = read(fd, &buffer, buffer.count)
            if n > 0 {
                let isError = fd == stderr
                log.append(buffer[..<n], stream: isError ? "stderr" : "stdout")
                for attachment in attachments { send(buffer[..<n], to: isError ? attachment.errors : attachment.output) }
                continue
            }
            if n < 0 && errno == EINTR { continue }
            if n < 0 && errno == EAGAIN { return }
            // End of file; a pty's master says EIO when the last holder of the slave is gone. While the container lives
            // another process of it may open the terminal again.
            if fd == terminal && record.pid != 0 { return }
            close(fd)
            if fd == terminal { terminal = -1 }
            if fd == stdout { stdout = -1 }
            if fd == stderr { stderr = -1 }
            return
        }
    }

    /// Takes an attachment in. `fromStart`: what the container has said so far comes first; and so it does for the first one of a container
    /// whose input is for one alone, for whoever made that waits to hear it all.
    mutating func join(_ attachment: Attachment, fromStart: Bool) {
        // Between this and the container's next word nothing else happens here: no word is lost or told twice.
        if fromStart || (spec.stdinOnce && !wasJoined) { retell(to: attachment) }
        wasJoined = true
        attachments.append(attachment)
    }

    private func retell(to attachment: Attachment) {
        log.retell { bytes, stream in send(bytes, to: stream == "stderr" ? attachment.errors : attachment.output) }
    }

    /// Copies what attachment `index` sends into the container.
    mutating func feed(_ index: Int) {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        let n = read(attachments[index].input, &buffer, buffer.count)
        if n > 0 {
            send(buffer[..<n], to: terminal >= 0 ? terminal : stdin)
        } else if n == 0 || (errno != EAGAIN && errno != EINTR) {
            close(attachments[index].input)
            attachments[index].input = -1
            if spec.stdinOnce, stdin >= 0 {
                close(stdin)
                stdin = -1
            }
        }
    }

    /// With the first process of a PID namespace of its own, all others end. Where it is not alone in one, they are known by their control
    /// group.
    func endOthers() {
        guard spec.processes != .own || !spec.target.isEmpty else { return }
        for _ in 0..<10 {
            let others = spec.process.cgroups.flatMap { Self.processes(in: $0) }
            if others.isEmpty { return }
            for pid in others { kill(pid, SIGKILL) }
        }
    }

    private static func processes(in cgroup: String) -> [pid_t] {
        let file = open("\(cgroup)/cgroup.procs", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 4096)
        while case let n = read(file, &buffer, buffer.count), n > 0 { bytes += buffer[..<n] }
        // Who is in no namespace of ours is told as 0.
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { pid_t($0) }.filter { $0 > 0 }
    }

    /// Everything it wrote is in the log; everybody who watched is told.
    mutating func finish() {
        for fd in outputs { drain(fd) }
        for fd in [terminal, stdin, stdout, stderr] where fd >= 0 { close(fd) }
        (terminal, stdin, stdout, stderr) = (-1, -1, -1, -1)
        log.finish()
    }

    /// Writes all of `bytes`, waiting a second at most for a reader that lags.
    private func send(_ bytes: ArraySlice<UInt8>, to fd: Int32) {
        var rest = bytes
        while fd >= 0, !rest.isEmpty {
            let n = rest.withUnsafeBytes { write(fd, $0.baseAddress, $0.count) }
            if n > 0 {
                rest = rest.dropFirst(n)
            } else if errno == EAGAIN {
                var wait = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
                if poll(&wait, 1, 1000) <= 0 { return }
            } else if errno != EINTR {
                return
            }
        }
    }
}

struct ShimFailure: Error {
    let stage: String
    let errno: Int

    init(_ failure: sandbox_failure) {
        var copy = failure
        stage = withUnsafeBytes(of: &copy.stage) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        errno = Int(failure.error)
    }
}

func setNonBlocking(_ fd: Int32) { _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) }
