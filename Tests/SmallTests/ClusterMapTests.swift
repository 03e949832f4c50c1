import Lab
import Model
import Netlink
import Proxy
import Testing

/// Clusters for the map's tests, made of objects and of what a kernel would say.
enum MapFixture {
    static func cluster(_ nodes: Int = 2, plugin: Cluster.Plugin = .flannelNetpol) -> Cluster {
        var cluster = Cluster()
        cluster.plugin = plugin
        cluster.nodes = (0..<nodes).map { index in
            Cluster.NodeSpec(
                name: "n\(index + 1)", isControlPlane: index == 0, address: cluster.nodeSubnet[128 + index],
                podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000 + UInt32(index) << 8), 24), taints: .null, labels: [:])
        }
        return cluster
    }

    static func pod(_ name: String, _ node: Int, _ host: Int, app: String? = nil, owner: String? = nil, port: Int? = 80) -> Pod {
        let ports: JSON = port.map { [["containerPort": .int($0)]] } ?? .null
        let owners: JSON = owner.map { [["kind": "ReplicaSet", "name": .string($0), "uid": .string($0), "controller": true]] } ?? .null
        return Pod([
            "metadata": [
                "name": .string(name), "namespace": "default", "uid": .string(name), "labels": ["app": .string(app ?? name)],
                "ownerReferences": owners,
            ],
            "spec": ["nodeName": .string("n\(node)"), "containers": [["name": "c", "ports": ports]]],
            "status": [
                "phase": "Running", "podIP": .string("10.244.\(node - 1).\(host)"), "conditions": [["type": "Ready", "status": "True"]],
            ],
        ])
    }

    /// web (TCP 80) on the first node, client and other on the second, and a Service of web's.
    static func snapshot(policies: [JSON] = []) -> ClusterSnapshot {
        var snapshot = ClusterSnapshot(cluster: cluster())
        snapshot.namespaces = [Namespace(["metadata": ["name": "default"]])]
        snapshot.nodes = ["n1", "n2"].map { Node(Fixture.node($0)) }
        snapshot.pods = [pod("web", 1, 5), pod("client", 2, 6, port: nil), pod("other", 2, 7, port: nil)]
        snapshot.services = [
            Service([
                "metadata": ["name": "web", "namespace": "default"],
                "spec": ["type": "NodePort", "clusterIP": "10.96.0.7", "ports": [["port": 80, "protocol": "TCP", "nodePort": 30080]]],
            ])
        ]
        snapshot.slices = [
            EndpointSlice([
                "metadata": ["name": "web-x", "namespace": "default", "labels": ["kubernetes.io/service-name": "web"]],
                "addressType": "IPv4", "ports": [["port": 80, "protocol": "TCP"]],
                "endpoints": [["addresses": ["10.244.0.5"], "conditions": ["ready": true]]],
            ])
        ]
        snapshot.policies = policies.map(NetworkPolicy.init)
        return snapshot
    }

    /// Lets nobody reach web but client.
    static let onlyClient: JSON = [
        "metadata": ["name": "only-client", "namespace": "default"],
        "spec": [
            "podSelector": ["matchLabels": ["app": "web"]], "policyTypes": ["Ingress"],
            "ingress": [["from": [["podSelector": ["matchLabels": ["app": "client"]]]]]],
        ],
    ]

    static func link(_ index: Int32, _ name: String, _ kind: String?, master: Int32? = nil, peer: Int32? = nil, bytes: UInt64 = 0) -> Link {
        var link = Link(index: index, name: name, mtu: 1450, address: nil, isUp: true, kind: kind, master: master)
        link.peer = peer
        if kind == "vxlan" { link.vni = 1 }
        link.statistics = LinkStatistics(received: .init(packets: bytes / 100, bytes: bytes))
        return link
    }

    /// Two nodes as flannel leaves them.
    static func sight(bytes: UInt64 = 0) -> MapSight {
        var sight = MapSight()
        for (index, name) in ["n1", "n2"].enumerated() {
            let pods =
                index == 0 ? [link(10, "vetha", "veth", master: 4, peer: 2, bytes: bytes)] : [link(10, "vethb", "veth", master: 4, peer: 2)]
            sight.nodes[name] = MapSight.Place(
                links: [
                    link(1, "lo", nil), link(2, "eth0", "veth", peer: Int32(20 + index)), link(3, "flannel.1", "vxlan"),
                    link(4, "cni0", "bridge"),
                ] + pods, addresses: [4: ["10.244.\(index).1/24"]])
        }
        sight.lan = MapSight.Place(links: [
            link(19, "lan0", "bridge"), link(20, "p1", "veth", master: 19), link(21, "p2", "veth", master: 19),
        ])
        sight.attachments = [Fixture.key("web"): 10, Fixture.key("client"): 10]
        return sight
    }
}

@Suite("The map of a cluster is put together from the API's objects and the kernel's links")
struct ClusterMapTests {
    @Test("each link leads to whom it leads, a pod knows its node's end, a Service its pods")
    func together() throws {
        let map = ClusterMap(MapFixture.snapshot(), MapFixture.sight(bytes: 1200))
        #expect(map.nodes.map(\.name) == ["n1", "n2"])
        let node = try #require(map.nodes.first), pod = try #require(map.pods.first { $0.key.name == "web" })
        #expect(node.device("vetha")?.leadsTo == "default/web" && node.device("vetha")?.master == "cni0" && pod.device == "vetha")
        #expect(node.device("vetha")?.statistics.received.bytes == 1200)
        #expect(node.device("eth0")?.leadsTo == "LAN" && node.device("cni0")?.addresses == ["10.244.0.1/24"])
        #expect(node.device("lo") == nil && node.bridge?.name == "cni0" && node.tunnels.map(\.name) == ["flannel.1"])
        // The same index on another node is another link.
        #expect(map.nodes.last?.device("vethb")?.leadsTo == "default/client")
        #expect(map.pods.first { $0.key.name == "other" }?.device == nil)
        let lan = try #require(map.machines.first { $0.kind == .lan })
        #expect(lan.device("p1")?.leadsTo == "n1" && lan.device("p2")?.leadsTo == "n2")
        let service = try #require(map.services.first)
        #expect(service.ports == ["80:30080/TCP"] && service.endpoints.map(\.pod) == [Fixture.key("web")])
    }

    @Test("a pod is isolated where a policy selects it, and nowhere under a plugin that enforces none")
    func isolation() {
        let map = ClusterMap(MapFixture.snapshot(policies: [MapFixture.onlyClient]), MapFixture.sight())
        #expect(map.pods.map { $0.isolated[.ingress] ?? [] } == [[], [], ["default/only-client"]])
        #expect(map.policies.map(\.pods) == [[Fixture.key("web")]])
        var open = ClusterSnapshot(cluster: MapFixture.cluster(plugin: .flannel))
        (open.pods, open.policies) = (MapFixture.snapshot().pods, [NetworkPolicy(MapFixture.onlyClient)])
        #expect(ClusterMap(open, MapSight()).pods.allSatisfy { $0.isolated.isEmpty })
    }

    @Test("counters alone make no other picture")
    func still() {
        let snapshot = MapFixture.snapshot()
        let few = ClusterMap(snapshot, MapFixture.sight(bytes: 1)), more = ClusterMap(snapshot, MapFixture.sight(bytes: 2))
        #expect(few != more && few.still == more.still)
    }

    @Test("as text it fits a hundred columns, and names every pod, link and endpoint")
    func text() {
        var snapshot = MapFixture.snapshot(policies: [MapFixture.onlyClient])
        snapshot.pods += (0..<30).map { MapFixture.pod("a-pod-with-quite-a-long-name-\($0)", 2, 20 + $0) }
        // Of both families, one below the other.
        snapshot.pods[1].json["status"]["podIPs"] = [["ip": "10.244.1.6"], ["ip": "fd00:10:244:1:2222:3333:4444:5555"]]
        let text = MapText(map: ClusterMap(snapshot, MapFixture.sight(bytes: 8400))).text
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 100 })
        for word in [
            "vetha", "cni0", "flannel.1", "8.4k/0B", "default/web:80", "80:30080/TCP", "fd00:10:244:1:2222:3333:4444:5555\n",
            "a-pod-with-quite-a-long-name-29",
        ] {
            #expect(text.contains(word), "\(word) is not in\n\(text)")
        }
        #expect(text.contains("isolates default/web") && text.contains("ingress"))
    }

    @Test("text tells of nodes that somebody stopped or cut off, of names outside, and of many the first")
    func fewer() {
        var snapshot = MapFixture.snapshot(policies: [MapFixture.onlyClient])
        snapshot.pods += (0..<30).map { MapFixture.pod("w-\($0)", 2, 20 + $0, app: "web") }
        snapshot.services.append(
            Service([
                "metadata": ["name": "far", "namespace": "default"], "spec": ["type": "ExternalName", "externalName": "db.example.com"],
            ]))
        var sight = MapFixture.sight()
        sight.troubles = ["n2": "cut off"]
        let map = ClusterMap(snapshot, sight), text = MapText(map: map).text
        #expect(text.contains("worker, Ready, cut off   "))
        #expect(text.contains("default/far   ExternalName\n    -> db.example.com (a name)"))
        #expect(text.contains("and 19 more") && map.policies[0].pods.count == 31)
        #expect(map.json["machines"].items.compactMap { $0["status"].string }.contains("Ready, cut off"))
    }
}

@Suite("The map's layout is a function of the map")
struct MapLayoutTests {
    /// So many pods on each of so many nodes, three of a kin.
    private func map(nodes: Int, pods: Int, services: Int = 3) -> ClusterMap {
        var snapshot = ClusterSnapshot(cluster: MapFixture.cluster(nodes))
        snapshot.pods = (1...nodes).flatMap { node in
            (0..<pods).map { index in MapFixture.pod("p\(node)-\(index)", node, 2 + index, app: "app\(index / 3)", owner: "app\(index / 3)")
            }
        }
        snapshot.services = (0..<services).map { index in
            Service([
                "metadata": ["name": .string("s\(index)"), "namespace": "default"], "spec": ["clusterIP": .string("10.96.1.\(index)")],
            ])
        }
        return ClusterMap(snapshot, MapFixture.sight())
    }

    @Test("nothing lies on anything, and all lies in the picture", arguments: [(1, 0), (1, 1), (2, 7), (3, 30), (3, 170), (7, 12)])
    func apart(nodes: Int, pods: Int) throws {
        let map = map(nodes: nodes, pods: pods, services: 30), layout = MapLayout(map)
        let whole = MapLayout.Box(x: 0, y: 0, width: layout.width, height: layout.height)
        var boxes = layout.columns.map(\.box) + layout.fronts.map(\.box) + [layout.lan, layout.outside]
        if let tunnel = layout.tunnel { boxes.append(tunnel) }
        #expect(boxes.allSatisfy { whole.contains($0) })
        for (index, box) in boxes.enumerated() { for other in boxes[..<index] { #expect(!box.overlaps(other), "\(box) \(other)") } }
        for column in layout.columns {
            var parts = column.cards.map(\.box) + [column.bridge, column.uplink]
            if let tunnel = column.tunnel { parts.append(tunnel) }
            #expect(parts.allSatisfy { column.box.contains($0) })
            for (index, box) in parts.enumerated() { for other in parts[..<index] { #expect(!box.overlaps(other), "\(box) \(other)") } }
        }
        // Every pod has its place, or is counted.
        let shown = layout.columns.flatMap(\.cards).reduce(0) { $0 + $1.pods.count }
        #expect(shown + layout.columns.reduce(0) { $0 + $1.leftOut } == nodes * pods)
        #expect(layout.fronts.count + layout.frontsLeftOut == 30)
        #expect(layout == MapLayout(map))
    }

    @Test("a rail leads from its card to its node's bridge")
    func rails() throws {
        for column in MapLayout(map(nodes: 3, pods: 9)).columns {
            for card in column.cards {
                let first = try #require(card.rail.first), last = try #require(card.rail.last)
                #expect(first.x == card.box.middle.x && first.y == card.box.bottom)
                #expect(last.y == column.bridge.y && (column.bridge.x...column.bridge.right).contains(last.x))
            }
        }
    }

    @Test("few pods have a card each, of many those of a kin share one")
    func kins() {
        #expect(MapLayout(map(nodes: 3, pods: 30)).columns.allSatisfy { $0.cards.count == 30 })
        #expect(
            MapLayout(map(nodes: 3, pods: 99)).columns.allSatisfy { $0.cards.count == 33 && $0.cards.allSatisfy { $0.pods.count == 3 } })
    }

    @Test("a node without a tunnel has none in the picture")
    func plain() {
        var sight = MapFixture.sight()
        for name in sight.nodes.keys { sight.nodes[name]?.links.removeAll { $0.kind == "vxlan" } }
        let layout = MapLayout(ClusterMap(MapFixture.snapshot(), sight))
        #expect(layout.tunnel == nil && layout.columns.allSatisfy { $0.tunnel == nil })
    }
}
