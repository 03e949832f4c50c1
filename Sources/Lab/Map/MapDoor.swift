import API
import Host
import Model
import Runtime

/// Where the map can be looked at: an address of this machine's loopback, which is there from the first time that somebody asks for it, and
/// stays the same when the daemon starts anew.
package actor MapDoor {
    private let file: String
    private let feed: MapFeed
    private let threads: RequestThreads
    private let tickets = MapTickets()
    private let report: @Sendable (String) -> Void
    private let asked: AsyncStream<Void>
    private let ask: AsyncStream<Void>.Continuation
    private var waiting: [CheckedContinuation<String, any Error>] = []
    private var address: String?
    private var token = ""

    package init(file: String, feed: MapFeed, threads: RequestThreads, report: @escaping @Sendable (String) -> Void) {
        (self.file, self.feed, self.threads, self.report) = (file, feed, threads, report)
        (asked, ask) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// 128 bits from the kernel (getrandom(2)).
    package static func secret() -> String {
        var random = SystemRandomNumberGenerator()
        return (0..<16).map { _ in
            let byte = random.next(upperBound: UInt16(256))
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    /// `http://127.0.0.1:PORT/TOKEN/`, and an address that does the same once.
    package func open() async throws -> (url: String, once: String) {
        let address: String
        if let known = self.address {
            address = known
        } else {
            address = try await withCheckedThrowingContinuation { continuation in
                waiting.append(continuation)
                ask.yield()
            }
        }
        return ("\(address)\(token)/", "\(address)open/\(await tickets.make())")
    }

    /// Serves the page until cancelled.
    package func run() async throws {
        defer { settle(.failure(CancellationError())) }
        var requests = asked.makeAsyncIterator(), isWanted = kept() != nil
        while !Task.isCancelled {
            if !isWanted, await requests.next(isolation: self) == nil { return }
            do { try await serve() } catch {
                if Task.isCancelled { throw CancellationError() }
                report("the map: \(error)")
                settle(.failure(error))
                (address, isWanted) = (nil, false)
            }
        }
    }

    private func settle(_ result: Result<String, any Error>) {
        for continuation in waiting { continuation.resume(with: result) }
        waiting = []
    }

    private func serve() async throws {
        let known = kept(), token = known?.token ?? Self.secret()
        self.token = token
        let page = HTTPServer(MapPage(token: token, tickets: tickets, feed: feed, threads: threads))
        let socket = try listen(known?.port)
        try await page.run(on: .plain(socket.release())) { [weak self] port in
            guard let port else { return }
            Task { await self?.opened(port) }
        }
    }

    /// At the port that it had, or at another where somebody has taken that.
    private func listen(_ port: Int?) throws -> Descriptor {
        let own = "/proc/self/ns/net", loopback = IPAddress(ipv4: 0x7F00_0001)
        if let port {
            do { return try NodeSocket.listening(on: loopback, port: port, namespace: own) } catch let error as FileError {
                report("127.0.0.1:\(port) is taken (\(error)); the map moves to another port: run minik map again")
            }
        }
        return try NodeSocket.listening(on: loopback, port: 0, namespace: own)
    }

    private func opened(_ port: Int) {
        do { try Files.write("\(port) \(token)\n", to: file, mode: 0o600) } catch { report("the map: \(error)") }
        let address = "http://127.0.0.1:\(port)/"
        self.address = address
        settle(.success(address))
    }

    /// Port and token, for root's eyes.
    private func kept() -> (port: Int, token: String)? {
        let parts = (Files.text(file) ?? "").split(whereSeparator: \.isWhitespace)
        guard parts.count == 2, let port = Int(parts[0]), parts[1].count == 32 else { return nil }
        return (port, String(parts[1]))
    }
}

/// `POST /minik/map`: where the map is. For the machine's root, as every path that no role names.
package struct MapAPI: PathResponder {
    private let door: MapDoor

    package init(_ door: MapDoor) { self.door = door }

    package func respond(_ request: HTTPRequest, _ user: UserInfo) async throws -> HTTPResponse? {
        guard request.path == ["minik", "map"] else { return nil }
        guard request.method == "POST" else { throw StatusError(405, .methodNotAllowed, "the map is asked for with POST") }
        let address = try await door.open()
        return .json(["url": .string(address.url), "once": .string(address.once)])
    }
}
