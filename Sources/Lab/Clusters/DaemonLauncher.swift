import Glibc
import Host
import Runtime

/// Starts `minik serve` as a process of its own and waits for its READY=1, the word that systemd would wait for.
package struct DaemonLauncher {
    let paths: ClusterPaths

    package init(paths: ClusterPaths) { self.paths = paths }

    package struct NotReady: Error, CustomStringConvertible {
        let cause: String
        let log: String
        /// How the log ends, for it goes with a cluster that is taken back.
        let last: [String]

        init(cause: String, log: String) {
            self.cause = cause
            self.log = log
            last = String(decoding: Files.last(2000, of: log), as: UTF8.self).split(separator: "\n").suffix(5).map(String.init)
        }

        package var description: String {
            let place = Files.exists(log) ? "its log: \(log)" : (["its last words:"] + last).joined(separator: "\n    ")
            return "the daemon did not come up: \(cause)\n  \(place)"
        }
    }

    package func start(timeout: Double = 60) async throws {
        let socketPath = "\(paths.run)/notify.sock"
        unlink(socketPath)
        let notify = SharedDescriptor(try UnixSocket.listening(at: socketPath, .datagrams))
        defer { unlink(socketPath) }
        let log = try Descriptor(opening: paths.daemonLog, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        let program = SmallProgram.path("minik")
        let pid = SmallProgram.spawn(
            [program, "serve", paths.cluster], environment: ["NOTIFY_SOCKET=\(socketPath)", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
            stdio: [-1, log.number, log.number])
        guard pid > 0 else { throw FileError("start", program, errno: -pid) }
        try await SmallProgram.blocking {
            try notify.borrow { try Self.awaitReady($0, pid: pid, log: paths.daemonLog, timeout: timeout) }
        }
    }

    /// Ends the daemon, which leaves pods, Services and policies as they are; one that does not run is no error.
    package func stop() throws {
        guard let daemon = ProcessIdentity(file: paths.daemonPID) else { return }
        daemon.signal(SIGTERM)
        if daemon.awaitEnd(milliseconds: 3000) { return }
        daemon.signal(SIGKILL)
        guard daemon.awaitEnd(milliseconds: 3000) else {
            throw UserError("the daemon of cluster \"\(paths.cluster)\", process \(daemon.pid), does not end")
        }
    }

    private static func awaitReady(_ notify: borrowing Descriptor, pid: pid_t, log: String, timeout: Double) throws {
        let process: Descriptor
        do { process = try Descriptor(ofProcess: pid) } catch { throw NotReady(cause: "\(error)", log: log) }
        var status = "no word from it"
        let deadline = now() + timeout
        while now() < deadline {
            var fds = [notify.number, process.number].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            _ = poll(&fds, 2, 200)
            if fds[0].revents != 0 {
                var buffer = [UInt8](repeating: 0, count: 4096)
                let n = recv(notify.number, &buffer, buffer.count, 0)
                let lines = String(decoding: buffer.prefix(max(0, n)), as: UTF8.self).split(separator: "\n")
                if lines.contains("READY=1") { return }
                if let text = lines.first(where: { $0.hasPrefix("STATUS=") }) { status = String(text.dropFirst(7)) }
                continue
            }
            if fds[1].revents != 0 { throw NotReady(cause: status, log: log) }
        }
        throw NotReady(cause: "it took longer than \(Int(timeout)) s; last word: \(status)", log: log)
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
