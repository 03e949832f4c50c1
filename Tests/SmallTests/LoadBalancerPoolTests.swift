import API
import Model
import Testing

@Suite("The pool of load balancers' addresses, and which node answers for one")
struct LoadBalancerPoolTests {
    private func cluster(_ spec: String) throws -> Cluster {
        let text = "apiVersion: minik.dev/v1\nkind: Cluster\nmetadata: {name: a}\nspec:\n  \(spec)\n"
        return try Cluster(try #require(try Manifest.read(text, file: "lab.yaml").first))
    }

    @Test(
        "is the last quarter of the nodes' network, or what the document says",
        arguments: [
            ("mtu: 1500", "192.168.200.192-192.168.200.254"), ("nodeSubnet: 192.168.7.0/28", "192.168.7.12-192.168.7.14"),
            ("podSubnet: fd00:9::/56", "fd00:192:168:200:c000::-fd00:192:168:200:ffff:ffff:ffff:fffe"),
            ("loadBalancerPool: 192.168.200.240/29", "192.168.200.240-192.168.200.247"),
            ("loadBalancerPool: 192.168.200.3-192.168.200.9", "192.168.200.3-192.168.200.9"),
        ])
    func range(_ spec: String, _ range: String) throws {
        let cluster = try cluster(spec)
        #expect(cluster.loadBalancerRange.description == range)
        #expect(try Cluster(stored: cluster.json) == cluster)
    }

    @Test(
        "is refused where it cannot be",
        arguments: [
            ("10.0.0.0/24", "10.0.0.0/24 is not inside nodeSubnet 192.168.200.0/24"),
            (
                "192.168.200.9-192.168.200.3",
                "\"192.168.200.9-192.168.200.3\" is no IPv4 CIDR and no range FIRST-LAST, such as 192.168.200.192-192.168.200.254"
            ),
            ("fd00::/64", "\"fd00::/64\" is no IPv4 CIDR and no range"), ("192.168.200.240/24", "\"192.168.200.240/24\" is no IPv4 CIDR"),
            ("192.168.200.128/29", "192.168.200.128/29 holds 192.168.200.128, which is the address of node k8s-master"),
            ("192.168.200.1-192.168.200.9", "192.168.200.1-192.168.200.9 holds 192.168.200.1, which is the address of the outside host"),
        ])
    func refused(_ pool: String, _ words: String) throws {
        let error = #expect(throws: ManifestError.self) { try cluster("loadBalancerPool: \(pool)") }
        #expect("\(error.map { "\($0)" } ?? "")".contains("spec.loadBalancerPool: \(words)"))
        #expect("\(error.map { "\($0)" } ?? "")".contains("lab.yaml:5"))
    }

    @Test("gives no machine's address, nor the network's own")
    func reserved() throws {
        let cluster = try cluster("{nodeSubnet: 192.168.7.0/28, nodes: [{name: a, role: control-plane, address: 192.168.7.13}]}")
        let free = (0..<16).map { cluster.nodeSubnet[$0] }.filter(cluster.isLoadBalancerAddress).map(\.description)
        #expect(free == ["192.168.7.12", "192.168.7.14"])
    }

    private static func node(_ name: String, ready: Bool = true, labels: JSON = .emptyObject) -> Node {
        Node([
            "metadata": ["name": .string(name), "labels": labels],
            "status": ["conditions": [["type": "Ready", "status": .string(ready ? "True" : "Unknown")]]],
        ])
    }

    @Test("addresses are spread over the nodes that may have them, and only those of a node that goes move")
    func spread() throws {
        let service = Service(["spec": ["type": "LoadBalancer"]]), addresses = (1...60).map { Cluster().nodeSubnet[$0] }
        func places(_ nodes: [Node]) -> [String] {
            let placement = LoadBalancerPlacement(nodes: nodes)
            return addresses.map { placement.node(for: $0, of: service, []) ?? "nobody" }
        }
        let all = places(["n1", "n2", "n3"].map { Self.node($0) })
        #expect(Set(all) == ["n1", "n2", "n3"])
        for without in [
            [Self.node("n1"), Self.node("n3")], [Self.node("n1"), Self.node("n2", ready: false), Self.node("n3")],
            [Self.node("n1"), Self.node("n2", labels: ["node.kubernetes.io/exclude-from-external-load-balancers": ""]), Self.node("n3")],
        ] {
            let now = places(without)
            #expect(zip(all, now).allSatisfy { $0 == $1 || $0 == "n2" } && !now.contains("n2"))
        }
        #expect(Set(places([])) == ["nobody"])
    }
}
