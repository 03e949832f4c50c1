import API
import Model
import Runtime
import Testing

@Suite("a node's network as Calico and Canal lay it out")
struct CalicoLayoutTests {
    private func words(_ items: [NetworkItem]) -> [String] { items.map(\.description) }

    private func cluster(_ plugin: Cluster.Plugin, _ encapsulation: Cluster.Encapsulation = .vxlan, prefix: Int = 24) -> Cluster {
        var cluster = Cluster()
        (cluster.plugin, cluster.encapsulation) = (plugin, encapsulation)
        cluster.nodes = [1, 2].map { number in
            Cluster.NodeSpec(
                name: "n\(number)", isControlPlane: number == 1, address: cluster.nodeSubnet[127 + number],
                podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000 + UInt32(number) << 8), prefix), taints: .null, labels: [:])
        }
        return cluster
    }

    @Test("VXLAN: blocks of 64 addresses by the peer's tunnel, and a black hole for each of the node's own")
    func tunnel() {
        let cluster = cluster(.calico), layout = words(CalicoLayout.node(cluster.nodes[0], cluster))
        for block in ["10.244.2.0/26", "10.244.2.64/26", "10.244.2.128/26", "10.244.2.192/26"] {
            #expect(layout.contains("route \(block) via 10.244.2.0 dev vxlan.calico"), "\(layout)")
        }
        #expect(layout.filter { $0.hasPrefix("route blackhole 10.244.1.") }.count == 4)
        #expect(
            layout.contains("address 10.244.1.0/32 on vxlan.calico") && !layout.contains { $0.contains("cni0") || $0.contains("flannel") })
    }

    @Test("without encapsulation the blocks go by the nodes' addresses, and there is no tunnel")
    func direct() {
        let cluster = cluster(.calico, .none), layout = words(CalicoLayout.node(cluster.nodes[0], cluster))
        #expect(layout.contains("route 10.244.2.64/26 via 192.168.200.129 dev eth0") && !layout.contains { $0.contains("vxlan") })
    }

    @Test("a range that is a block, or too many of them, is led to whole")
    func blocks() {
        #expect(CalicoLayout.blocks(of: cluster(.calico, prefix: 26).nodes[0]).map(\.description) == ["10.244.1.0/26"])
        #expect(CalicoLayout.blocks(of: cluster(.calico, prefix: 28).nodes[0]).map(\.description) == ["10.244.1.0/28"])
        var wide = cluster(.calico)
        wide.nodes[0].places[0].podCIDR = IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 16)
        #expect(CalicoLayout.blocks(of: wide.nodes[0]).map(\.description) == ["10.244.0.0/16"])
    }

    @Test("a pod's link answers for whom the pod asks, and a route leads to the pod alone")
    func port() throws {
        let pod = Pod(["metadata": ["name": "web", "namespace": "default", "uid": "1"]])
        let address = try #require(IPAddress("10.244.1.5"))
        // printf default.web | sha1sum
        let name = "cali68caf03a5f4"
        let port = words(CalicoLayout.port(of: pod, addresses: [address], mtu: 1450))
        #expect(port.first == "link \(name)" && port.last == "route 10.244.1.5/32 dev \(name)", "\(port)")
        #expect(port.contains { $0.hasSuffix(".proxy_arp=1") } && port.contains { $0.hasSuffix(".rp_filter=1") })
        let inside = words(CalicoLayout.pod(addresses: [address], mtu: 1450, hardwareAddress: MACAddress(derivedFrom: "x")))
        #expect(
            inside == [
                "link eth0", "address 10.244.1.5/32 on eth0", "route 169.254.1.1/32 dev eth0", "route default via 169.254.1.1 dev eth0",
            ])
    }

    @Test(
        "what a plugin cannot do is said with the field's name",
        arguments: [
            ("  plugin: calico\n  encapsulation: ipip\n", "spec.encapsulation", "none of vxlan, none"),
            ("  plugin: canal\n  encapsulation: none\n", "spec.encapsulation", "cannot do without a tunnel"),
            ("  encapsulation: none\n", "spec.encapsulation", "cannot do without a tunnel"),
        ])
    func refusals(_ spec: String, _ field: String, _ words: String) throws {
        let text = "apiVersion: minik.dev/v1\nkind: Cluster\nmetadata: {name: a}\nspec:\n\(spec)"
        do {
            _ = try Cluster(try #require(try Manifest.read(text, file: "lab.yaml").first))
            Issue.record("\(spec) was taken")
        } catch {
            #expect("\(error)".contains(field) && "\(error)".contains(words), "\(error)")
        }
    }

    @Test("encapsulation is kept with the cluster")
    func kept() throws {
        let written = cluster(.calico, .none).json.text()
        let read = try Cluster(try #require(try Manifest.read(written, file: "cluster.json").first))
        #expect(read.encapsulation == .none && read.plugin == .calico)
    }
}
