import Foundation
import Testing

/// minik-dns by itself, in a network of its own, with records that the test writes.
private struct NameServer: ~Copyable {
    let name = "lt-dns-\(UUID().uuidString.prefix(6).lowercased())"
    let folder: String

    init(endpoints: Int) throws {
        folder = "/tmp/\(name)"
        try #require(Shell.run("mkdir \(folder) && ip netns add \(name) && ip -n \(name) link set lo up").isSuccess)
        try write(1, (1...endpoints).map { #"{"address":"10.9.\#($0 / 250).\#($0 % 250)","ports":[]}"# }.joined(separator: ","))
        Shell.run(
            "ip netns exec \(name) \(Shell.root)/.build/release/minik-dns \(folder)/records.json >\(folder)/out 2>&1 & echo $! >\(folder)/pid"
        )
        _ = try Shell.eventually { dig("many.a.svc.cluster.local").isEmpty ? nil : true }
    }

    deinit { Shell.run("kill $(cat \(folder)/pid); ip netns del \(name); rm -rf \(folder)") }

    func write(_ serial: Int, _ endpoints: String) throws {
        let text =
            #"{"serial":\#(serial),"zone":"cluster.local","namespaces":["a"],"services":[{"name":"many","namespace":"a","endpoints":[\#(endpoints)]}]}"#
        // In its place by its name, as the daemon does it.
        try text.write(toFile: "\(folder)/records.json", atomically: true, encoding: .utf8)
    }

    func append(_ serial: Int, _ text: String) {
        Shell.run("printf '%s' '\(text)' >>\(folder)/changes-\(serial).jsonl")
    }

    func dig(_ words: String) -> [String] {
        Shell.run("ip netns exec \(name) dig +time=1 +tries=1 +short @127.0.0.1 \(words)").output.split(separator: "\n").map(String.init)
    }

    func run(_ command: String) -> CommandResult { Shell.run("ip netns exec \(name) \(command)", seconds: 40) }

    func python(_ program: String) throws -> CommandResult {
        try program.write(toFile: "\(folder)/program.py", atomically: true, encoding: .utf8)
        return run("python3 \(folder)/program.py")
    }
}

@Suite("[Serial] The DNS server, asked with dig", .serialized)
struct NameServerTests {
    private static func service(_ name: String, _ address: String) -> String {
        #"{"service":{"name":"\#(name)","namespace":"a","clusterIP":"\#(address)","ports":[],"endpoints":[]}}"#
    }

    private static let python = #"""
        import random, socket, struct, time
        def query(name, ident=1):
            labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split("."))
            return struct.pack(">6H", ident, 0x100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
        def framed(message): return struct.pack(">H", len(message)) + message

        """#

    @Test("an answer that does not fit is cut short and says so; by TCP it is whole")
    func truncation() throws {
        let server = try NameServer(endpoints: 300)
        let short = server.run("dig +noedns +ignore @127.0.0.1 many.a.svc.cluster.local").output
        #expect(short.contains("flags: qr aa tc rd;") && short.contains("ANSWER: 29,"), "\(short)")
        #expect(server.run("dig +bufsize=1232 +ignore @127.0.0.1 many.a.svc.cluster.local").output.contains("ANSWER: 73,"))
        // dig asks again by TCP.
        #expect(Set(server.dig("many.a.svc.cluster.local")).count == 300)
        #expect(Set(server.dig("+tcp many.a.svc.cluster.local")).count == 300)
    }

    @Test("many queries on one connection are all answered, and who reads no answers holds nobody up")
    func connections() throws {
        let server = try NameServer(endpoints: 300)
        let result = try server.python(
            Self.python + """
                link = socket.create_connection(("127.0.0.1", 53))
                link.sendall(b"".join(framed(query("many.a.svc.cluster.local", n)) for n in range(20)))
                link.shutdown(socket.SHUT_WR)
                data = b""
                while more := link.recv(65536): data += more
                found = []
                while data:
                    size = struct.unpack(">H", data[:2])[0]
                    found.append(struct.unpack(">HHHH", data[2:10])[::3])
                    data = data[2 + size:]
                assert found == [(n, 300) for n in range(20)], found
                deaf = socket.create_connection(("127.0.0.1", 53)); deaf.setblocking(False)
                try:
                    while True: deaf.send(framed(query("many.a.svc.cluster.local")) * 100)
                except BlockingIOError: pass
                idle = [socket.create_connection(("127.0.0.1", 53)) for _ in range(300)]
                link = socket.create_connection(("127.0.0.1", 53)); link.settimeout(2)
                for byte in framed(query("many.a.svc.cluster.local")): link.send(bytes([byte])); time.sleep(0.001)
                assert link.recv(2), "a query in pieces"
                """)
        #expect(result.isSuccess, "\(result)")
        #expect(server.dig("many.a.svc.cluster.local").count == 300)
    }

    @Test("a flood of packets that are no queries is outlived")
    func flood() throws {
        let server = try NameServer(endpoints: 3)
        let result = try server.python(
            Self.python + """
                random.seed(53)
                link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); link.connect(("127.0.0.1", 53))
                good = query("many.a.svc.cluster.local")
                for _ in range(60000):
                    bad = bytearray(good if random.random() < 0.5 else random.randbytes(random.randrange(0, 600)))
                    for _ in range(random.randrange(5)):
                        if bad: bad[random.randrange(len(bad))] = random.randrange(256)
                    try: link.send(bad[:random.randrange(0, 600)])
                    except OSError: pass
                """)
        #expect(result.isSuccess, "\(result)")
        #expect(server.dig("many.a.svc.cluster.local").count == 3)
        #expect(Shell.run("grep VmRSS /proc/$(cat \(server.folder)/pid)/status").output.contains("kB"))
    }

    @Test("what is appended is answered at once, line by line; a whole that was announced changes nothing, another one everything")
    func changes() throws {
        let server = try NameServer(endpoints: 1)
        server.append(1, Self.service("web", "10.1.0.1") + "\n" + Self.service("half", "10.1.0.2").dropLast(5))
        #expect(server.dig("web.a.svc.cluster.local") == ["10.1.0.1"] && server.dig("half.a.svc.cluster.local") == [])
        server.append(1, Self.service("half", "10.1.0.2").suffix(5) + "\n" + #"{"whole":2}"# + "\n")
        server.append(2, Self.service("next", "10.1.0.3") + "\n" + "no JSON\n" + #"{"gone":{"namespace":"a","name":"web"}}"# + "\n")
        try server.write(2, #"{"address":"10.9.9.9","ports":[]}"#)
        #expect(server.dig("half.a.svc.cluster.local") == ["10.1.0.2"] && server.dig("next.a.svc.cluster.local") == ["10.1.0.3"])
        #expect(server.dig("web.a.svc.cluster.local") == [] && server.dig("many.a.svc.cluster.local") == ["10.9.0.1"])
        // Nobody has announced this one.
        try server.write(5, #"{"address":"10.9.9.9","ports":[]}"#)
        #expect(server.dig("many.a.svc.cluster.local") == ["10.9.9.9"] && server.dig("half.a.svc.cluster.local") == [])
    }
}
