import Foundation
import Model
import Testing

/// What a learner sees on a node under each of the plugins that minik itself is, and what real packets say of it.
@Suite("[Serial] Calico and Canal, as their nodes look", .serialized, .printsClusters)
struct PluginFlavourTests {
    struct Flavour: Sendable, CustomTestStringConvertible {
        let plugin: String
        let encapsulation: String
        let subnet: Int
        let mtu: Int
        /// How one node's pods are reached from the other: the device, and who is asked.
        let way: (device: String, gateway: String, prefix: Int)
        var testDescription: String { "\(plugin), \(encapsulation)" }
        var name: String { "is\(plugin)\(subnet)" }
    }

    private static let flavours = [
        Flavour(plugin: "calico", encapsulation: "vxlan", subnet: 181, mtu: 1450, way: ("vxlan.calico", "10.244.2.0", 26)),
        Flavour(plugin: "calico", encapsulation: "none", subnet: 182, mtu: 1500, way: ("eth0", "10.182.0.12", 26)),
        Flavour(plugin: "canal", encapsulation: "vxlan", subnet: 183, mtu: 1450, way: ("flannel.1", "10.244.2.0", 24)),
    ]

    private static func document(_ flavour: Flavour) -> String {
        """
        apiVersion: minik.dev/v1
        kind: Cluster
        metadata: {name: \(flavour.name)}
        spec:
          plugin: \(flavour.plugin)
        \(flavour.encapsulation == "none" ? "  encapsulation: none" : "")
          nodeSubnet: 10.\(flavour.subnet).0.0/24
          nodes:
          - {name: master, role: control-plane, address: 10.\(flavour.subnet).0.11, podCIDR: 10.244.1.0/24}
          - {name: worker, address: 10.\(flavour.subnet).0.12, podCIDR: 10.244.2.0/24}
        \(ClusterFiles.page("one", on: "worker", hostPort: 8088))
        \(ClusterFiles.page("two", on: "worker", hostPort: 8089))
        \(ClusterFiles.page("far", on: "master", hostPort: 8090))
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: one}
        spec: {type: NodePort, selector: {app: one}, ports: [{port: 80, nodePort: 30080}]}
        """
    }

    @Test("links, routes, blocks, MTU, TTL, Services, host ports and policies", arguments: flavours)
    func looks(_ flavour: Flavour) throws {
        let file = try ClusterFiles.write(Self.document(flavour))
        try TestCluster.with(file, name: flavour.name) { cluster in
            let one = try #require(try cluster.pods("app=one").first)
            try Self.links(cluster, flavour, one)
            try Self.packets(cluster, flavour)
            try Self.policies(cluster, flavour)
            // What somebody takes away is there again.
            let address = try #require(one.ip).description
            #expect(cluster.minik("node exec worker -- ip route del \(address)").isSuccess)
            let status = cluster.minik("status")
            #expect((status.output + status.errors).contains("route \(address)/32"), "\(status)")
            #expect(cluster.minik("exec far -- timeout 5 wget -qO- http://\(address)").output == "one\n")
        }
    }

    private static func links(_ cluster: TestCluster, _ flavour: Flavour, _ one: Pod) throws {
        func json(_ node: String, _ command: String) throws -> [JSON] {
            try Shell.json("\(Shell.minik) node exec -c \(flavour.name) \(node) -- \(command)").items
        }
        let address = try #require(one.ip).description
        #expect(try json("worker", "ip -j -d link show type bridge").filter { $0["ifname"] != .null }.isEmpty, "no bridge")
        // sha1sum says what the link is called.
        let name = "cali" + Shell.run("printf default.one | sha1sum | cut -c1-11").output.trimmingCharacters(in: .newlines)
        let link = try #require(try json("worker", "ip -j -d link show dev \(name)").first)
        #expect(link["address"] == "ee:ee:ee:ee:ee:ee" && link["mtu"].int == flavour.mtu, "\(link)")
        #expect(link["linkinfo"]["info_kind"] == "veth", "\(link)")
        let own = try json("worker", "ip -j route show \(address)")
        #expect(own.map { $0["dev"].string } == [name] && own.first?["scope"] == "link", "\(own)")
        let inside = try Shell.json("ip netns exec \(flavour.name)_default_one ip -j route").items
        #expect(
            inside.contains { $0["dst"] == "default" && $0["gateway"] == "169.254.1.1" }
                && inside.contains { $0["dst"] == "169.254.1.1" && $0["scope"] == "link" } && inside.count == 2, "\(inside)")
        let eth0 = try #require(try Shell.json("ip netns exec \(flavour.name)_default_one ip -j address show dev eth0").items.first)
        #expect(eth0["mtu"].int == flavour.mtu, "\(eth0)")
        #expect(eth0["addr_info"].items.contains { $0["local"].string == address && $0["prefixlen"] == 32 }, "\(eth0)")
        let away = try json("master", "ip -j route").filter {
            $0["dev"].string == flavour.way.device && $0["gateway"].string == flavour.way.gateway
        }
        let blocks = flavour.way.prefix == 24 ? ["10.244.2.0/24"] : ["0", "64", "128", "192"].map { "10.244.2.\($0)/26" }
        #expect(Set(away.compactMap { $0["dst"].string }) == Set(blocks), "\(away)")
        let holes = try json("worker", "ip -j route show type blackhole").compactMap { $0["dst"].string }
        #expect(Set(holes) == Set(flavour.plugin == "calico" ? blocks : []), "\(holes)")
        if flavour.way.device == "vxlan.calico" {
            let tunnel = try #require(try json("worker", "ip -j -d link show dev vxlan.calico").first)["linkinfo"]["info_data"]
            #expect(tunnel["id"] == 4096 && tunnel["port"] == 4789, "\(tunnel)")
        }
    }

    private static func packets(_ cluster: TestCluster, _ flavour: Flavour) throws {
        func address(_ pod: String) throws -> String { try #require(try cluster.pods("app=\(pod)").first?.ip).description }
        func hops(_ from: String, _ to: String) throws -> String {
            let ping = cluster.minik("exec \(from) -- ping -c 1 -W 2 \(try address(to))").output
            return ping.split(separator: " ").first { $0.hasPrefix("ttl=") }.map(String.init) ?? ping
        }
        #expect(try hops("one", "two") == "ttl=63", "the node is a hop, even to a neighbour")
        #expect(try hops("far", "one") == "ttl=62")
        let node = cluster.minik("node exec worker -- busybox ping -c 1 -W 2 \(try address("one"))").output
        #expect(node.contains("ttl=64"), "\(node)")
        // The largest that is not cut to pieces: ICMP's and IP's headers are 28 bytes.
        #expect(cluster.minik("exec far -- ping -c 1 -W 2 -s \(flavour.mtu - 28) \(try address("one"))").isSuccess)
        for at in ["11", "12"] {
            let page = cluster.minik("host exec -- curl -s -m 5 http://10.\(flavour.subnet).0.\(at):30080")
            #expect(page.output == "one\n", "\(page)")
        }
        #expect(cluster.minik("exec two -- timeout 5 wget -qO- http://one").output == "one\n")
        #expect(cluster.minik("host exec -- curl -s -m 5 http://10.\(flavour.subnet).0.12:8089").output == "two\n")
        // To itself through its own Service, and seen from outside with the node's address.
        #expect(cluster.minik("exec one -- timeout 5 wget -qO- http://one").output == "one\n")
    }

    private static func policies(_ cluster: TestCluster, _ flavour: Flavour) throws {
        let policy = try ClusterFiles.write(
            """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: one}
            spec:
              podSelector: {matchLabels: {app: one}}
              ingress: [{from: [{podSelector: {matchLabels: {app: two}}}], ports: [{port: 80}]}]
            """)
        #expect(cluster.minik("apply -f \(policy)").isSuccess)
        let address = try #require(try cluster.pods("app=one").first?.ip).description
        let denied = try Shell.eventually(seconds: 10) { () -> CommandResult? in
            let result = cluster.minik("exec far -- timeout 2 wget -qO- http://\(address)")
            return result.isSuccess ? nil : result
        }
        #expect(denied.status == 143, "no answer, and no refusal: \(denied)")
        #expect(cluster.minik("exec two -- timeout 5 wget -qO- http://\(address)").output == "one\n", "a neighbour on the same node")
        #expect(!cluster.minik("exec two -- ping -c 1 -W 1 \(address)").isSuccess, "a rule with ports lets no ping through")
        #expect(cluster.minik("node exec worker -- curl -s -m 5 http://\(address)").output == "one\n", "a node reaches its own pods")
        #expect(cluster.minik("delete networkpolicy one").isSuccess)
    }
}
