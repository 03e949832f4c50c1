import Model
import Proxy
import Rules
import Runtime
import Testing

@Suite("what a network plugin leaves on a node")
struct NodePluginTests {
    private static func cluster(_ plugin: Cluster.Plugin) -> Cluster {
        var cluster = Cluster()
        cluster.plugin = plugin
        cluster.nodes = [1, 2].map { number in
            Cluster.NodeSpec(
                name: "n\(number)", isControlPlane: number == 1, address: cluster.nodeSubnet[127 + number],
                podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000 + UInt32(number) << 8), 24), taints: .null, labels: [:])
        }
        return cluster
    }

    private func plugin(_ kind: Cluster.Plugin) -> any NodePlugin {
        let cluster = Self.cluster(kind)
        return NodePlugins.plugin(for: cluster.nodes[0], of: cluster, paths: ClusterPaths(cluster: "c", below: "/nowhere"))
    }

    @Test("flannel's files and annotations, with the node's own numbers", arguments: Cluster.Plugin.allCases.filter(\.hasBridge))
    func files(_ kind: Cluster.Plugin) throws {
        let plugin = plugin(kind)
        #expect(
            plugin.files["/run/flannel/subnet.env"]
                == "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n")
        let conflist = try JSON(parsing: try #require(plugin.files["/etc/cni/net.d/10-flannel.conflist"]))
        #expect(conflist["name"] == "cbr0" && conflist["plugins"].items.map { $0["type"].string } == ["flannel", "portmap"])
        #expect(plugin.annotations["flannel.alpha.coreos.com/public-ip"] == "192.168.200.128")
        let backend = try JSON(parsing: try #require(plugin.annotations["flannel.alpha.coreos.com/backend-data"]))
        #expect(backend["VNI"] == 1 && backend["VtepMAC"].string?.count == 17)
    }

    @Test("a pod's frames are known by the same before and after its link is there, and by others than its successor's")
    func link() throws {
        let plugin = plugin(.flannel), address = IPAddress(ipv4: 0x0AF4_0105)
        func pod(_ uid: String) -> Pod { Pod(["metadata": ["name": "a", "namespace": "default", "uid": .string(uid)]]) }
        let link = try #require(plugin.link(of: pod("1"), address))
        #expect(link == plugin.link(of: pod("1"), address) && link.address == address)
        #expect(link.name.hasPrefix("veth") && link.name.count == 12)
        let other = try #require(plugin.link(of: pod("2"), address))
        #expect(other.name != link.name && other.hardwareAddress != link.hardwareAddress)
    }

    @Test("only a plugin that enforces policies has a table of them; what the plugin itself keeps, each has")
    func tables() throws {
        for kind in Cluster.Plugin.allCases {
            let snapshot = ClusterSnapshot(cluster: Self.cluster(kind))
            let tables = snapshot.tables(try #require(NodeView.views(snapshot.cluster.nodes[0], of: snapshot.cluster).first))
            #expect(kind.enforcesPolicies == (tables[PolicyCompiler.id(.ipv4)] != nil), "\(kind)")
            guard kind.isBuiltIn else {
                #expect(Set(tables.keys) == [TableID(.ip, "kube-proxy")], "\(kind): what CNI plugins keep is theirs")
                continue
            }
            if kind == .calico {
                #expect(
                    Set(tables.keys).isSuperset(of: [TableID(.ip, "calico"), TableID(.ip, "overlay-peers"), TableID(.ip, "kube-proxy")]))
                continue
            }
            #expect(
                Set(tables.keys).isSuperset(of: [TableID(.ip, "flannel-ipv4"), TableID(.ip, "overlay-peers"), TableID(.ip, "kube-proxy")]),
                "\(kind): \(tables.keys)")
        }
    }

    @Test("VXLAN to a node is the nodes' alone, and a packet's way tells that")
    func overlay() throws {
        let snapshot = ClusterSnapshot(cluster: Self.cluster(.flannelNetpol)), walk = snapshot.walk()
        let pod = PacketSource.pod(IPAddress(ipv4: 0x0AF4_0105), node: "n1"), other = snapshot.cluster.nodes[1].address
        let denied = walk.journeys(from: pod, to: other, proto: 17, port: 8472)
        #expect(denied.map(\.isDelivered) == [false] && denied.first?.stop?.table.name == "overlay-peers", "\(denied)")
        #expect(walk.journeys(from: pod, to: other, proto: 17, port: 8473).map(\.isDelivered) == [true])
        #expect(walk.journeys(from: .node("n1"), to: other, proto: 17, port: 8472).map(\.isDelivered) == [true])
    }
}
