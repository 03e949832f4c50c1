import Lab
import Model
import Proxy
import Testing

@Suite("`minik why` and `minik matrix` know the ways into Services from outside")
struct LoadBalancerReachTests {
    /// Two nodes; a load balancer and an external address that lead to a pod on n2, a pod there that claims a host port.
    private static func snapshot(_ fields: JSON = .emptyObject, ready: Bool = true) -> ClusterSnapshot {
        var cluster = Cluster()
        cluster.nodes = ["n1", "n2"].enumerated().map { index, name in
            Cluster.NodeSpec(
                name: name, isControlPlane: index == 0, address: cluster.nodeSubnet[128 + index],
                podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000 + UInt32(index) << 8), 24), taints: .null, labels: [:])
        }
        var snapshot = ClusterSnapshot(cluster: cluster)
        snapshot.namespaces = [Namespace(["metadata": ["name": "default"]])]
        snapshot.nodes = ["n1", "n2"].map { name in
            Node(["metadata": ["name": .string(name)], "status": ["conditions": [["type": "Ready", "status": ready ? "True" : "False"]]]])
        }
        snapshot.pods = [
            Pod([
                "metadata": ["name": "web", "namespace": "default", "labels": ["app": "web"]],
                "spec": [
                    "nodeName": "n2",
                    "containers": [["name": "c", "ports": [["containerPort": 53, "hostPort": 5353, "protocol": "UDP"]]]],
                ],
                "status": ["phase": "Running", "podIP": "10.244.1.5"],
            ])
        ]
        var spec: JSON = [
            "type": "LoadBalancer", "clusterIP": "10.1.0.7", "externalIPs": ["203.0.113.5"],
            "ports": [["port": 80, "protocol": "TCP", "nodePort": 30080]],
        ]
        for (field, value) in fields.object ?? JSONObject() { spec[field] = value }
        snapshot.services = [
            Service([
                "metadata": ["name": "web", "namespace": "default"], "spec": spec,
                "status": ["loadBalancer": ["ingress": [["ip": "192.168.200.240", "ipMode": "VIP"]]]],
            ])
        ]
        snapshot.slices = [
            EndpointSlice([
                "metadata": ["name": "web-1", "namespace": "default", "labels": ["kubernetes.io/service-name": "web"]],
                "ports": [["name": "", "port": 8080, "protocol": "TCP"]],
                "endpoints": [["addresses": ["10.244.1.5"], "nodeName": "n2", "conditions": ["ready": true]]],
            ])
        ]
        return snapshot
    }

    @Test(
        "a question names the Service or pod that stands behind an address or a node's port",
        arguments: [
            ("192.168.200.240", "load balancer of Service default/web (192.168.200.240)", "192.168.200.240"),
            ("svc/web", "load balancer of Service default/web (192.168.200.240)", "192.168.200.240"),
            ("203.0.113.5:80", "external address of Service default/web (203.0.113.5)", "203.0.113.5"),
            ("n1:30080", "node port of Service default/web on node n1 (192.168.200.128)", "192.168.200.128"),
            ("n2:5353/udp", "host port of default/web on node n2 (192.168.200.129)", "192.168.200.129"),
            ("n1:5353/udp", "node n1 (192.168.200.128)", "192.168.200.128"),
        ])
    func named(_ to: String, _ target: String, _ address: String) throws {
        let question = try FlowQuestion(from: "host", to: to, namespace: "default", Self.snapshot())
        #expect(question.targetName == target && question.address.description == address)
    }

    @Test("a packet from outside goes by the node that answers, and by none where none does")
    func ways() throws {
        let balancer = try #require(IPAddress("192.168.200.240")), external = try #require(IPAddress("203.0.113.5"))
        let pod = try #require(IPAddress("10.244.1.5")), client = PacketSource.outside(try #require(IPAddress("192.168.200.1")))
        func journeys(_ snapshot: ClusterSnapshot, _ to: IPAddress, _ port: UInt16 = 80, from: PacketSource? = nil) -> [Journey] {
            snapshot.walk().journeys(from: from ?? client, to: to, proto: 6, port: port)
        }
        for address in [balancer, external] {
            let ways = journeys(Self.snapshot(), address)
            #expect(ways.map(\.end) == [.delivered(pod)], "\(address)")
            #expect(Set(ways.flatMap(\.hops).map(\.node)).contains("n2"))
        }
        #expect(Self.snapshot().walk().router(to: balancer) == nil && Self.snapshot().walk().router(to: external) != nil)
        #expect(journeys(Self.snapshot(ready: false), balancer).isEmpty)
        // A port that the Service does not have is the node's own.
        #expect(journeys(Self.snapshot(), balancer, 81).map(\.end) == [.delivered(balancer)])
        let local = Self.snapshot(["externalTrafficPolicy": "Local"])
        let kept = journeys(local, balancer)
        #expect(kept.map(\.packet.source.description) == ["192.168.200.1"] && Set(kept.flatMap(\.hops).map(\.node)) == ["n2"])
        for node in ["n1", "n2"] { #expect(journeys(local, balancer, from: .node(node)).filter { !$0.isDelivered }.isEmpty) }
        let closed = journeys(Self.snapshot(["loadBalancerSourceRanges": ["203.0.113.0/24"]]), balancer)
        #expect(closed.map(\.end) == [.dropped] && closed.first?.stop?.chain == "firewall-sources-check")
    }

    @Test("a load balancer's address at a port that it does not have is refused, unless a pod of the node's own network is there")
    func unserved() throws {
        func report(_ to: String, _ change: (inout ClusterSnapshot) -> Void = { _ in }) throws -> WhyReport {
            var snapshot = Self.snapshot()
            change(&snapshot)
            let question = try FlowQuestion(from: "host", to: to, namespace: "default", snapshot)
            let journeys = snapshot.walk().journeys(
                from: question.source, to: question.address, proto: question.proto, port: question.probe.port)
            return WhyReport(question: question, journeys: journeys, finding: nil, snapshot: snapshot)
        }
        let refused = try report("svc/web:81")
        #expect(!refused.isAllowed && refused.text.hasPrefix("DENIED") && refused.text.contains("Service default/web has TCP/80"))
        #expect(refused.json["paths"][0]["computed"] == "denied" && refused.agrees)
        #expect(try report("svc/web:80").isAllowed && report("svc/web:icmp").isAllowed)
        let client = PacketSource.outside(try #require(IPAddress("192.168.200.1"))), balancer = try #require(IPAddress("192.168.200.240"))
        let ways = Self.snapshot().walk().journeys(from: client, to: balancer, proto: 6, port: 81)
        let node = try #require(ways.first?.hops.last?.node)
        let host = try report("svc/web:81") {
            $0.pods.append(
                Pod([
                    "metadata": ["name": "own", "namespace": "default"],
                    "spec": [
                        "nodeName": .string(node), "hostNetwork": true, "containers": [["name": "c", "ports": [["containerPort": 81]]]],
                    ],
                    "status": ["phase": "Running"],
                ]))
        }
        #expect(host.isAllowed)
    }

    @Test("in a cluster of both families the matrix asks a Service over each family that it has, and its load balancer over the pool's")
    func families() throws {
        var snapshot = ClusterSnapshot(cluster: try DualStack.cluster())
        snapshot.services = [
            Service([
                "metadata": ["name": "web", "namespace": "default"],
                "spec": [
                    "type": "LoadBalancer", "clusterIP": "10.1.0.7", "clusterIPs": ["10.1.0.7", "fd00:10:1::7"],
                    "ports": [["port": 80, "protocol": "TCP"]],
                ],
                "status": ["loadBalancer": ["ingress": [["ip": "192.168.206.240", "ipMode": "VIP"]]]],
            ])
        ]
        let matrix = ReachMatrix(snapshot, probes: [], fronts: snapshot.fronts { _ in true }) { _ in true }
        #expect(matrix.probes.map(\.description) == ["TCP/80", "TCP/80 over IPv6"])
        func asked(_ family: IPFamily?) -> Set<String> {
            Set(matrix.cells.filter { $0.probe.family == family }.map { matrix.targets[$0.to].name })
        }
        #expect(asked(nil) == ["svc/default/web", "svc/default/web at 192.168.206.240"] && asked(.ipv6) == ["svc/default/web"])
        let question = try FlowQuestion(from: "host", to: "svc/web", namespace: "default", snapshot)
        #expect(question.targetName == "load balancer of Service default/web (192.168.206.240)")
        let other = try FlowQuestion(from: "host", to: "svc/web", namespace: "default", family: .ipv6, snapshot)
        #expect(other.address.description == "fd00:10:1::7")
    }

    @Test("the matrix has every way into a Service, and host ports, as targets of their own")
    func matrix() throws {
        let snapshot = Self.snapshot(["loadBalancerSourceRanges": ["192.168.200.1/32"]])
        let matrix = ReachMatrix(snapshot, probes: [], fronts: snapshot.fronts { _ in true }) { _ in true }
        #expect(
            matrix.targets.map(\.name) == [
                "default/web", "svc/default/web", "svc/default/web at 192.168.200.240", "svc/default/web at 203.0.113.5",
                "svc/default/web at node/n1", "svc/default/web at node/n2", "default/web at node/n2",
            ])
        func open(_ source: String) -> [String] {
            matrix.cells.filter { matrix.sources[$0.from].name == source && $0.isAllowed }.map { matrix.targets[$0.to].name }
        }
        #expect(open("outside") == matrix.targets.map(\.name).filter { !["default/web", "svc/default/web"].contains($0) })
        #expect(
            open("node/n1") == matrix.targets.map(\.name).filter { !["default/web", "svc/default/web at 192.168.200.240"].contains($0) })
        let text = MatrixReport(matrix: matrix).text(.text)
        #expect(text.contains("3  svc/default/web at 192.168.200.240\n") && text.contains("UDP/5353"))
    }
}
