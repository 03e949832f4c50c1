import CSandbox
import Glibc
import Model
import ShimProtocol

/// A process that `exec` started.
struct ExecProcess {
    /// Who waits for its exit; -1 once that one is gone.
    var connection: Int32
    /// It ends with its connection.
    let isBound: Bool
}

/// A pod's supervisor: one thread, one poll loop.
struct PodShim {
    /// The pod's /dev/shm, mounted by `sandbox_become_pod`.
    static var sharedMemory: String { CommandLine.arguments[4] }

    private let listener: Int32
    private let socketPath: String
    /// The first process of the PID namespace that the pod's containers share; 0 where each has its own.
    let pause: pid_t
    /// A pidfd of the node's init, whose root hostPath volumes are looked up in.
    let node: Int32
    private let signals: Int32
    private var connections: [Int32] = []
    var containers: [String: SupervisedContainer] = [:]
    /// Where images are mounted for volumes.
    var images: Set<String> = []
    /// Processes of `exec`.
    var execs: [pid_t: ExecProcess] = [:]
    var isEnding = false
    /// Nobody new is let in until then: there was no descriptor left for them.
    private var listensAgain: Timestamp?

    init(listener: Int32, socketPath: String, pause: pid_t, node: Int32) {
        self.pause = pause
        self.node = node
        self.listener = listener
        self.socketPath = socketPath
        signals = sandbox_signal_fd()
    }

    mutating func run() {
        while !(isEnding && containers.values.allSatisfy { $0.record.pid == 0 }) {
            if let time = listensAgain, Timestamp.now().seconds >= time.seconds { listensAgain = nil }
            var fds = ((listensAgain == nil ? [listener, signals] : [signals]) + connections).map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            for container in containers.values {
                fds += container.outputs.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
                fds += container.attachments.filter { $0.input >= 0 }.map { pollfd(fd: $0.input, events: Int16(POLLIN), revents: 0) }
            }
            guard poll(&fds, nfds_t(fds.count), listensAgain == nil ? -1 : 1000) > 0 else { continue }
            let ready = fds.filter { $0.revents != 0 }.map(\.fd)
            if ready.contains(signals) { readSignals() }
            for fd in ready where fd != signals && fd != listener { serve(fd) }
            if ready.contains(listener) { accept() }
        }
        unlink(socketPath)
    }

    private mutating func accept() {
        let fd = sandbox_accept(listener)
        // Whoever waits at the door keeps it ready: looking again at once would be a spin.
        if fd >= 0 {
            connections.append(fd)
        } else if fd != -EINTR, fd != -EAGAIN {
            listensAgain = Timestamp(seconds: Timestamp.now().seconds + 1)
        }
    }

    private mutating func serve(_ fd: Int32) {
        if connections.contains(fd) { return receive(from: fd) }
        for name in containers.keys {
            if containers[name]?.outputs.contains(fd) == true { containers[name]?.drain(fd) }
            if let index = containers[name]?.attachments.firstIndex(where: { $0.input == fd }) { containers[name]?.feed(index) }
        }
    }

    private mutating func receive(from fd: Int32) {
        var buffer = [UInt8](repeating: 0, count: maximumShimPacket)
        var fds: [Int32] = [-1, -1, -1]
        var count = 0
        let n = sandbox_receive(fd, &buffer, buffer.count, &fds, fds.count, &count)
        if n < 0 && (errno == EINTR || errno == EAGAIN) { return }
        let sent = Array(fds.prefix(count))
        guard n > 0 else {
            for fd in sent { close(fd) }
            return drop(fd)
        }
        read(buffer[..<n], from: fd, sent)
    }

    /// What cannot be understood is said, and harms nobody: a daemon of another version may ask what this one does not know.
    mutating func read(_ packet: ArraySlice<UInt8>, from fd: Int32, _ fds: [Int32]) {
        let json = try? JSON(parsing: packet)
        do {
            guard let json else { throw PacketError("no JSON") }
            let request = try ShimRequest(json)
            handle(request, from: fd, fds)
        } catch {
            for fd in fds { close(fd) }
            let words = "understand a request of version \(json?.packetVersion ?? 0) (this shim speaks \(ShimVersion.current)): \(error)"
            say(.failed(container: json?["container"].string ?? "", stage: words, errno: Int(EPROTO)), to: fd)
        }
    }

    /// A connection is gone: whoever attached through it leaves; a process it started goes on without a listener, unless it is bound.
    private mutating func drop(_ fd: Int32) {
        close(fd)
        connections.removeAll { $0 == fd }
        for name in containers.keys {
            for attachment in containers[name]?.attachments ?? [] where attachment.connection == fd { attachment.closeAll() }
            containers[name]?.attachments.removeAll { $0.connection == fd }
        }
        for (pid, exec) in execs where exec.connection == fd {
            execs[pid]?.connection = -1
            // It leads a session and a process group, which its children are in.
            if exec.isBound { kill(-pid, SIGKILL) }
        }
    }

    private mutating func readSignals() {
        while case let signal = sandbox_next_signal(signals), signal != 0 {
            if signal == SIGTERM { handle(.shutdown, from: -1, []) }
        }
        var status: Int32 = 0
        while true {
            let pid = waitpid(-1, &status, WNOHANG)
            guard pid > 0 else { return }
            let code = Int(sandbox_exit_code(status))
            if let exec = execs.removeValue(forKey: pid) {
                if exec.connection >= 0 { say(.ended(exitCode: code), to: exec.connection) }
            } else if let name = containers.first(where: { $0.value.record.pid == Int(pid) })?.key {
                ended(name, code, signaled: sandbox_was_signaled(status) != 0)
            }
        }
    }

    private mutating func ended(_ name: String, _ code: Int, signaled: Bool) {
        guard var container = containers.removeValue(forKey: name) else { return }
        container.endOthers()
        container.record.pid = 0
        container.record.exitCode = code
        container.record.signal = signaled ? code - 128 : 0
        container.record.finishedAt = .now()
        container.finish()
        for attachment in container.attachments {
            attachment.closeAll()
            say(.ended(exitCode: code), to: attachment.connection)
        }
        container.attachments = []
        containers[name] = container
        for connection in connections { say(.exited(container.record), to: connection) }
    }

    func say(_ reply: ShimReply, to fd: Int32, fds: [Int32] = []) {
        guard fd >= 0 else { return }
        let bytes = reply.json.bytes()
        _ = sandbox_send(fd, bytes, bytes.count, fds, fds.count)
    }
}
