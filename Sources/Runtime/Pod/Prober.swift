import Glibc
import Model

/// Runs the probes of one life of one container, from its node's network as the kubelet does.
struct Prober: Sendable {
    enum Finding: Sendable {
        /// One answer was bad: the words for the event.
        case failed(Probe.Kind, String)
        /// Enough answers agree.
        case decided(Probe.Kind, Bool)

        var kind: Probe.Kind {
            switch self {
            case .failed(let kind, _), .decided(let kind, _): kind
            }
        }
    }

    let pod: Pod
    let container: Container
    let address: IPv4Address
    let node: String
    let paths: ClusterPaths

    /// Probes until `tell` answers false: the container's life is over. A startup probe comes before the others.
    func run(tell: @escaping @Sendable (Finding) async -> Bool) async {
        if let startup = Probe(.startup, of: container) { guard await repeating(startup, untilSuccess: true, tell) else { return } }
        await withDiscardingTaskGroup { group in
            for kind in [Probe.Kind.readiness, .liveness] {
                if let probe = Probe(kind, of: container) { group.addTask { _ = await repeating(probe, untilSuccess: false, tell) } }
            }
        }
    }

    /// True when it succeeded and that was all that was wanted; false when there is nothing left to probe.
    private func repeating(_ probe: Probe, untilSuccess: Bool, _ tell: @Sendable (Finding) async -> Bool) async -> Bool {
        var tally = ProbeTally(probe)
        // A container that has just started is not asked in the same instant: most would refuse.
        let first = probe.initialDelay > 0 ? Duration.seconds(probe.initialDelay) : .milliseconds(100)
        guard (try? await Task.sleep(for: first)) != nil else { return false }
        while !Task.isCancelled {
            let problem = await ask(probe)
            if let problem {
                guard await tell(.failed(probe.kind, problem)) else { return false }
            }
            if let decided = tally.note(problem == nil) {
                guard await tell(.decided(probe.kind, decided)) else { return false }
                if decided && untilSuccess { return true }
                if !decided && probe.kind != .readiness { return false }  // its container is ended; the next life is probed anew
            }
            guard (try? await Task.sleep(for: .seconds(probe.period))) != nil else { return false }
        }
        return false
    }

    /// nil when the answer is good, else what was wrong, in the kubelet's words.
    private func ask(_ probe: Probe) async -> String? { await ask(probe.action, seconds: probe.timeout) }

    /// Runs a life-cycle hook (core/v1 LifecycleHandler): nil when it went well, else what was wrong.
    func perform(hook: JSON, seconds: Int) async -> String? {
        if let pause = hook["sleep"]["seconds"].int {
            try? await Task.sleep(for: .seconds(min(pause, seconds)))
            return nil
        }
        return await ask(Probe.Action(hook), seconds: seconds)
    }

    private func ask(_ action: Probe.Action, seconds: Int) async -> String? {
        switch action {
        case .grpc(let port, let service):
            guard let (target, number) = target(nil, port) else { return "cannot find port \(port.text())" }
            return await connecting(target, number, seconds, "timeout: failed to connect service \"\(target):\(number)\" within \(seconds)s: ") {
                Self.health($0, service: service, authority: "\(target):\(number)", seconds: seconds)
            }
        case .exec(let command): return await execute(command, seconds: seconds)
        case .tcpSocket(let host, let port):
            guard let (target, number) = target(host, port) else { return "cannot find port \(port.text())" }
            return await connecting(target, number, seconds) { _ in nil }
        case .httpGet(let scheme, let host, let port, let path, let headers):
            guard scheme == "HTTP" else { return "minik has no \(scheme) probes: use HTTP" }
            guard let (target, number) = target(host, port) else { return "cannot find port \(port.text())" }
            let url = "http://\(target):\(number)\(path)"
            var lines = ["GET \(path) HTTP/1.1", "Connection: close"]
            let standard = ["Host": "\(target):\(number)", "User-Agent": "kube-probe/1.36", "Accept": "*/*"]
            lines += standard.merging(headers) { $1 }.sorted { $0.key < $1.key }.map { "\($0): \($1)" }
            let request = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
            return await connecting(target, number, seconds, "Get \"\(url)\": ") { Self.status($0, request, url) }
        }
    }

    private func target(_ host: String?, _ port: JSON) -> (IPv4Address, UInt16)? {
        guard let number = Probe.port(port, of: container) else { return nil }
        return (host.flatMap { IPv4Address($0) } ?? address, number)
    }

    /// Connects from the node's network and lets `talk` use the connection.
    private func connecting(
        _ target: IPv4Address, _ port: UInt16, _ seconds: Int, _ prefix: String = "", talk: @escaping @Sendable (Int32) -> String?
    ) async -> String? {
        let namespace = paths.nodeNetns(node)
        let work: @Sendable () throws -> String? = {
            let fd: Int32
            do { fd = try NodeSocket.connected(to: target, port: Int(port), namespace: namespace, seconds: seconds) } catch let error as FileError {
                let words = error.errno == ETIMEDOUT ? "i/o timeout" : "connect: \(String(cString: strerror(error.errno)).lowercased())"
                return "\(prefix)dial tcp \(target):\(port): \(words)"
            }
            defer { close(fd) }
            var limit = timeval(tv_sec: seconds, tv_usec: 0)
            setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            return talk(fd)
        }
        do { return try await SmallProgram.blocking(work) } catch { return "\(prefix)\(error)" }
    }

    /// Sends an HTTP request and judges the status of its answer: 200 to 399 is good.
    private static func status(_ fd: Int32, _ request: [UInt8], _ url: String) -> String? {
        guard send(fd, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return "Get \"\(url)\": write: broken pipe" }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !answer.contains(UInt8(ascii: "\n")) {
            let n = read(fd, &buffer, buffer.count)
            if n < 0, errno == EINTR { continue }
            if n < 0 { return "Get \"\(url)\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)" }
            if n == 0 { return "Get \"\(url)\": EOF" }
            answer += buffer[..<n]
        }
        let words = String(decoding: answer.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }, as: UTF8.self).split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/"), let code = Int(words[1]) else { return "Get \"\(url)\": malformed HTTP response" }
        return (200..<400).contains(code) ? nil : "HTTP probe failed with statuscode: \(code)"
    }

    /// Asks a gRPC server after its health.
    private static func health(_ fd: Int32, service: String, authority: String, seconds: Int) -> String? {
        let request = GRPCHealthCheck.request(service: service, authority: authority)
        guard send(fd, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return "error: health rpc probe failed: write: broken pipe" }
        var check = GRPCHealthCheck()
        var buffer = [UInt8](repeating: 0, count: 4096)
        var hasAcknowledged = false
        while true {
            let n = read(fd, &buffer, buffer.count)
            if n < 0, errno == EINTR { continue }
            if n < 0 { return "timeout: health rpc did not complete within \(seconds)s" }
            if n == 0 { return "error: health rpc probe failed: EOF" }
            if !hasAcknowledged {
                hasAcknowledged = true
                _ = send(fd, GRPCHealthCheck.acknowledgement, GRPCHealthCheck.acknowledgement.count, Int32(MSG_NOSIGNAL))
            }
            switch check.take(buffer[..<n]) {
            case .serving: return nil
            case .unhealthy(let words): return words
            case nil: continue
            }
        }
    }

    private func execute(_ command: [String], seconds: Int) async -> String? {
        let (input, _) = AsyncStream.makeStream(of: ProcessStream.Input.self)
        let pod = pod, container = container.name, paths = paths
        return await withTaskGroup(of: String?.self) { group in
            group.addTask {
                do {
                    let output = try ProcessStream.open(
                        pod: pod, container: container, command: command, stdin: false, tty: false, paths: paths, input: input)
                    var said: [UInt8] = []
                    for await piece in output {
                        switch piece {
                        case .stdout(let bytes), .stderr(let bytes): if said.count < 10_240 { said += bytes }
                        case .exit(0): return nil
                        case .exit: return String(decoding: said, as: UTF8.self).trimmed
                        case .failure(let words): return words
                        }
                    }
                    return "the container is gone"
                } catch { return "\(error)" }
            }
            group.addTask {
                try? await Task.sleep(for: .seconds(seconds))
                return "command timed out: \"\(command.joined(separator: " "))\" timed out after \(seconds)s"
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
