import Foundation
import Model
import Testing

/// labs/dual-stack.yaml, asked by kubectl, by the programs in its pods and by the host.
@Suite("[Serial] a cluster of IPv4 and IPv6", .serialized, .printsClusters)
struct DualStackClusterTests {
    private static let page = "<html><body><h1>It works!</h1></body></html>\n"
    private static let nodes = ["k8s-master", "k8s-node1", "k8s-node2"]

    /// Two clients, on a node each, and a pod that claims a port of its node.
    private static let more = """
        apiVersion: v1
        kind: Pod
        metadata: {name: one, labels: {run: one}}
        spec: {nodeName: k8s-node1, containers: [{name: c, image: busybox, command: [sleep, "600"]}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: two, labels: {run: two}}
        spec:
          nodeName: k8s-node2
          containers:
          - {name: c, image: busybox, command: [sleep, "600"], env: [{name: IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: claims, labels: {run: claims}}
        spec:
          nodeName: k8s-node2
          containers: [{name: c, image: "httpd:latest", imagePullPolicy: IfNotPresent, ports: [{containerPort: 80, hostPort: 8081}]}]
        """

    private func fetches(_ cluster: TestCluster, _ pod: String, _ url: String) -> CommandResult {
        cluster.minik("exec \(pod) -- timeout 3 wget -qO- 'http://\(url)'", seconds: 10)
    }

    private func isPage(_ result: CommandResult) -> Bool { result.isSuccess && result.output == Self.page }

    private func host(_ cluster: TestCluster, _ url: String) -> CommandResult {
        cluster.minik("host exec -- timeout 3 wget -qO- 'http://\(url)'", seconds: 10)
    }

    private func address(_ pod: Pod, _ family: IPFamily) throws -> IPAddress { try #require(pod.ip(family), "\(pod.status.text())") }

    @Test("every way there is, over each family: pods, Services, node ports, host ports, names, policies")
    func ways() throws {
        try TestCluster.with("labs/dual-stack.yaml", name: "dual-stack") { cluster in
            let file = try ClusterFiles.write(Self.more)
            #expect(cluster.minik("apply -f \(file)").isSuccess)
            _ = try Shell.eventually(seconds: 30) {
                try cluster.pods("run").allSatisfy { $0.isReady } ? true : nil
            }
            try objects(cluster)
            try pods(cluster)
            try services(cluster)
            try names(cluster)
            try policy(cluster)
            try reports(cluster)
            try repair(cluster)
        }
    }

    /// What kubectl is told.
    private func objects(_ cluster: TestCluster) throws {
        let config = try ClusterFiles.write(cluster.minik("kubeconfig").output)
        let kubectl = "kubectl --kubeconfig \(config)"
        let node = try Shell.json("\(kubectl) get node k8s-node1 -o json")
        #expect(node["spec"]["podCIDRs"] == ["10.244.1.0/24", "fd00:10:244:1::/64"])
        #expect(node["status"]["addresses"].items.map { $0["address"] } == ["192.168.206.129", "fd00:192:168:206::81", "k8s-node1"])
        let pod = Pod(try Shell.json("\(kubectl) get pod one -o json"))
        #expect(pod.ips.map(\.family) == [.ipv4, .ipv6] && pod.status["hostIPs"].items.count == 2, "\(pod.status.text())")
        let slices = try Shell.json("\(kubectl) get endpointslices -l kubernetes.io/service-name=web -o json")["items"].items
        #expect(Set(slices.map { $0["addressType"] }) == ["IPv4", "IPv6"] && slices.allSatisfy { $0["endpoints"].items.count == 2 })
        let described = Shell.run("\(kubectl) describe service web").output
        #expect(described.contains("IPv4,IPv6") && described.contains("PreferDualStack"), "\(described)")
        #expect(cluster.minik("exec two -- sh -c 'echo $IPS'").output.split(separator: ",").count == 2)
        let hosts = cluster.minik("exec one -- cat /etc/hosts").output
        for address in pod.ips { #expect(hosts.contains("\(address)\tone"), "\(hosts)") }
    }

    private func pods(_ cluster: TestCluster) throws {
        let servers = try cluster.pods("app=httpd")
        #expect(Set(servers.map(\.nodeName)).count == 2, "on two nodes")
        for client in ["one", "two"] {
            for server in servers {
                for family in IPFamily.allCases {
                    let result = fetches(cluster, client, try address(server, family).authority(port: 80))
                    #expect(isPage(result), "\(client) -> \(server.name): \(result)")
                }
                let ping = cluster.minik("exec \(client) -- ping -6 -c 1 -W 2 \(try address(server, .ipv6))")
                #expect(ping.isSuccess, "\(ping)")
            }
        }
    }

    private func services(_ cluster: TestCluster) throws {
        let web = Service(try Shell.json("\(Shell.minik) get service web --cluster dual-stack -o json"))
        #expect(web.clusterIPs.map(\.family) == [.ipv4, .ipv6])
        // As often as it takes to meet both endpoints, very likely.
        for address in web.clusterIPs {
            for _ in 0..<6 {
                let result = fetches(cluster, "one", address.authority(port: 8080))
                #expect(isPage(result), "\(result)")
            }
        }
        for node in Self.nodes {
            let own = try Shell.json("\(Shell.minik) get node \(node) --cluster dual-stack -o json")["status"]["addresses"].items
            for address in own.compactMap({ IPAddress($0["address"].string ?? "") }) {
                let result = host(cluster, address.authority(port: 30080))
                #expect(isPage(result), "\(node): \(result)")
            }
            let inside = cluster.minik("node exec \(node) -- timeout 3 wget -qO- 'http://\(web.clusterIPs[1].authority(port: 8080))'")
            #expect(isPage(inside), "\(inside)")
        }
        for address in ["192.168.206.130:8081", "[fd00:192:168:206::82]:8081"] {
            #expect(isPage(host(cluster, address)), "a host port at \(address)")
        }
        #expect(!host(cluster, "[fd00:192:168:206::81]:8081").isSuccess, "nobody claims it there")
    }

    private func names(_ cluster: TestCluster) throws {
        let web = Service(try Shell.json("\(Shell.minik) get service web --cluster dual-stack -o json"))
        for server in ["10.1.0.10", "fd00:10:1::a"] {
            let answer = cluster.minik("exec one -- nslookup web.default.svc.cluster.local \(server)").output
            for address in web.clusterIPs { #expect(answer.contains("\(address)"), "\(answer)") }
            let reverse = cluster.minik("exec one -- nslookup \(web.clusterIPs[1]) \(server)").output
            #expect(reverse.contains("web.default.svc.cluster.local"), "\(reverse)")
        }
        // A name that has IPv6 alone.
        let result = fetches(cluster, "two", "web6")
        #expect(isPage(result), "\(result)")
        #expect(cluster.minik("exec one -- cat /etc/resolv.conf").output.contains("nameserver fd00:10:1::a"))
    }

    private func policy(_ cluster: TestCluster) throws {
        let one = try #require(try cluster.pods("run=one").first), server = try #require(try cluster.pods("app=httpd").first)
        let file = try ClusterFiles.write(
            """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: six}
            spec:
              podSelector: {matchLabels: {app: httpd}}
              ingress: [{from: [{ipBlock: {cidr: \(try address(one, .ipv6))/128}}], ports: [{port: 80}]}]
            """)
        #expect(cluster.minik("apply -f \(file)").isSuccess)
        defer { cluster.minik("delete -f \(file)") }
        let four = try address(server, .ipv4).authority(port: 80), six = try address(server, .ipv6).authority(port: 80)
        for _ in 0..<2 {
            #expect(isPage(fetches(cluster, "one", six)), "the block holds")
            #expect(!fetches(cluster, "one", four).isSuccess, "its IPv4 address is in no block")
            #expect(!fetches(cluster, "two", six).isSuccess, "nor is another's")
        }
        #expect(!host(cluster, "[fd00:192:168:206::81]:30080").isSuccess, "nor is the host")
        let why = cluster.minik("why -6 two \(server.name):80")
        #expect(why.status == 1 && why.output.contains("default/six") && why.output.contains("the kernel agrees"), "\(why)")
        let open = cluster.minik("why one '[\(try address(server, .ipv6))]:80'")
        #expect(open.isSuccess && open.output.contains("the kernel agrees"), "\(open)")
        let matrix = cluster.minik("matrix --probe", seconds: 60)
        #expect(matrix.isSuccess && matrix.output.contains("TCP/80 over IPv6"), "\(matrix)")
    }

    private func reports(_ cluster: TestCluster) throws {
        let status = cluster.minik("status")
        #expect(status.isSuccess && !status.output.contains("repaired"), "\(status)")
        for question in ["one svc/web:8080", "-6 one svc/web:8080", "-6 host k8s-node1:30080", "host '[fd00:192:168:206::81]:30080'"] {
            let why = cluster.minik("why \(question)")
            #expect(why.isSuccess && why.output.hasPrefix("ALLOWED") && why.output.contains("the kernel agrees"), "\(why)")
        }
        let six = Shell.run("nsenter --net=/run/netns/dual-stack_k8s-node1 nft list tables").output
        for table in ["ip6 kube-proxy", "ip6 kube-netpol", "ip6 flannel-ipv6", "ip6 overlay-peers", "bridge pod-links"] {
            #expect(six.contains("table \(table)"), "\(six)")
        }
    }

    private func repair(_ cluster: TestCluster) throws {
        let server = try #require(try cluster.pods("app=httpd").first { $0.nodeName == "k8s-node2" })
        let six = try address(server, .ipv6).authority(port: 80)
        let before = try cluster.pods("app=httpd").map(\.ips)
        cluster.minik("node exec k8s-node1 -- sh -c 'ip link del flannel-v6.1; ip -6 addr flush dev cni0 scope global; nft flush ruleset'")
        #expect(!fetches(cluster, "one", six).isSuccess, "the damage is one")
        let status = cluster.minik("status")
        #expect(status.output.contains("flannel-v6.1") && status.output.contains("ip6 kube-proxy"), "\(status)")
        let mended = fetches(cluster, "one", six)
        #expect(isPage(mended), "\(mended)")
        // A daemon that comes back finds both addresses of each pod.
        Shell.run("kill -9 $(cut -d' ' -f1 /run/minik/dual-stack/daemon.pid); sleep 0.5")
        #expect(Shell.minik("up labs/dual-stack.yaml", seconds: 60).isSuccess)
        #expect(try cluster.pods("app=httpd").map(\.ips) == before)
        #expect(isPage(fetches(cluster, "one", six)))
    }

    @Test("a cluster of IPv6 alone does what one of IPv4 does")
    func onlyIPv6() throws {
        let file = try ClusterFiles.write(
            """
            apiVersion: minik.dev/v1
            kind: Cluster
            metadata: {name: six}
            spec:
              nodeSubnet: fd00:192:168:207::/64
              podSubnet: fd00:10:244::/56
              serviceSubnet: fd00:10:1::/112
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: web, labels: {app: web}}
            spec: {nodeName: k8s-node1, containers: [{name: c, image: "httpd:latest", imagePullPolicy: IfNotPresent, ports: [{containerPort: 80}], readinessProbe: {httpGet: {port: 80}, periodSeconds: 1}}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {type: NodePort, selector: {app: web}, ports: [{port: 8080, targetPort: 80, nodePort: 30080}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: client}
            spec: {nodeName: k8s-node2, containers: [{name: c, image: busybox, command: [sleep, "600"]}]}
            """)
        try TestCluster.with(file, name: "six") { cluster in
            let pod = try #require(try cluster.pods("app=web").first)
            #expect(pod.ips.map(\.family) == [.ipv6])
            let result = fetches(cluster, "client", "web:8080")
            #expect(isPage(result), "\(result)")
            #expect(isPage(host(cluster, "[fd00:192:168:207::82]:30080")))
            let token = "cat /var/run/secrets/kubernetes.io/serviceaccount/ca.crt >/dev/null && env | grep KUBERNETES_PORT="
            #expect(cluster.minik("exec client -- sh -c '\(token)'").output == "KUBERNETES_PORT=tcp://[fd00:10:1::1]:443\n")
            let why = cluster.minik("why client svc/web:8080")
            #expect(why.isSuccess && why.output.contains("the kernel agrees"), "\(why)")
            let config = try ClusterFiles.write(cluster.minik("kubeconfig").output)
            let forward = Shell.run(
                """
                .build/clients/kubectl-1.32 --kubeconfig \(config) port-forward pod/web 18080:80 >/dev/null & pid=$!
                for i in $(seq 50); do curl -s -m 2 http://127.0.0.1:18080 && break; sleep 0.1; done; kill $pid
                """)
            #expect(forward.output == Self.page, "\(forward)")
        }
    }
}
