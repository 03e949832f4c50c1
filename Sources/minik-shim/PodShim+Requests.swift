import CHost
import CSandbox
import Glibc
import Host
import Model
import ShimProtocol

/// What a shim does when asked.
extension PodShim {
    mutating func handle(_ request: ShimRequest, from fd: Int32, _ fds: consuming DescriptorList) {
        switch request {
        case .enclosed:
            guard let file = fds.popFirst() else {
                return say(.failed(container: "", stage: "read a long request", errno: Int(EBADF)), to: fd)
            }
            do { read(try file.readAll("a long request")[...], from: fd, DescriptorList()) } catch {
                say(.failed(container: "", stage: "read a long request", errno: Int(error.errno)), to: fd)
            }
        case .start(let spec): start(spec, for: fd)
        case .signal(let name, let number):
            if let pid = containers[name]?.record.pid, pid > 0 { kill(pid_t(pid), Int32(truncatingIfNeeded: number)) }
        case .state:
            say(.state(containers.values.map(\.record).sorted { $0.name < $1.name }), to: fd)
        case .shutdown:
            isEnding = true
            for container in containers.values where container.record.pid > 0 { kill(pid_t(container.record.pid), SIGKILL) }
        case .exec(let name, let argv, let tty, let rows, let columns, let isBound):
            exec(in: name, argv, tty: tty, rows: rows, columns: columns, fds.numbers, for: ExecProcess(connection: fd, isBound: isBound))
        case .attach(let name, let fromStart):
            guard containers[name]?.record.pid ?? 0 > 0, fds.numbers.count == 3 else {
                return say(.failed(container: name, stage: "attach: the container is not running", errno: Int(ESRCH)), to: fd)
            }
            for fd in fds.numbers { setNonBlocking(fd) }
            say(.joined, to: fd)
            containers[name]?.join(Attachment(connection: fd, &fds), fromStart: fromStart)
        case .resize(let name, let rows, let columns):
            if let terminal = containers[name]?.ends.terminal.number, terminal >= 0 {
                host_set_window(terminal, UInt16(clamping: rows), UInt16(clamping: columns))
            }
        }
    }

    private mutating func start(_ spec: ContainerSpec, for connection: Int32) {
        let target =
            if !spec.target.isEmpty { containers[spec.target]?.record.pid ?? 0 } else {
                switch spec.processes {
                case .own: 0
                case .pod: Int(pause)
                // The shim itself was born below the node's init.
                case .node: 1
                }
            }
        guard (spec.target.isEmpty && spec.processes == .own) || target > 0 else {
            return say(
                .failed(container: spec.name, stage: "the target container \(spec.target) is not running", errno: Int(ESRCH)),
                to: connection)
        }
        for image in spec.images where !images.contains(image.target) {
            let problem = -sandbox_mount_image(image.lower, image.target)
            guard problem == 0 else {
                return say(
                    .failed(container: spec.name, stage: "mount the image of a volume on \(image.target)", errno: Int(problem)),
                    to: connection)
            }
            images.insert(image.target)
        }
        switch SupervisedContainer.start(spec, target: target, node: node.number) {
        case .success(let container):
            containers[spec.name] = container
            say(.started(container.record), to: connection)
        case .failure(let failure):
            say(.failed(container: spec.name, stage: failure.stage, errno: failure.errno), to: connection)
        }
    }

    /// Runs a process as the container's own runs, but for its program and terminal.
    private mutating func exec(in name: String, _ argv: [String], tty: Bool, rows: Int, columns: Int, _ fds: [Int32], for exec: ExecProcess)
    {
        guard let container = containers[name], container.record.pid > 0, !argv.isEmpty, tty || fds.count == 3 else {
            return say(.failed(container: name, stage: "exec: the container is not running", errno: Int(ESRCH)), to: exec.connection)
        }
        var spec = container.spec.process
        spec.argv = argv
        spec.tty = tty
        if tty { spec.environment.append("TERM=xterm") }
        var process = sandbox_process()
        process.stdio = tty ? (-1, -1, -1) : (fds[0], fds[1], fds[2])
        process.rows = UInt16(clamping: rows)
        process.columns = UInt16(clamping: columns)
        var terminal: Int32 = -1
        var failure = sandbox_failure()
        let pid = withProcess(spec, &process) {
            sandbox_enter(pid_t(container.record.pid), Int32(sandbox_container_namespaces), $0, &terminal, &failure)
        }
        guard pid > 0 else {
            let failure = ShimFailure(failure)
            return say(.failed(container: name, stage: failure.stage, errno: failure.errno), to: exec.connection)
        }
        execs[pid] = exec
        let terminals = DescriptorList(owning: terminal >= 0 ? [terminal] : [])
        say(.joined, to: exec.connection, fds: terminals.numbers)
    }
}
