import API
import Controllers
import Model
import Store
import Synchronization
import Testing

/// Notes which node answers for each address.
private final class NotedAddresses: AddressAnnouncer {
    private let places = Mutex<[String: String]>([:])
    func announce(_ address: IPAddress, from node: String?) async throws { places.withLock { $0["\(address)"] = node } }
    var nodes: [String: String] { places.withLock { $0 } }
}

/// Controllers over a cluster of three nodes in memory whose pool holds `pool`.
private struct Balanced {
    let api: APIServer
    let cluster: Cluster
    let addresses = NotedAddresses()

    init(pool: String = "192.168.200.240-192.168.200.241") async throws {
        var cluster = Cluster()
        cluster.loadBalancerPool = AddressRange(pool)
        self.cluster = cluster
        api = APIServer(store: try ObjectStore(), cluster: cluster)
        _ = try await api.create(.namespaces, Fixture.namespace("default"))
        for name in ["n1", "n2", "n3"] { _ = try await api.create(.nodes, Fixture.node(name)) }
        try await label("n3", ["node.kubernetes.io/exclude-from-external-load-balancers": ""])
    }

    func label(_ node: String, _ labels: JSON) async throws {
        _ = try await api.patch(.nodes, ObjectKey("", node), ["metadata": ["labels": labels]])
    }

    func service(_ name: String, _ fields: JSON = .emptyObject) async throws {
        var service = Fixture.service(name, type: "LoadBalancer")
        for (field, value) in fields.object ?? JSONObject() { service["spec"][field] = value }
        _ = try await api.create(.services, service)
    }

    func running(_ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let controller = Controller(
                LoadBalancerReconciler(cluster: cluster, announcer: addresses), client: api, report: { Issue.record("\($0)") })
            group.addTask { try await controller.run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    func ingress(_ name: String) async throws -> JSON {
        try await api.get(.services, Fixture.key(name))["status"]["loadBalancer"]["ingress"]
    }

    func address(_ name: String) async throws -> String? { try await ingress(name)[0]["ip"].string }

    func awaitAddress(_ name: String, _ address: String) async throws {
        try await eventually("\(name) has \(address)") { try await self.address(name) == address }
    }

    func told(_ name: String, _ reason: String) async throws -> String? {
        try await api.list(.events, namespace: "default", selector: nil).items
            .first { $0["involvedObject"]["name"].string == name && $0["reason"].string == reason }?["message"].string
    }

    func awaitEvent(_ name: String, _ reason: String, _ words: String) async throws {
        try await eventually("\(name) is told \(reason)") { try await told(name, reason)?.contains(words) ?? false }
    }
}

@Suite("Controllers: load balancers' addresses", .timeLimit(.minutes(5)))
struct LoadBalancerControl {
    @Test("a Service gets the pool's first free address, keeps it over a restart, and gives it back when it goes")
    func allocation() async throws {
        let cluster = try await Balanced()
        try await cluster.running {
            try await cluster.service("a")
            try await cluster.awaitAddress("a", "192.168.200.240")
            #expect(try await cluster.ingress("a") == json([["ip": "192.168.200.240", "ipMode": "VIP"]]))
            try await cluster.awaitEvent("a", "EnsuredLoadBalancer", "Ensured load balancer")
            #expect(["n1", "n2"].contains(cluster.addresses.nodes["192.168.200.240"]))
            try await cluster.service("b")
            try await cluster.awaitAddress("b", "192.168.200.241")
        }
        let before = cluster.addresses.nodes
        try await cluster.running {
            try await cluster.service("c")
            try await cluster.awaitEvent("c", "SyncLoadBalancerFailed", "no address of the pool 192.168.200.240-192.168.200.241 is free")
            #expect(try await cluster.address("a") == "192.168.200.240")
            #expect(try await cluster.address("b") == "192.168.200.241")
            #expect(cluster.addresses.nodes == before)
            // Who waits has what is given back.
            try await cluster.api.delete(.services, Fixture.key("a"))
            try await cluster.awaitAddress("c", "192.168.200.240")
            #expect(try await cluster.api.find(.services, Fixture.key("a")) == nil)
        }
    }

    @Test("one that is being deleted waits for its finalizer, and another finalizer is left alone")
    func finalizer() async throws {
        let cluster = try await Balanced()
        try await cluster.service("a")
        _ = try await cluster.api.patch(.services, Fixture.key("a"), ["metadata": ["finalizers": ["example.org/mine"]]])
        try await cluster.running {
            try await cluster.awaitAddress("a", "192.168.200.240")
            #expect(
                try await cluster.api.get(.services, Fixture.key("a"))["metadata"]["finalizers"]
                    == json(["example.org/mine", "service.kubernetes.io/load-balancer-cleanup"]))
            try await cluster.api.delete(.services, Fixture.key("a"))
            try await eventually("only the other finalizer is left") {
                try await cluster.api.get(.services, Fixture.key("a"))["metadata"]["finalizers"] == json(["example.org/mine"])
            }
            #expect(cluster.addresses.nodes.isEmpty)
            try await cluster.awaitEvent("a", "DeletedLoadBalancer", "Deleted load balancer")
        }
    }

    @Test("a Service that becomes a ClusterIP has no address any more, and no finalizer")
    func typeChange() async throws {
        let cluster = try await Balanced()
        try await cluster.running {
            try await cluster.service("a")
            try await cluster.awaitAddress("a", "192.168.200.240")
            _ = try await cluster.api.patch(.services, Fixture.key("a"), ["spec": ["type": "ClusterIP"]])
            try await eventually("the finalizer has gone") {
                try await cluster.api.get(.services, Fixture.key("a"))["metadata"]["finalizers"].items.isEmpty
            }
            #expect(try await cluster.ingress("a").items.isEmpty)
            #expect(cluster.addresses.nodes.isEmpty)
        }
    }

    @Test("loadBalancerIP is honoured inside the pool, and told what is wrong with it elsewhere")
    func wished() async throws {
        let cluster = try await Balanced()
        try await cluster.running {
            try await cluster.service("a", ["loadBalancerIP": "192.168.200.241"])
            try await cluster.awaitAddress("a", "192.168.200.241")
            try await cluster.service("b", ["loadBalancerIP": "192.168.200.241"])
            try await cluster.awaitEvent("b", "SyncLoadBalancerFailed", "requested address 192.168.200.241 is already in use by default/a")
            try await cluster.service("c", ["loadBalancerIP": "192.0.2.1"])
            try await cluster.awaitEvent("c", "SyncLoadBalancerFailed", "requested address 192.0.2.1 is not in the pool")
            try await cluster.service("d", ["loadBalancerIP": "fd00::1"])
            try await cluster.awaitEvent("d", "SyncLoadBalancerFailed", "requested address fd00::1 is not of the Service's family IPv4")
            try await cluster.service("e", ["loadBalancerIP": "nonsense"])
            try await cluster.awaitEvent("e", "SyncLoadBalancerFailed", "invalid spec.loadBalancerIP \"nonsense\"")
            _ = try await cluster.api.patch(.services, Fixture.key("a"), ["spec": ["loadBalancerIP": "192.168.200.240"]])
            try await cluster.awaitAddress("a", "192.168.200.240")
            try await cluster.awaitAddress("b", "192.168.200.241")
        }
    }

    @Test("another class is left alone, and minik's own is not")
    func classes() async throws {
        let cluster = try await Balanced()
        try await cluster.running {
            try await cluster.service("other", ["loadBalancerClass": "example.com/internal-vip"])
            try await cluster.service("own", ["loadBalancerClass": .string(Cluster.loadBalancerClass)])
            try await cluster.awaitAddress("own", "192.168.200.240")
            let other = try await cluster.api.get(.services, Fixture.key("other"))
            #expect(other["metadata"]["finalizers"].items.isEmpty && other["status"]["loadBalancer"]["ingress"].items.isEmpty)
        }
    }

    @Test("the address leaves a node that is not ready, labelled or gone, and comes back")
    func moves() async throws {
        let cluster = try await Balanced()
        try await cluster.running {
            try await cluster.service("a")
            try await cluster.awaitAddress("a", "192.168.200.240")
            let first = try #require(cluster.addresses.nodes["192.168.200.240"]), second = first == "n1" ? "n2" : "n1"
            func awaitPlace(_ node: String?) async throws {
                try await eventually("\(node ?? "nobody") answers") { cluster.addresses.nodes["192.168.200.240"] == node }
            }
            func setReady(_ node: String, _ isReady: Bool) async throws {
                try await cluster.api.mutateStatus(Node.self, ObjectKey("", node)) {
                    $0.status["conditions"].setCondition("Ready", isReady, now: Fixture.time)
                }
            }
            try await setReady(first, false)
            try await awaitPlace(second)
            try await setReady(first, true)
            try await awaitPlace(first)
            try await cluster.label(first, ["node.kubernetes.io/exclude-from-external-load-balancers": ""])
            try await awaitPlace(second)
            try await cluster.api.delete(.nodes, ObjectKey("", second))
            try await awaitPlace(nil)
            try await cluster.awaitEvent("a", "UnAvailableLoadBalancer", "There are no available nodes for LoadBalancer")
            try await cluster.label("n3", try JSON(parsing: #"{"node.kubernetes.io/exclude-from-external-load-balancers": null}"#))
            try await awaitPlace("n3")
        }
    }

    @Test("with externalTrafficPolicy Local only nodes with ready endpoints answer")
    func local() async throws {
        let cluster = try await Balanced()
        func slice(_ node: String) -> JSON {
            [
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": ["name": "a-1", "namespace": "default", "labels": ["kubernetes.io/service-name": "a"]],
                "endpoints": [["addresses": ["10.244.0.9"], "nodeName": .string(node), "conditions": ["ready": true]]],
                "ports": [["name": "", "port": 80, "protocol": "TCP"]],
            ]
        }
        try await cluster.running {
            try await cluster.service("a", ["externalTrafficPolicy": "Local"])
            try await cluster.awaitAddress("a", "192.168.200.240")
            _ = try await cluster.api.create(.endpointSlices, slice("n1"))
            for node in ["n1", "n2", "n1"] {
                _ = try await cluster.api.update(.endpointSlices, slice(node))
                try await eventually("\(node) answers") { cluster.addresses.nodes["192.168.200.240"] == node }
            }
            _ = try await cluster.api.update(.endpointSlices, slice("n3"))
            try await eventually("nobody answers") { cluster.addresses.nodes.isEmpty }
        }
    }
}
