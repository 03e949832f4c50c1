import CSandbox
import Glibc
import Host
import Model
import ShimProtocol

/// A container, its ends of the pipes or the pty, its log and who is attached.
struct SupervisedContainer {
    let spec: ContainerSpec
    var record: ContainerRecord
    let ends: ContainerEnds
    let log: LogFile
    var attachments: [Attachment] = []
    /// Somebody has attached to it.
    var wasJoined = false

    /// Starts the container, in the PID namespace of process `target` unless that is 0; the failure names the step that did not work.
    /// `node`: a pidfd of the node's init.
    static func start(_ spec: ContainerSpec, target: Int, node: Int32) -> Result<SupervisedContainer, ShimFailure> {
        let ends = ContainerEnds()
        var far = DescriptorList()
        if !spec.process.tty {
            do { far = try ends.makePipes(input: spec.stdin) } catch {
                return .failure(ShimFailure(stage: "make a pipe", errno: Int(error.errno)))
            }
        }
        var process = sandbox_process()
        let stdio = far.numbers
        process.stdio = stdio.isEmpty ? (-1, -1, -1) : (spec.stdin ? stdio[0] : -1, stdio[stdio.count - 2], stdio[stdio.count - 1])
        process.console = 1
        var terminal: Int32 = -1
        var failure = sandbox_failure()
        let pid = withRoot(spec, target: target, node: node, shm: PodShim.sharedMemory) { root in
            withProcess(spec.process, &process) { sandbox_start(root, $0, &terminal, &failure) }
        }
        guard pid > 0 else { return .failure(ShimFailure(failure)) }
        if terminal >= 0 { ends.terminal = Descriptor(owning: terminal) }
        ends.neverBlock()
        let record = ContainerRecord(name: spec.name, pid: Int(pid), startedAt: .now())
        return .success(SupervisedContainer(spec: spec, record: record, ends: ends, log: LogFile(path: spec.logPath)))
    }

    /// Copies what is readable on `fd` to the log and to who is attached; closes it at its end.
    mutating func drain(_ fd: Int32) {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let n = read(fd, &buffer, buffer.count)
            if n > 0 {
                let isError = fd == ends.stderr.number
                log.append(buffer[..<n], stream: isError ? "stderr" : "stdout")
                for attachment in attachments { attachment.hear(buffer[..<n], isError: isError) }
                continue
            }
            if n < 0 && errno == EINTR { continue }
            if n < 0 && errno == EAGAIN { return }
            // End of file; a pty's master says EIO when the last holder of the slave is gone. While the container lives
            // another process of it may open the terminal again.
            if fd == ends.terminal.number && record.pid != 0 { return }
            return ends.close(fd)
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

    /// Sends what the container has said so far.
    private func retell(to attachment: Attachment) {
        log.retell { bytes, stream in attachment.hear(bytes, isError: stream == "stderr") }
    }

    /// Copies what attachment `index` sends into the container.
    mutating func feed(_ index: Int) {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        let n = read(attachments[index].input.number, &buffer, buffer.count)
        if n > 0 {
            ends.hear(buffer[..<n])
        } else if n == 0 || (errno != EAGAIN && errno != EINTR) {
            attachments[index].input = nil
            if spec.stdinOnce { ends.stdin = nil }
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
        // Who is in no namespace of ours is told as 0.
        (Files.text("\(cgroup)/cgroup.procs") ?? "").split(separator: "\n").compactMap { pid_t($0) }.filter { $0 > 0 }
    }

    /// Everything it wrote is in the log; everybody who watched is told.
    mutating func finish() {
        for fd in ends.outputs { drain(fd) }
        ends.closeAll()
        log.finish()
    }
}

struct ShimFailure: Error {
    let stage: String
    let errno: Int

    init(stage: String, errno: Int) { (self.stage, self.errno) = (stage, errno) }

    init(_ failure: sandbox_failure) {
        var copy = failure
        stage = withUnsafeBytes(of: &copy.stage) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        errno = Int(failure.error)
    }
}

func setNonBlocking(_ fd: Int32) { _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) }
