import Foundation
import Model
import Netlink
import Proxy
import Rules
import Testing

/// The Service table in a kernel of its own: one namespace that is node, pods and client at once, by addresses on its loopback.
@Suite("[Serial] UDP clients that go on sending are led where the Service leads now", .serialized)
struct ServiceKernelTests {
    fileprivate static let node = NodeView(
        name: "n1", address: IPAddress("192.168.200.11") ?? .unspecified(.ipv4), clusterCIDR: IPNetwork("10.244.0.0/16") ?? .all(.ipv4),
        serviceCIDR: IPNetwork("10.1.0.0/16") ?? .all(.ipv4),
        podCIDR: IPNetwork("10.244.1.0/24") ?? .all(.ipv4))

    /// Serves DNS from each pod's address, telling its own; asks with one source port, and prints who answers, or what error the kernel
    /// gives.
    fileprivate static let client = """
        import socket, sys, threading, time
        def serve(address):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((address, 53))
            while True:
                _, who = s.recvfrom(100); s.sendto(address.encode(), who)
        for address in ("10.244.1.2", "10.244.1.3"): threading.Thread(target=serve, args=(address,), daemon=True).start()
        time.sleep(0.2)
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[3], int(sys.argv[4]))); s.settimeout(0.5); s.connect((sys.argv[1], int(sys.argv[2])))
        for _ in range(4):
            try:
                s.send(b"?"); print(s.recv(100).decode()); break
            except ConnectionRefusedError: print("refused"); break
            except (TimeoutError, PermissionError): time.sleep(0.1)
        else: print("silence")
        """

    fileprivate static func service() throws -> Service {
        Service(
            try JSON(
                parsing: """
                    {"metadata": {"name": "dns", "namespace": "default"}, "spec": {"type": "NodePort", "clusterIP": "10.1.0.20",
                     "ports": [{"port": 53, "protocol": "UDP", "targetPort": 53, "nodePort": 30053}]}}
                    """))
    }

    fileprivate static func slice(_ endpoints: [String]) throws -> EndpointSlice {
        let list = endpoints.map { "{\"addresses\": [\"\($0)\"], \"conditions\": {\"ready\": true}, \"nodeName\": \"n1\"}" }
        return EndpointSlice(
            try JSON(
                parsing: """
                    {"metadata": {"name": "dns-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "dns"}},
                     "endpoints": [\(list.joined(separator: ","))], "ports": [{"name": "", "port": 53, "protocol": "UDP"}]}
                    """))
    }

    @Test(
        "from endpoint to endpoint, to nobody, and away when the Service goes", arguments: [("10.1.0.20", 53), ("192.168.200.11", 30053)])
    func followsEndpoints(_ address: String, _ port: Int) async throws {
        let namespace = try TestNamespace()
        _ = try namespace.output(
            "ip link set lo up; ip addr add 192.168.200.11/24 dev lo; ip addr add 10.244.1.2/32 dev lo; ip addr add 10.244.1.3/32 dev lo; ip route add 10.1.0.0/16 dev lo"
        )
        let script = FileManager.default.temporaryDirectory.appending(path: "\(namespace.name).py")
        try Self.client.write(to: script, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: script) }
        let client = FedClient(), rulesets = try KernelRulesets(namespace: namespace.path),
            connections = try KernelConnections(namespace: namespace.path)
        let proxy = ServiceProxy(
            node: Self.node, client: client, target: rulesets, connections: connections, report: { Issue.record("\($0)") })
        func ask() async throws -> String {
            try await namespace.awaitOutput("python3 \(script.path) \(address) \(port) 192.168.200.11 5000").trimmingCharacters(
                in: .whitespacesAndNewlines)
        }
        /// Asks until the answer is the one that is due.
        func expect(_ answers: Set<String>, _ when: String) async throws {
            let deadline = ContinuousClock.now + .seconds(30)
            var last = try await ask()
            while !answers.contains(last), ContinuousClock.now < deadline { last = try await ask() }
            #expect(answers.contains(last), "\(when): \(last)")
        }
        // What the node itself sends and its own rules reject fails at once, or is told by ICMP.
        let nobody: Set = ["silence", "refused"]
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await proxy.run {} }
            try await expect(nobody, "before the Service")
            try await Task.sleep(for: .milliseconds(100))
            client.tell(.services, .added, try Self.service().json)
            client.tell(.endpointSlices, .added, try Self.slice(["10.244.1.2"]).json)
            try await expect(["10.244.1.2"], "the Service has come")
            client.tell(.endpointSlices, .modified, try Self.slice(["10.244.1.3"]).json)
            try await expect(["10.244.1.3"], "the endpoint is another")
            client.tell(.endpointSlices, .modified, try Self.slice([]).json)
            try await expect(nobody, "there is no endpoint")
            client.tell(.endpointSlices, .modified, try Self.slice(["10.244.1.2"]).json)
            try await expect(["10.244.1.2"], "there is one again")
            client.tell(.services, .deleted, try Self.service().json)
            try await expect(nobody, "the Service is gone")
            group.cancelAll()
        }
    }
}

/// What comes from outside, in such a kernel.
extension ServiceKernelTests {
    private static func balanced(_ fields: JSON = .emptyObject) throws -> Service {
        var service = try service()
        service.json["spec"]["type"] = "LoadBalancer"
        for (field, value) in fields.object ?? JSONObject() { service.json["spec"][field] = value }
        service.json["status"] = ["loadBalancer": ["ingress": [["ip": "192.168.200.240", "ipMode": "VIP"]]]]
        return service
    }

    @Test("a load balancer's address is answered, and those of its source ranges alone, until it is another's")
    func loadBalancer() async throws {
        let namespace = try TestNamespace()
        let addresses = ["192.168.200.11/24", "192.168.200.240/32", "203.0.113.9/32", "10.244.1.2/32", "10.244.1.3/32"]
        _ = try namespace.output("ip link set lo up; \(addresses.map { "ip addr add \($0) dev lo" }.joined(separator: "; "))")
        let script = FileManager.default.temporaryDirectory.appending(path: "\(namespace.name).py")
        try Self.client.write(to: script, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: script) }
        let client = FedClient(), rulesets = try KernelRulesets(namespace: namespace.path)
        let proxy = ServiceProxy(
            node: Self.node, client: client, target: rulesets, connections: try KernelConnections(namespace: namespace.path),
            report: { Issue.record("\($0)") })
        func expect(_ answer: Set<String>, from source: String, _ when: String) async throws {
            let deadline = ContinuousClock.now + .seconds(30)
            var last = ""
            repeat {
                last = try await namespace.awaitOutput("python3 \(script.path) 192.168.200.240 53 \(source) 0")
                    .trimmingCharacters(in: .whitespacesAndNewlines)
            } while !answer.contains(last) && ContinuousClock.now < deadline
            #expect(answer.contains(last), "\(when), from \(source): \(last)")
        }
        let nobody: Set = ["silence", "refused"], near = "192.168.200.11", far = "203.0.113.9"
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await proxy.run {} }
            try await Task.sleep(for: .milliseconds(200))
            client.tell(.services, .added, try Self.balanced().json)
            client.tell(.endpointSlices, .added, try Self.slice(["10.244.1.2"]).json)
            for source in [near, far] { try await expect(["10.244.1.2"], from: source, "everybody may come") }
            client.tell(.services, .modified, try Self.balanced(["loadBalancerSourceRanges": ["203.0.113.0/24"]]).json)
            try await expect(nobody, from: near, "a range without it")
            try await expect(["10.244.1.2"], from: far, "a range with it")
            client.tell(
                .services, .modified, try Self.balanced(["loadBalancerSourceRanges": ["192.168.200.0/24", "192.168.200.11/32"]]).json)
            try await expect(nobody, from: far, "another range")
            try await expect(["10.244.1.2"], from: near, "a range that holds another")
            client.tell(.services, .modified, try Self.balanced(["externalTrafficPolicy": "Local"]).json)
            client.tell(.endpointSlices, .modified, try Self.slice(["10.244.1.3"]).json)
            try await expect(["10.244.1.3"], from: far, "the policy Local, and an endpoint here")
            client.tell(.services, .modified, try Self.service().json)
            try await expect(nobody, from: far, "it is a load balancer no more")
            group.cancelAll()
        }
    }
}

/// A client of an API that a test plays: empty lists, and watches that tell what the test does.
private final class FedClient: Client {
    private let (services, service) = AsyncThrowingStream.makeStream(of: WatchEvent.self, bufferingPolicy: .bufferingOldest(100))
    private let (slices, slice) = AsyncThrowingStream.makeStream(of: WatchEvent.self, bufferingPolicy: .bufferingOldest(100))

    func tell(_ resource: Resource, _ kind: WatchEvent.Kind, _ object: JSON) {
        (resource == .services ? service : slice).yield(WatchEvent(kind, object))
    }
    func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (items: [JSON], revision: Int) { ([], 1) }
    func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<WatchEvent, any Error> {
        switch resource {
        case .services: return services
        case .endpointSlices: return slices
        default: return AsyncThrowingStream { _ in }
        }
    }

    private static let none = StatusError.badRequest("this client only follows")
    func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON { throw Self.none }
    func create(_ resource: Resource, _ object: JSON) async throws -> JSON { throw Self.none }
    func update(_ resource: Resource, _ object: JSON) async throws -> JSON { throw Self.none }
    func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON { throw Self.none }
    func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON { throw Self.none }
    func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws { throw Self.none }
}
