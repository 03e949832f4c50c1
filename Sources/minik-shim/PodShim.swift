import CHost
import Glibc
import Host
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
struct PodShim: ~Copyable {
    /// The pod's /dev/shm, mounted by `sandbox_become_pod`.
    static var sharedMemory: String { CommandLine.arguments[4] }

    private let listener: Descriptor
    private let socketPath: String
    /// The first process of the PID namespace that the pod's containers share; 0 where each has its own.
    let pause: pid_t
    /// A pidfd of the node's init, whose root hostPath volumes are looked up in.
    let node: Descriptor
    private let signals: Descriptor
    private var connections = DescriptorList()
    var containers: [String: SupervisedContainer] = [:]
    /// Where images are mounted for volumes.
    var images: Set<String> = []
    /// Processes of `exec`.
    var execs: [pid_t: ExecProcess] = [:]
    var isEnding = false
    /// Nobody new is let in until then: there was no descriptor left for them.
    private var listensAgain: Timestamp?

    init(listener: consuming Descriptor, socketPath: String, pause: pid_t, node: consuming Descriptor) {
        self.pause = pause
        self.node = node
        self.listener = listener
        self.socketPath = socketPath
        signals = Descriptor(owning: host_signal_fd())
    }

    mutating func run() {
        while !(isEnding && containers.values.allSatisfy { $0.record.pid == 0 }) {
            if let time = listensAgain, Timestamp.now().seconds >= time.seconds { listensAgain = nil }
            var fds = ((listensAgain == nil ? [listener.number, signals.number] : [signals.number]) + connections.numbers).map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            for container in containers.values {
                fds += container.ends.outputs.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
                fds += container.attachments.map { $0.input.number }.filter { $0 >= 0 }
                    .map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            }
            guard poll(&fds, nfds_t(fds.count), listensAgain == nil ? -1 : 1000) > 0 else { continue }
            let ready = fds.filter { $0.revents != 0 }.map(\.fd)
            if ready.contains(signals.number) { readSignals() }
            for fd in ready where fd != signals.number && fd != listener.number { serve(fd) }
            if ready.contains(listener.number) { accept() }
        }
        unlink(socketPath)
    }

    private mutating func accept() {
        do { connections.append(try UnixSocket.accept(listener.number)) } catch {
            // Whoever waits at the door keeps it ready: looking again at once would be a spin.
            if error.errno != EINTR, error.errno != EAGAIN { listensAgain = Timestamp(seconds: Timestamp.now().seconds + 1) }
        }
    }

    private mutating func serve(_ fd: Int32) {
        if connections.numbers.contains(fd) { return receive(from: fd) }
        for name in containers.keys {
            if containers[name]?.ends.outputs.contains(fd) == true { containers[name]?.drain(fd) }
            if let index = containers[name]?.attachments.firstIndex(where: { $0.input.number == fd }) { containers[name]?.feed(index) }
        }
    }

    private mutating func receive(from fd: Int32) {
        do {
            var message = try UnixSocket.receive(maximumShimPacket, over: fd)
            if message.bytes.isEmpty { drop(fd) } else { read(message.bytes, from: fd, message.takeDescriptors()) }
        } catch {
            if error.errno != EINTR, error.errno != EAGAIN { drop(fd) }
        }
    }

    /// What cannot be understood is said, and harms nobody: a daemon of another version may ask what this one does not know.
    mutating func read(_ packet: ArraySlice<UInt8>, from fd: Int32, _ fds: consuming DescriptorList) {
        let json = try? JSON(parsing: packet)
        let request: ShimRequest
        do {
            guard let json else { throw PacketError("no JSON") }
            request = try ShimRequest(json)
        } catch {
            let words = "understand a request of version \(json?.packetVersion ?? 0) (this shim speaks \(ShimVersion.current)): \(error)"
            return say(.failed(container: json?["container"].string ?? "", stage: words, errno: Int(EPROTO)), to: fd)
        }
        handle(request, from: fd, fds)
    }

    /// A connection is gone: whoever attached through it leaves; a process it started goes on without a listener, unless it is bound.
    private mutating func drop(_ fd: Int32) {
        connections.close(fd)
        for name in containers.keys {
            containers[name]?.attachments.removeAll { $0.connection == fd }
        }
        for (pid, exec) in execs where exec.connection == fd {
            execs[pid]?.connection = -1
            // It leads a session and a process group, which its children are in.
            if exec.isBound { kill(-pid, SIGKILL) }
        }
    }

    private mutating func readSignals() {
        while case let signal = host_next_signal(signals.number), signal != 0 {
            if signal == SIGTERM { handle(.shutdown, from: -1, DescriptorList()) }
        }
        var status: Int32 = 0
        while true {
            let pid = waitpid(-1, &status, WNOHANG)
            guard pid > 0 else { return }
            let code = Int(host_exit_code(status))
            if let exec = execs.removeValue(forKey: pid) {
                if exec.connection >= 0 { say(.ended(exitCode: code), to: exec.connection) }
            } else if let name = containers.first(where: { $0.value.record.pid == Int(pid) })?.key {
                ended(name, code, signaled: host_was_signaled(status) != 0)
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
        for connection in connections.numbers { say(.exited(container.record), to: connection) }
    }

    func say(_ reply: ShimReply, to fd: Int32, fds: [Int32] = []) {
        guard fd >= 0 else { return }
        _ = UnixSocket.send(reply.json.bytes(), descriptors: fds, over: fd)
    }
}
