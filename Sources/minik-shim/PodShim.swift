import CSandbox
import Glibc
import Model
import ShimProtocol

/// A pod's supervisor: one thread, one poll loop.
struct PodShim {
    /// The pod's /dev/shm, mounted by `sandbox_become_pod`.
    static var sharedMemory: String { CommandLine.arguments[4] }

    private let listener: Int32
    private let socketPath: String
    private let signals: Int32
    private var connections: [Int32] = []
    private var containers: [String: SupervisedContainer] = [:]
    /// Processes of `exec`: pid -> the connection that waits for its exit.
    private var execs: [pid_t: Int32] = [:]
    private var isEnding = false
    /// Nobody new is let in until then: there was no descriptor left for them.
    private var listensAgain: Timestamp?

    init(listener: Int32, socketPath: String) {
        self.listener = listener
        self.socketPath = socketPath
        signals = sandbox_signal_fd()
    }

    mutating func run() {
        while !(isEnding && containers.values.allSatisfy { $0.record.pid == 0 }) {
            if let time = listensAgain, Timestamp.now().seconds >= time.seconds { listensAgain = nil }
            var fds = ((listensAgain == nil ? [listener, signals] : [signals]) + connections).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
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
        if fd >= 0 { connections.append(fd) } else if fd != -EINTR, fd != -EAGAIN { listensAgain = Timestamp(seconds: Timestamp.now().seconds + 1) }
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
        guard n > 0, let json = try? JSON(parsing: buffer[..<n]), let request = ShimRequest(json) else { return drop(fd) }
        handle(request, from: fd, Array(fds.prefix(count)))
    }

    /// A connection is gone: whoever attached through it leaves; a process it started goes on without a listener.
    private mutating func drop(_ fd: Int32) {
        close(fd)
        connections.removeAll { $0 == fd }
        for name in containers.keys {
            for attachment in containers[name]?.attachments ?? [] where attachment.connection == fd { attachment.closeAll() }
            containers[name]?.attachments.removeAll { $0.connection == fd }
        }
        for (pid, connection) in execs where connection == fd { execs[pid] = -1 }
    }

    private mutating func handle(_ request: ShimRequest, from fd: Int32, _ fds: [Int32]) {
        var unused = fds
        defer { for fd in unused { close(fd) } }
        switch request {
        case .enclosed:
            guard let file = fds.first, let request = Self.read(file).flatMap({ ShimRequest($0) }) else { return }
            handle(request, from: fd, [])
        case .start(let spec):
            let target = containers[spec.target]?.record.pid ?? 0
            guard spec.target.isEmpty || target > 0 else {
                return say(.failed(container: spec.name, stage: "the target container \(spec.target) is not running", errno: Int(ESRCH)), to: fd)
            }
            switch SupervisedContainer.start(spec, target: target) {
            case .success(let container):
                containers[spec.name] = container
                say(.started(container.record), to: fd)
            case .failure(let failure):
                say(.failed(container: spec.name, stage: failure.stage, errno: failure.errno), to: fd)
            }
        case .signal(let name, let number):
            if let pid = containers[name]?.record.pid, pid > 0 { kill(pid_t(pid), Int32(number)) }
        case .state:
            say(.state(containers.values.map(\.record).sorted { $0.name < $1.name }), to: fd)
        case .shutdown:
            isEnding = true
            for container in containers.values where container.record.pid > 0 { kill(pid_t(container.record.pid), SIGKILL) }
        case .exec(let name, let argv, let tty, let rows, let columns):
            exec(in: name, argv, tty: tty, rows: rows, columns: columns, fds, for: fd)
        case .attach(let name):
            // One that has ended may still have something to say to its first visitor.
            let isWaited = containers[name].map { $0.spec.stdin && !$0.wasAttached } ?? false
            guard containers[name]?.record.pid ?? 0 > 0 || isWaited, fds.count == 3 else {
                return say(.failed(container: name, stage: "attach: the container is not running", errno: Int(ESRCH)), to: fd)
            }
            for fd in fds { setNonBlocking(fd) }
            unused = []
            say(.joined, to: fd)
            containers[name]?.attach(Attachment(connection: fd, input: fds[0], output: fds[1], errors: fds[2]))
            if let container = containers[name], container.record.pid == 0 {
                for attachment in container.attachments { attachment.closeAll() }
                containers[name]?.attachments = []
                say(.ended(exitCode: container.record.exitCode ?? 0), to: fd)
            }
        case .resize(let name, let rows, let columns):
            if let terminal = containers[name]?.terminal, terminal >= 0 {
                sandbox_set_window(terminal, UInt16(clamping: rows), UInt16(clamping: columns))
            }
        }
    }

    /// The document in a file, from where it stands to its end.
    private static func read(_ file: Int32) -> JSON? {
        var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 65536)
        while case let n = Glibc.read(file, &buffer, buffer.count), n > 0 { bytes += buffer[..<n] }
        return try? JSON(parsing: bytes)
    }

    private mutating func exec(
        in name: String, _ argv: [String], tty: Bool, rows: Int, columns: Int, _ fds: [Int32], for connection: Int32
    ) {
        guard let container = containers[name], container.record.pid > 0, !argv.isEmpty, tty || fds.count == 3 else {
            return say(.failed(container: name, stage: "exec: the container is not running", errno: Int(ESRCH)), to: connection)
        }
        var process = sandbox_process()
        process.uid = UInt32(container.spec.uid)
        process.gid = UInt32(container.spec.gid)
        process.capabilities = container.spec.capabilities
        process.no_new_privileges = container.spec.noNewPrivileges ? 1 : 0
        process.stdio = tty ? (-1, -1, -1) : (fds[0], fds[1], fds[2])
        process.terminal = tty ? 1 : 0
        process.rows = UInt16(clamping: rows)
        process.columns = UInt16(clamping: columns)
        var terminal: Int32 = -1
        var failure = sandbox_failure()
        let environment = container.spec.environment + (tty ? ["TERM=xterm"] : [])
        let pid = withProcess(&process, argv: argv, environment: environment, directory: container.spec.workingDirectory, groups: container.spec.groups) {
            sandbox_enter(pid_t(container.record.pid), Int32(sandbox_container_namespaces), $0, &terminal, &failure)
        }
        guard pid > 0 else {
            let failure = ShimFailure(failure)
            return say(.failed(container: name, stage: failure.stage, errno: failure.errno), to: connection)
        }
        execs[pid] = connection
        say(.joined, to: connection, fds: terminal >= 0 ? [terminal] : [])
        if terminal >= 0 { close(terminal) }
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
            if let connection = execs.removeValue(forKey: pid) {
                if connection >= 0 { say(.ended(exitCode: code), to: connection) }
            } else if let name = containers.first(where: { $0.value.record.pid == Int(pid) })?.key {
                ended(name, code, signaled: sandbox_was_signaled(status) != 0)
            }
        }
    }

    private mutating func ended(_ name: String, _ code: Int, signaled: Bool) {
        guard var container = containers.removeValue(forKey: name) else { return }
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

    private func say(_ reply: ShimReply, to fd: Int32, fds: [Int32] = []) {
        guard fd >= 0 else { return }
        let bytes = reply.json.bytes()
        _ = sandbox_send(fd, bytes, bytes.count, fds, fds.count)
    }
}
