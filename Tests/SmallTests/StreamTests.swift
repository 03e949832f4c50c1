import API
import Dispatch
import Glibc
import Host
import Model
import Runtime
import Synchronization
import Testing

/// A number that several tasks count.
private final class Tally: Sendable {
    private let value = Mutex(0)
    var count: Int { value.withLock { $0 } }
    func add(_ number: Int = 1) { value.withLock { $0 += number } }
}

@Suite("Streams that push back: the channel", .timeLimit(.minutes(5)))
struct BoundedChannelTests {
    @Test("who sends waits until there is room, and what was sent comes in order")
    func room() async throws {
        let channel = BoundedChannel<[UInt8]>(room: 1000)
        let sent = Tally()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for index in 0..<100 {
                    #expect(await channel.send(Array(repeating: UInt8(index), count: 400)))
                    sent.add()
                }
                channel.finish()
            }
            try await Task.sleep(for: .milliseconds(100))
            #expect(sent.count == 2, "two of 400 bytes fit, a third does not")
            var heard: [UInt8] = []
            for try await piece in channel { heard.append(piece[0]) }
            #expect(heard == Array(0..<100))
            try await group.waitForAll()
        }
    }

    @Test("one element larger than the room goes through alone")
    func large() async throws {
        let channel = BoundedChannel<[UInt8]>(room: 10)
        #expect(await channel.send(Array(repeating: 1, count: 5000)))
        #expect(!channel.offer([1]))
        #expect(try await channel.next()?.count == 5000)
        #expect(channel.offer([1]))
    }

    @Test("at its end, and at the task's, nobody waits any longer")
    func ends() async throws {
        let channel = BoundedChannel<[UInt8]>(room: 10)
        await channel.send([1])
        let late = Task { await channel.send(Array(repeating: 2, count: 100)) }
        let cancelled = Task { await channel.send(Array(repeating: 3, count: 100)) }
        cancelled.cancel()
        #expect(await cancelled.value == false)
        channel.finish(throwing: StatusError.expired)
        #expect(await late.value == false)
        #expect(await channel.send([4]) == false)
        #expect(try await channel.next() == [1], "what is queued can still be read")
        await #expect(throws: StatusError.self) { _ = try await channel.next() }
        #expect(try await channel.next() == nil)
        let reader = Task { try await BoundedChannel<[UInt8]>().next() }
        reader.cancel()
        #expect(try await reader.value == nil)
    }

    /// In a scope of its own: an optimized build holds a variable longer than its last use.
    private func readOne(_ end: AsyncStream<Bool>.Continuation) async throws {
        let stream = AsyncThrowingStream<[UInt8], any Error>.held { sink in
            defer { end.yield(true) }
            while true { try await sink(Array(repeating: 0, count: 4096)) }
        }
        for try await piece in stream {
            #expect(piece.count == 4096)
            break
        }
    }

    @Test("a source that nobody reads any more is cancelled")
    func dropped() async throws {
        let (ends, end) = AsyncStream.makeStream(of: Bool.self, bufferingPolicy: .bufferingNewest(1))
        try await readOne(end)
        #expect(await ends.first { _ in true } == true)
    }
}

/// An API on a socket, and connections to it that do only what they are told.
private struct Site {
    let api: APIServer
    let path = "/tmp/minik-test-\(UInt64.random(in: 0...UInt64.max)).sock"

    init(log: @escaping ByteSource, threads: RequestThreads = RequestThreads(), _ body: (Site) async throws -> Void) async throws {
        api = try await Fixture.api()
        _ = try await api.create(.pods, Fixture.pod("a", node: "n1"))
        let server = HTTPServer(Router(api: api, nodes: ScriptedNodes(log: { _, _ in log }), threads: threads, now: { Fixture.time }))
        let path = path
        defer { unlink(path) }
        let (ready, isReady) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run(on: .unix(path)) { _ in isReady.yield() } }
            _ = await ready.first { _ in true }
            defer { group.cancelAll() }
            try await body(self)
        }
    }

    func connect(_ request: String) throws -> Int32 {
        let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        try #require(connected == 0, "connect: errno \(errno)")
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        say(request, fd)
        return fd
    }

    func say(_ text: String, _ fd: Int32) { _ = send(fd, text, text.utf8.count, Int32(MSG_NOSIGNAL)) }

    /// What can be read until the other side closes, or `count` bytes; on a thread that nobody else needs.
    func read(_ fd: Int32, _ count: Int) async -> String {
        await withCheckedContinuation { done in
            DispatchQueue(label: "client").async {
                var text: [UInt8] = []
                var buffer = [UInt8](repeating: 0, count: 65536)
                while text.count < count {
                    let n = Glibc.read(fd, &buffer, min(buffer.count, count - text.count))
                    if n <= 0 { break }
                    text += buffer[..<n]
                }
                done.resume(returning: String(decoding: text, as: UTF8.self))
            }
        }
    }
}

@Suite("Streams that push back: the server", .timeLimit(.minutes(5)))
struct ServedStreams {
    private static let log = "GET /api/v1/namespaces/default/pods/a/log HTTP/1.1\r\nHost: m\r\n\r\n"

    /// Waits until `value` has not changed for a while; what it is then.
    private func settled(_ value: () -> Int) async throws -> Int {
        var last = -1
        for _ in 0..<200 {
            try await Task.sleep(for: .milliseconds(100))
            let now = value()
            if now > 0, now == last { return now }
            last = now
        }
        return last
    }

    @Test("a reader that does not read holds its source back, and one that leaves ends it", arguments: ["GET", "exec"])
    func slowReader(_ way: String) async throws {
        let sent = Tally(), over = Tally()
        let source: ByteSource = { sink in
            defer { over.add() }
            while true {
                try await sink(Array(repeating: UInt8(ascii: "y"), count: 16 * 1024))
                sent.add(16 * 1024)
            }
        }
        try await Site(log: source) { site in
            let exec =
                "GET /api/v1/namespaces/default/pods/a/exec?command=yes&stdout=1 HTTP/1.1\r\nHost: m\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n"
            let fd = try site.connect(way == "exec" ? exec : Self.log)
            let held = try await settled { sent.count }
            #expect(held < 1 << 20, "\(held) bytes were taken from a source that nobody reads")
            // Who reads gets on.
            _ = await site.read(fd, 2 << 20)
            #expect(sent.count > held + 1 << 20)
            close(fd)
            for _ in 0..<100 where over.count == 0 { try await Task.sleep(for: .milliseconds(50)) }
            #expect(over.count > 0, "the source goes on after its reader has left")
        }
    }

    @Test("who may not ask is told so before a body is asked for, and a long one is not read")
    func authorizedFirst() async throws {
        try await Site(log: { _ in }) { site in
            let head =
                "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: m\r\nImpersonate-User: nobody\r\nContent-Type: application/json\r\n"
            let asking = try site.connect(head + "Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
            let refusal = await site.read(asking, 1 << 20)
            #expect(refusal.hasPrefix("HTTP/1.1 403 "), "\(refusal.prefix(80))")
            close(asking)
            // The body has no end: only who does not wait for it can answer.
            let sending = try site.connect(head + "Transfer-Encoding: chunked\r\n\r\n")
            let chunk = "10000\r\n" + String(repeating: " ", count: 65536) + "\r\n"
            for _ in 0..<6 { site.say(chunk, sending) }
            #expect(await site.read(sending, 12) == "HTTP/1.1 403")
            close(sending)
            // A short one is read past, and the connection goes on.
            let short = try site.connect(head + "Content-Length: 2\r\n\r\n{}GET /version HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")
            let both = await site.read(short, 1 << 20)
            #expect(both.contains("HTTP/1.1 403 ") && both.contains("HTTP/1.1 200 "))
            close(short)
        }
    }

    @Test("large requests that take every thread of theirs stop neither a lease nor a small request")
    func heavy() async throws {
        let busy = DispatchSemaphore(value: 0), threads = RequestThreads(count: 2), started = Tally(), answered = Tally()
        try await Site(log: { _ in }, threads: threads) { site in
            // Work that does not end stands for any that is long.
            let works = (0..<4).map { _ in
                Task {
                    try await threads.run(1 << 20) {
                        started.add()
                        busy.wait()
                    }
                }
            }
            for _ in 0..<100 where started.count < 2 { try await Task.sleep(for: .milliseconds(20)) }
            #expect(started.count == 2)
            let large = Fixture.configMap("large", ["a": String(repeating: "x", count: 100_000)]).text()
            let head =
                "POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: m\r\nConnection: close\r\nContent-Type: application/json\r\n"
            let posting = try site.connect(head + "Content-Length: \(large.utf8.count)\r\n\r\n" + large)
            let posted = Task {
                defer { answered.add() }
                return await site.read(posting, 12)
            }
            let lease: JSON = [
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": ["name": "n1"], "spec": ["holderIdentity": "n1"],
            ]
            #expect(try await site.api.create(.leases, lease).objectName == "n1")
            let asking = try site.connect("GET /api/v1/namespaces/default/pods HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n")
            #expect(await site.read(asking, 12) == "HTTP/1.1 200")
            #expect(answered.count == 0, "the large one waits for its turn")
            for _ in works { busy.signal() }
            #expect(await posted.value == "HTTP/1.1 201")
            for work in works { try await work.value }
            for fd in [posting, asking] { close(fd) }
        }
    }

    @Test("what requests hold together is bounded, and one user's part of it")
    func bytes() {
        let bytes = RequestBytes(most: 100)
        #expect(bytes.take(50, "a"))
        #expect(!bytes.take(1, "a"), "half is one user's")
        #expect(bytes.take(50, "b"))
        #expect(!bytes.take(1, "c"))
        bytes.give(50, "a")
        #expect(bytes.take(40, "c") && bytes.take(10, "a"))
    }
}

@Suite("A container's log, read from its file")
struct ContainerLogTests {
    @Test("the last lines are found from the end, whatever stands before them", arguments: [0, 1, 3, 4000, 9000])
    func tail(_ count: Int) async throws {
        let path = "/tmp/minik-test-\(UInt64.random(in: 0...UInt64.max)).log"
        defer { unlink(path) }
        let lines = (0..<5000).map { "2026-01-01T00:00:00.000000000Z stdout F line \($0)\n" }
        try Files.write(Array(lines.joined().utf8), to: path)
        var heard: [[UInt8]] = []
        let log = ContainerLog(path: path)
        for try await piece in AsyncThrowingStream.held({
            try await log.read(LogOptions(tailLines: count), now: Fixture.time, to: $0) { true }
        }) { heard.append(piece) }
        #expect(String(decoding: heard.joined(), as: UTF8.self) == (0..<5000).suffix(count).map { "line \($0)\n" }.joined())
        #expect(heard.allSatisfy { $0.count <= 64 * 1024 }, "a piece at a time")
        #expect(
            ContainerLog(path: path).last(3, within: 1 << 16).map { String(decoding: $0.text(timestamps: false), as: UTF8.self) } == [
                "line 4997\n", "line 4998\n", "line 4999\n",
            ])
    }

    /// A pod whose container has been restarted `restarts` times, and what it is waiting for.
    private static func pod(restarts: Int, waiting: String? = nil) -> Pod {
        var pod = Fixture.pod("a", node: "n1")
        pod["metadata"]["uid"] = "u"
        pod["status"]["containerStatuses"] = [
            ["name": "main", "restartCount": .int(restarts), "state": ["waiting": waiting.map { ["reason": .string($0)] } ?? .null]]
        ]
        return Pod(pod)
    }

    @Test(
        "of a container's lives the present one is told, the one before when it is asked for, and the last while the next is waited for",
        arguments: [(0, false, "life 0\n"), (1, false, "life 1\n"), (1, true, "life 0\n"), (2, false, "life 1\n")])
    func lives(_ restarts: Int, _ previous: Bool, _ told: String) async throws {
        let root = "/tmp/minik-test-\(UInt64.random(in: 0...UInt64.max))", paths = ClusterPaths(cluster: "c", below: root)
        defer { Files.removeTree(root) }
        let pod = Self.pod(restarts: restarts, waiting: "CrashLoopBackOff"), directory = "\(paths.podLogs(pod, node: "n1"))/main"
        try Files.makeDirectory(directory)
        for life in 0...min(restarts, 1) {
            try Files.write("2026-01-01T00:00:00.000000000Z stdout F life \(life)\n", to: "\(directory)/\(life).log")
        }
        var options = LogOptions()
        options.previous = previous
        let source = try ContainerLogs(pod, container: "main", paths: paths).source(options)
        var heard: [UInt8] = []
        for try await piece in AsyncThrowingStream.held(source) { heard += piece }
        #expect(String(decoding: heard, as: UTF8.self) == told)
    }

    @Test("a container that could not be started has an empty log, which is none that is waited for")
    func startError() async throws {
        let paths = ClusterPaths(cluster: "c", below: "/tmp/minik-test-\(UInt64.random(in: 0...UInt64.max))")
        var pod = Self.pod(restarts: 0)
        pod.json["status"]["containerStatuses"] = [
            ["name": "main", "restartCount": 0, "state": ["terminated": ["exitCode": 128, "reason": "StartError"]]]
        ]
        let source = try ContainerLogs(pod, container: "main", paths: paths).source(LogOptions())
        for try await _ in AsyncThrowingStream.held(source) { Issue.record("it said something") }
    }

    @Test("a log that there is not is named with its reason")
    func missing() async throws {
        let paths = ClusterPaths(cluster: "c", below: "/tmp/minik-test-\(UInt64.random(in: 0...UInt64.max))")
        func refusal(_ pod: Pod, previous: Bool = false) -> String {
            var options = LogOptions()
            options.previous = previous
            do { _ = try ContainerLogs(pod, container: "main", paths: paths).source(options) } catch { return "\(error)" }
            return ""
        }
        #expect(refusal(Self.pod(restarts: 0), previous: true) == "previous terminated container \"main\" in pod \"a\" not found")
        #expect(
            refusal(Self.pod(restarts: 0, waiting: "ErrImagePull")) == "container \"main\" in pod \"a\" is waiting to start: ErrImagePull")
        #expect(refusal(Pod(Fixture.pod("a"))) == "pod a does not have a host assigned")
    }
}
