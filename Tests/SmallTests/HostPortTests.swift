import Model
import Proxy
import Rules
import Testing

@Suite("Host ports")
struct HostPortTests {
    private static func pod(_ ports: JSON...) -> Pod {
        Pod(["metadata": ["namespace": "default", "name": "web"], "spec": ["containers": [["name": "main", "ports": .array(ports)]]]])
    }

    private static func node() throws -> NodeView {
        NodeView(
            name: "node-1", address: try #require(IPAddress("192.168.200.129")), clusterCIDR: try #require(IPNetwork("10.244.0.0/16")),
            serviceCIDR: try #require(IPNetwork("10.1.0.0/16")), podCIDR: try #require(IPNetwork("10.244.1.0/24")))
    }

    private static func table() throws -> Ruleset {
        var whole = HostPortTable.base(try node())
        let ports: [JSON] = [
            ["containerPort": 80, "hostPort": 8080], ["containerPort": 53, "hostPort": 5353, "protocol": "UDP", "hostIP": "127.0.0.1"],
        ]
        whole.merge(HostPortTable.compile(pod(ports[0], ports[1]), try #require(IPAddress("10.244.1.2"))))
        return whole
    }

    @Test("the table is the one that portmap makes, looked up instead of walked")
    func golden() throws {
        let text = try Self.table().text(table: HostPortTable.id(.ipv4))
        let chain = ServiceTable.chainName("hostport", "default/web/8080/tcp"),
            other = ServiceTable.chainName("hostport", "default/web/127.0.0.1:5353/udp")
        #expect(
            text == """
                table ip cni_hostport {
                \tmap hostip_hostports {
                \t\ttype ipv4_addr . inet_proto . inet_service : verdict; comment "Host ports on one address";
                \t\telements = { 127.0.0.1 . udp . 5353 comment "default/web 127.0.0.1:5353/udp" : goto \(other) }
                \t}
                \tmap hostports {
                \t\ttype inet_proto . inet_service : verdict; comment "Host ports on every address of the node";
                \t\telements = { tcp . 8080 comment "default/web 8080/tcp" : goto \(chain) }
                \t}
                \tset node-ips {
                \t\ttype ipv4_addr; comment "The node's addresses";
                \t\telements = { 10.244.1.0,
                \t\t\t     10.244.1.1,
                \t\t\t     192.168.200.129 }
                \t}
                \tchain dispatch {
                \t\tip daddr . meta l4proto . th dport vmap @hostip_hostports
                \t\tip daddr @node-ips meta l4proto . th dport vmap @hostports
                \t\tip daddr 127.0.0.0/8 meta l4proto . th dport vmap @hostports
                \t}
                \tchain \(chain) {
                \t\tip saddr 10.244.1.2 jump mark-for-masquerade comment "hairpin: the pod reaches itself"
                \t\tip saddr 127.0.0.0/8 jump mark-for-masquerade comment "the node asks from its loopback"
                \t\tmeta l4proto tcp dnat to 10.244.1.2:80 comment "default/web 8080/tcp"
                \t}
                \tchain \(other) {
                \t\tip saddr 10.244.1.2 jump mark-for-masquerade comment "hairpin: the pod reaches itself"
                \t\tip saddr 127.0.0.0/8 jump mark-for-masquerade comment "the node asks from its loopback"
                \t\tmeta l4proto udp dnat to 10.244.1.2:53 comment "default/web 127.0.0.1:5353/udp"
                \t}
                \tchain mark-for-masquerade {
                \t\tmeta mark set meta mark | 0x00002000
                \t}
                \tchain masquerading {
                \t\ttype nat hook postrouting priority 100; policy accept;
                \t\tmeta mark & 0x00002000 == 0x00000000 return
                \t\tmeta mark set meta mark ^ 0x00002000 snat to 10.244.1.1 fully-random
                \t}
                \tchain output {
                \t\ttype nat hook output priority -100; policy accept;
                \t\tjump dispatch
                \t}
                \tchain prerouting {
                \t\ttype nat hook prerouting priority -100; policy accept;
                \t\tjump dispatch
                \t}
                }

                """)
    }

    @Test("a pod's ports come and go with one change, and the rest of the table is not touched")
    func change() throws {
        let part = HostPortTable.compile(Self.pod(["containerPort": 80, "hostPort": 8080]), try #require(IPAddress("10.244.1.2")))
        let come = Ruleset.diff(Ruleset(), part, declared: HostPortTable.sets(.ipv4)),
            go = Ruleset.diff(part, Ruleset(), declared: HostPortTable.sets(.ipv4))
        #expect(come.count == 5 && go.count == 3, "a chain, its three rules, an element; and back")
        #expect(!come.contains(.addTable) && !go.contains(.deleteTable))
    }

    @Test("ports without a host's, or of no protocol there is, claim nothing")
    func nothing() {
        #expect(
            Self.pod(["containerPort": 80], ["containerPort": 80, "hostPort": 0], ["containerPort": 1, "hostPort": 2, "protocol": "X"])
                .hostPorts.isEmpty)
        #expect(Self.pod(["containerPort": 80, "hostPort": 8080, "hostIP": "0.0.0.0"]).hostPorts.map(\.address) == [nil], "every address")
    }
}
