import Model
import Testing

/// The tutorial's hands-on part, T9 to T15 in order, with the real busybox and the real httpd.
@Suite("[Serial] the tutorial happens as it is written", .serialized, .printsClusters)
struct TutorialTests {
    static let nodes = ["k8s-master", "k8s-node1", "k8s-node2"]
    static let addresses = ["192.168.200.128", "192.168.200.129", "192.168.200.130"]
    static let page = "<html><body><h1>It works!</h1></body></html>\n"

    @Test("T9 to T15: deploy, reach, isolate, allow pods, allow nodes, and what ping may do")
    func tutorial() throws {
        try TestCluster.with("labs/netpol.yaml", name: "netpol") { cluster in
            try rows(cluster)
            try network(cluster)
            for label in ["", "access=true"] { try startClient(cluster, label.isEmpty ? "busybox" : "friend", label) }
            let service = try serviceAddress(cluster)
            transcript(cluster, "busybox", service)
            everyNodePort(cluster, isOpen: true, "before the policy")
            try pings(cluster)

            expectSuccess(cluster.minik("apply -f labs/netpol/policy.yaml"), "networkpolicy.networking.k8s.io/access-httpd created")
            try denied(cluster, service)
            transcript(cluster, "friend", service)
            pingsToHTTPD(try cluster.pods("name=networkpolicy-demo"), cluster, from: "friend")
            everyNodePort(cluster, isOpen: false, "under the policy for labelled pods")
            for node in Self.nodes {
                #expect(
                    !fetch(cluster.minik("node exec \(node) -- timeout 1 wget -qO- http://\(service):8080")), "\(node) is still shut out")
            }

            expectSuccess(cluster.minik("apply -f labs/netpol/policy-nodes.yaml"), "configured")
            everyNodePort(cluster, isOpen: true, "under the policy for the nodes' LAN")
            for node in Self.nodes {
                for _ in 0..<4 {
                    let result = cluster.minik("node exec \(node) -- timeout 2 wget -qO- http://\(service):8080")
                    #expect(fetch(result), "\(node) by the ClusterIP: \(result)")
                }
            }
            #expect(
                cluster.minik("exec busybox -- timeout 2 wget -qO- http://httpd-svc:8080").status != 0, "a pod without the label stays out")
            // T15: no policy selects the busybox pods, so they answer one another across nodes with two hops gone.
            try pingBetweenClients(cluster)
        }
    }

    private func expectSuccess(_ result: CommandResult, _ words: String) {
        #expect(result.isSuccess && result.output.contains(words), "\(result)")
    }

    private func fetch(_ result: CommandResult) -> Bool { result.isSuccess && result.output == Self.page }

    /// T10
    private func rows(_ cluster: TestCluster) throws {
        let lines = cluster.minik("get pod -o wide").output.split(separator: "\n").map {
            $0.split(separator: " ", omittingEmptySubsequences: true)
        }
        let header = try #require(lines.first)
        #expect(header.joined(separator: " ") == "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES")
        #expect(lines.count == 4)
        for row in lines.dropFirst() {
            #expect(row[0].wholeMatch(of: /httpd-[a-z0-9]{8,10}-[a-z0-9]{5}/) != nil, "\(row[0])")
            #expect(row[1] == "1/1" && row[2] == "Running" && row[3] == "0")
            #expect(row[5].hasPrefix("10.244.") && row[6].hasPrefix("k8s-node"), "the control plane's taint keeps pods away")
        }
        #expect(Set(lines.dropFirst().map { $0[6] }).count == 2, "three pods over two nodes stand on both")
    }

    /// What a learner finds on a node, told by ip and bridge, not by us.
    private func network(_ cluster: TestCluster) throws {
        let node = "ip netns exec netpol_k8s-node1"
        let flannel = try Shell.json("\(node) ip -j -d addr show flannel.1")[0]
        #expect(flannel["mtu"].int == 1450)
        #expect(flannel["linkinfo"]["info_data"]["id"].int == 1 && flannel["linkinfo"]["info_data"]["port"].int == 8472)
        #expect(flannel["linkinfo"]["info_data"]["learning"].bool == false)
        #expect(flannel["addr_info"].items.contains { $0["local"].string == "10.244.1.0" && $0["prefixlen"].int == 32 })
        let bridge = try Shell.json("\(node) ip -j addr show cni0")[0]
        #expect(bridge["addr_info"].items.contains { $0["local"].string == "10.244.1.1" && $0["prefixlen"].int == 24 })
        let peer = try Shell.json("ip netns exec netpol_k8s-node2 ip -j link show flannel.1")[0]["address"].string
        let entries = try Shell.json("\(node) bridge -j fdb show dev flannel.1").items
        let entry = entries.first { $0["dst"].string == "192.168.200.130" }
        #expect(entry?["mac"].string == peer && entry?["state"].string == "permanent")
        let neighbour = try Shell.json("\(node) ip -j neigh show dev flannel.1").items.first { $0["dst"].string == "10.244.2.0" }
        #expect(neighbour?["lladdr"].string == peer && neighbour?["state"][0].string == "PERMANENT")
        let routes = try Shell.json("\(node) ip -j route").items
        let route = routes.first { $0["dst"].string == "10.244.2.0/24" }
        #expect(route?["gateway"].string == "10.244.2.0" && route?["dev"].string == "flannel.1" && route?["flags"][0].string == "onlink")
        let ports = try Shell.json("\(node) ip -j -d link show master cni0").items
        #expect(!ports.isEmpty)
        for port in ports {
            #expect(port["ifname"].string?.wholeMatch(of: /veth[0-9a-f]{8}/) != nil)
            #expect(port["linkinfo"]["info_slave_data"]["hairpin"].bool == true)
        }
        let files = cluster.minik("node exec k8s-node1 -- sh -c 'hostname; cat /run/flannel/subnet.env; ls /etc/cni/net.d'").output
        #expect(files.hasPrefix("k8s-node1\n") && files.contains("FLANNEL_SUBNET=10.244.1.1/24") && files.contains("10-flannel.conflist"))
    }

    private func startClient(_ cluster: TestCluster, _ name: String, _ label: String) throws {
        let labels = label.isEmpty ? "" : "--labels=\(label)"
        expectSuccess(cluster.minik("run \(name) --image=busybox --restart=Never \(labels) -- sleep 3600"), "pod/\(name) created")
        _ = try Shell.eventually { cluster.minik("get pod \(name)").output.contains("Running") ? true : nil }
    }

    private func serviceAddress(_ cluster: TestCluster) throws -> String {
        let service = try Shell.json("\(Shell.minik) get svc httpd-svc --cluster \(cluster.name) -o json")
        return try #require(service["spec"]["clusterIP"].string)
    }

    /// T13: the lines of the tutorial's own transcript.
    private func transcript(_ cluster: TestCluster, _ client: String, _ service: String) {
        let result = cluster.minik(
            "exec \(client) -- sh -c 'cd /tmp && rm -f index.html && timeout 5 wget httpd-svc:8080 && wc -c <index.html'")
        let all = result.output + result.errors
        #expect(all.contains("Connecting to httpd-svc:8080 (\(service):8080)"), "\(result)")
        #expect(all.contains("saving to 'index.html'") && all.contains("'index.html' saved"), "\(result)")
        #expect(all.contains("100% |*****") && all.contains("45  0:00:00 ETA"), "\(result)")
        #expect(result.output.hasSuffix("45\n"), "\(result)")
    }

    /// T12: a timeout, not a refusal.
    private func denied(_ cluster: TestCluster, _ service: String) throws {
        // Two tries at a connection instead of seven: the kernel's own timeout, sooner.
        let sysctl = Shell.run("ip netns exec netpol_default_busybox sysctl -qw net.ipv4.tcp_syn_retries=1")
        #expect(sysctl.isSuccess, "\(sysctl)")
        let result = cluster.minik("exec busybox -- wget http://httpd-svc:8080")
        let all = result.output + result.errors
        #expect(all.contains("Connecting to httpd-svc:8080 (\(service):8080)"), "\(result)")
        #expect(all.contains("wget: can't connect to remote host (\(service)): Connection timed out"), "\(result)")
        pingsToHTTPD(try cluster.pods("name=networkpolicy-demo"), cluster, from: "busybox")
    }

    private func pingsToHTTPD(_ pods: [Pod], _ cluster: TestCluster, from client: String) {
        #expect(pods.count == 3)
        for pod in pods {
            let result = cluster.minik("exec \(client) -- ping -c 1 -W 1 \(pod.ip?.description ?? "?")")
            #expect(result.output.contains("1 packets transmitted, 0 packets received, 100% packet loss"), "\(result)")
        }
    }

    /// Before any policy: 64 on one node, 62 across two routers.
    private func pings(_ cluster: TestCluster) throws {
        let client = try #require(try cluster.pods("run=busybox").first)
        for pod in try cluster.pods("name=networkpolicy-demo") {
            let result = cluster.minik("exec busybox -- ping -c 1 -W 2 \(pod.ip?.description ?? "?")")
            #expect(result.output.contains(pod.nodeName == client.nodeName ? "ttl=64" : "ttl=62"), "\(result)")
        }
    }

    private func pingBetweenClients(_ cluster: TestCluster) throws {
        let one = try #require(try cluster.pods("run=busybox").first), other = try #require(try cluster.pods("access=true").first)
        let result = cluster.minik("exec busybox -- ping -c 3 -W 2 \(other.ip?.description ?? "?")")
        #expect(result.output.contains("3 packets transmitted, 3 packets received, 0% packet loss"), "\(result)")
        #expect(result.output.contains(one.nodeName == other.nodeName ? "ttl=64" : "ttl=62"), "\(result)")
    }

    /// Every node's NodePort, from every node and from the outside, several times: the backends are chosen at random.
    private func everyNodePort(_ cluster: TestCluster, isOpen: Bool, _ when: String) {
        let urls = Self.addresses.flatMap { address in (0..<3).map { _ in "http://\(address):33000" } }
        let limit = isOpen ? 2 : 1
        for place in Self.nodes.map({ "node exec \($0)" }) + ["host exec"] {
            let tries = urls.map { "(timeout \(limit) wget -qO- \($0) >/dev/null 2>&1 && echo open || echo shut) &" }.joined(separator: " ")
            let result = cluster.minik("\(place) -- sh -c '\(tries) wait'")
            let answers = result.output.split(separator: "\n")
            #expect(answers.count == urls.count && answers.allSatisfy { $0 == (isOpen ? "open" : "shut") }, "\(when): \(result)")
        }
    }
}
