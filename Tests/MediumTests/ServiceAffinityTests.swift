import Model
import Netlink
import Proxy
import Rules
import Testing

/// One namespace that is node, pods and clients at once, by addresses on its loopback.
@Suite("[Serial] a Service with sessionAffinity leads a client where it was led before", .serialized)
struct ServiceAffinityTests {
    private static let node = NodeView(
        name: "n1", address: IPAddress("192.168.200.11") ?? .unspecified(.ipv4), clusterCIDR: IPNetwork("10.244.0.0/16") ?? .all(.ipv4),
        serviceCIDR: IPNetwork("10.1.0.0/16") ?? .all(.ipv4), podCIDR: IPNetwork("10.244.1.0/24") ?? .all(.ipv4))

    /// Serves at each pod's address, telling its own; four clients ask eight times each. Prints for each who answered.
    private static let clients = """
        import collections, socket, sys, threading
        def serve(address):
            listener = socket.socket(); listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); listener.bind((address, 7000)); listener.listen(64)
            def answer():
                while True: c, _ = listener.accept(); c.sendall(address.encode()); c.close()
            threading.Thread(target=answer, daemon=True).start()
        for n in range(2, 6): serve(f"10.244.1.{n}")
        for n in range(4):
            seen = collections.Counter()
            for _ in range(8):
                c = socket.socket(); c.settimeout(3); c.bind((f"192.168.200.{11 + n}", 0))
                try: c.connect((sys.argv[1], int(sys.argv[2]))); seen[c.recv(50).decode()] += 1
                except OSError as error: seen[type(error).__name__] += 1
                c.close()
            print(*sorted(seen))
        """

    private static func part(_ endpoints: [Int], after previous: Ruleset) throws -> Ruleset {
        let list = endpoints.map { "{\"addresses\": [\"10.244.1.\($0)\"], \"conditions\": {\"ready\": true}, \"nodeName\": \"n1\"}" }
        let service = try JSON(
            parsing: """
                {"metadata": {"name": "s", "namespace": "default"}, "spec": {"type": "NodePort", "clusterIP": "10.1.0.9",
                 "sessionAffinity": "ClientIP", "ports": [{"port": 80, "protocol": "TCP", "targetPort": 7000, "nodePort": 30080}]}}
                """)
        let slice = try JSON(
            parsing: """
                {"metadata": {"name": "s-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "s"}},
                 "endpoints": [\(list.joined(separator: ","))], "ports": [{"name": "", "port": 7000, "protocol": "TCP"}]}
                """)
        return ServiceCompiler(node: node).compile(Service(service), [EndpointSlice(slice)], after: previous)
    }

    private static func whole(_ part: Ruleset) -> Ruleset {
        var all = ServiceTable.base(node), frame = ServiceFrame(node: node)
        frame.count(ServiceShare(part, local: []), by: 1)
        all.merge(part)
        all.merge(frame.rules)
        return all
    }

    @Test(
        "as endpoints come and go: who was led to one that stays goes there again", arguments: ["10.1.0.9 80", "192.168.200.11 30080"])
    func stays(_ place: String) async throws {
        let namespace = try TestNamespace()
        let addresses = (2...5).map { "ip addr add 10.244.1.\($0)/32 dev lo" } + (11...14).map { "ip addr add 192.168.200.\($0)/24 dev lo" }
        _ = try namespace.output("ip link set lo up; ip route add 10.1.0.0/16 dev lo; \(addresses.joined(separator: "; "))")
        let kernel = try KernelRulesets(namespace: namespace.path), table = ServiceTable.id(.ipv4)
        var part = Ruleset(), held = Ruleset()
        func serve(_ endpoints: [Int]) async throws -> [String] {
            part = try Self.part(endpoints, after: part)
            let next = Self.whole(part)
            try await kernel.apply((held.isEmpty ? [.addTable] : []) + Ruleset.diff(held, next), table: table)
            held = next
            return try namespace.output("python3 -c '\(Self.clients)' \(place)").split(separator: "\n").map(String.init)
        }
        let first = try await serve([2, 3])
        #expect(first.count == 4 && first.allSatisfy { ["10.244.1.2", "10.244.1.3"].contains($0) }, "\(first)")
        #expect(try await serve([2, 3, 4]) == first)
        // Who was at the first one is led elsewhere, and stays there when another takes its slot.
        let second = try await serve([3, 4])
        #expect(zip(first, second).allSatisfy { $0 == "10.244.1.3" ? $0 == $1 : ["10.244.1.3", "10.244.1.4"].contains($1) }, "\(second)")
        #expect(try await serve([3, 4, 5]) == second)
        #expect(try await kernel.read(table)?.asKept.chains == held.asKept.chains)
    }
}
