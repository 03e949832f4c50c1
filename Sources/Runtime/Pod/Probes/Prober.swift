import Glibc
import Host
import Model
import Synchronization

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
    let address: IPAddress
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
        guard (try? await TimerClock().sleep(for: first)) != nil else { return false }
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
            guard (try? await TimerClock().sleep(for: .seconds(probe.period))) != nil else { return false }
        }
        return false
    }

    /// nil when the answer is good, else what was wrong, in the kubelet's words.
    private func ask(_ probe: Probe) async -> String? { await ask(probe.action, seconds: probe.timeout) }

    /// Runs a life-cycle hook (core/v1 LifecycleHandler): nil when it went well, else what was wrong.
    func perform(hook: JSON, seconds: Int) async -> String? {
        if let pause = hook["sleep"]["seconds"].int {
            try? await TimerClock().sleep(for: .seconds(Timestamp.bounded(min(pause, seconds))))
            return nil
        }
        return await ask(Probe.Action(hook), seconds: seconds)
    }

    private func ask(_ action: Probe.Action, seconds: Int) async -> String? {
        switch action {
        case .grpc(let port, let service):
            guard let (target, number) = target(nil, port) else { return "cannot find port \(port.text())" }
            return await connecting(
                target, number, seconds,
                "timeout: failed to connect service \"\(target.authority(port: Int(number)))\" within \(seconds)s: "
            ) {
                ProbeQuestion.health($0, service: service, authority: "\(target.authority(port: Int(number)))", seconds: seconds)
            }
        case .exec(let command): return await execute(command, seconds: seconds)
        case .tcpSocket(let host, let port):
            guard let (target, number) = target(host, port) else { return "cannot find port \(port.text())" }
            return await connecting(target, number, seconds) { _ in nil }
        case .httpGet(let scheme, let host, let port, let path, let headers):
            guard let (target, number) = target(host, port) else { return "cannot find port \(port.text())" }
            let isSecure = scheme == "HTTPS"
            let url = "\(isSecure ? "https" : "http")://\(target.authority(port: Int(number)))\(path)"
            var lines = ["GET \(path) HTTP/1.1", "Connection: close"]
            let standard = ["Host": "\(target.authority(port: Int(number)))", "User-Agent": "kube-probe/1.36", "Accept": "*/*"]
            lines += standard.merging(headers) { $1 }.sorted { $0.key < $1.key }.map { "\($0): \($1)" }
            let request = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
            return await connecting(target, number, seconds, "Get \"\(url)\": ") { fd in
                if isSecure { return ProbeQuestion.secureStatus(fd, request, url) }
                return ProbeQuestion.status(
                    request, url, send: { send(fd, $0, $0.count, Int32(MSG_NOSIGNAL)) == $0.count }, receive: { read(fd, &$0, $0.count) })
            }
        }
    }

    /// What a node calls itself: manifests of pods with its network ask there.
    private static let loopback = IPAddress(ipv4: 0x7F00_0001)

    private func target(_ host: String?, _ port: JSON) -> (IPAddress, UInt16)? {
        guard let number = Probe.port(port, of: container) else { return nil }
        return (host.flatMap { $0 == "localhost" ? Self.loopback : IPAddress($0) } ?? address, number)
    }

    private func execute(_ command: [String], seconds: Int) async -> String? {
        let pod = pod, paths = paths
        let request = StreamRequest(container: container.name, command: command, stdin: false, tty: false)
        return await withTaskGroup(of: String?.self) { group in
            group.addTask {
                let answer = Mutex<(said: [UInt8], end: StreamOutput?)>(([], nil))
                do {
                    try await ProcessStream.run(pod: pod, request, paths: paths, isBound: true, input: StreamInputs()) { piece in
                        answer.withLock { answer in
                            switch piece {
                            case .stdout(let bytes), .stderr(let bytes): if answer.said.count < 10_240 { answer.said += bytes }
                            case .exit, .failure: answer.end = piece
                            }
                        }
                    }
                } catch { return "\(error)" }
                return answer.withLock { answer in
                    switch answer.end {
                    case .exit(0): nil
                    case .exit: String(decoding: answer.said, as: UTF8.self)
                    case .failure(let words): words
                    default: "the container is gone"
                    }
                }
            }
            group.addTask {
                try? await TimerClock().sleep(for: .seconds(Timestamp.bounded(seconds)))
                return "command timed out: \"\(command.joined(separator: " "))\" timed out after \(seconds)s"
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }

    /// Connects from the node's network and lets `talk` use the connection.
    private func connecting(
        _ target: IPAddress, _ port: UInt16, _ seconds: Int, _ prefix: String = "", talk: @escaping @Sendable (Int32) -> String?
    ) async -> String? {
        let namespace = paths.nodeNetns(node)
        let work: @Sendable () throws -> String? = {
            let socket: Descriptor
            do { socket = try NodeSocket.connected(to: target, port: Int(port), namespace: namespace, seconds: seconds) } catch let error
                as FileError
            {
                let words = error.errno == ETIMEDOUT ? "i/o timeout" : "connect: \(String(cString: strerror(error.errno)).lowercased())"
                return "\(prefix)dial tcp \(target.authority(port: Int(port))): \(words)"
            }
            var limit = timeval(tv_sec: seconds, tv_usec: 0)
            setsockopt(socket.number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            return talk(socket.number)
        }
        do { return try await SmallProgram.blocking(work) } catch { return "\(prefix)\(error)" }
    }
}
