import Foundation
import Model
import Testing

@Suite("[Serial] a Service of type LoadBalancer", .serialized, .printsClusters)
struct LoadBalancerTests {
    /// Two workers with a pod each, which says who it is and who asks.
    private static let file = """
        apiVersion: minik.dev/v1
        kind: Cluster
        metadata: {name: balanced}
        spec:
          nodeSubnet: 192.168.233.0/24
          loadBalancerPool: 192.168.233.240/29
          nodes:
          - {name: master, role: control-plane, address: 192.168.233.10}
          - {name: worker1, address: 192.168.233.11, labels: {topology.kubernetes.io/zone: a}}
          - {name: worker2, address: 192.168.233.12, labels: {topology.kubernetes.io/zone: b}}
        \(["worker1", "worker2"].map(pod).joined())
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: who}
        spec:
          type: LoadBalancer
          selector: {app: who}
          ports: [{port: 80, targetPort: 7000}]
        """

    private static func pod(_ node: String) -> String {
        """

        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: on-\(node), labels: {app: who}}
        spec:
          nodeName: \(node)
          containers:
          - name: who
            image: busybox
            command:
            - sh
            - -c
            - mkdir -p /www/cgi-bin; printf '#!/bin/sh\\necho; echo "$(hostname) $REMOTE_ADDR"\\n' > /www/cgi-bin/who; chmod +x /www/cgi-bin/who; exec httpd -f -p 7000 -h /www
            readinessProbe: {tcpSocket: {port: 7000}, periodSeconds: 1}
        """
    }

    /// kubectl, as the cluster's user.
    private static func kubectl(_ arguments: String) -> CommandResult {
        Shell.run("KUBECONFIG=$(mktemp) && export KUBECONFIG && \(Shell.minik) kubeconfig balanced > $KUBECONFIG && kubectl \(arguments)")
    }

    /// The node that has the address on its eth0.
    private static func holder(_ address: String) throws -> [String] {
        try ["master", "worker1", "worker2"].filter { node in
            let links = try Shell.json("nsenter --net=/run/netns/balanced_\(node) ip -j addr show dev eth0")
            return links[0]["addr_info"].items.contains { $0["local"].string == address && $0["prefixlen"].int == 32 }
        }
    }

    /// What a client on this machine hears.
    private static func ask(_ address: String) -> String {
        // An IPv4 client of a server that listens on IPv6 has its address written so.
        Shell.run("curl -s -m 2 http://\(address)/cgi-bin/who").output.trimmingCharacters(in: .whitespacesAndNewlines)
            .replacingOccurrences(of: "[::ffff:", with: "").replacingOccurrences(of: "]", with: "")
    }

    @Test("is answered at an address of the nodes' LAN, from one node after the other, and as its fields say")
    func life() throws {
        try TestCluster.with(try ClusterFiles.write(Self.file), name: "balanced") { cluster in
            let address = try Shell.eventually(seconds: 30) {
                let found = Self.kubectl(
                    "get service who -o jsonpath={.status.loadBalancer.ingress[0].ip}/{.status.loadBalancer.ingress[0].ipMode}"
                ).output
                return found.hasSuffix("/VIP") ? String(found.dropLast(4)) : nil
            }
            #expect(address == "192.168.233.240")
            try answers(cluster, address)
            try local(cluster, address)
            try moves(cluster, address)
            try sourceRanges(address)
            try outlivesDaemon(address)
            #expect(Self.kubectl("delete service who --timeout=10s").isSuccess)
            #expect(try Self.holder(address).isEmpty)
        }
    }

    private func answers(_ cluster: TestCluster, _ address: String) throws {
        let both = try Shell.eventually(seconds: 30) {
            let heard = Set((0..<12).map { _ in Self.ask(address).split(separator: " ").first.map(String.init) ?? "" })
            return heard == ["on-worker1", "on-worker2"] ? heard : nil
        }
        #expect(both.count == 2)
        let inPod = cluster.minik("exec on-worker1 -- wget -q -O - http://\(address)/cgi-bin/who")
        #expect(inPod.output.hasPrefix("on-worker"), "\(inPod)")
        for node in ["master", "worker1", "worker2"] {
            let inNode = Shell.run("nsenter --net=/run/netns/balanced_\(node) curl -s -m 3 http://\(address)/cgi-bin/who")
            #expect(inNode.output.hasPrefix("on-worker"), "\(inNode)")
        }
        #expect(try Self.holder(address).count == 1)
        let why = cluster.minik("why host svc/who")
        #expect(why.isSuccess && why.output.contains("load balancer of Service default/who (\(address))"), "\(why)")
        #expect(why.output.contains("the kernel agrees"), "\(why)")
        let zones = Self.kubectl("get endpointslices -l kubernetes.io/service-name=who -o jsonpath={.items[*].endpoints[*].zone}")
        #expect(Set(zones.output.split(separator: " ")) == ["a", "b"], "\(zones)")
        let described = Self.kubectl("describe service who")
        for word in ["\(address) (VIP)", "EnsuredLoadBalancer", "nodeAssigned"] {
            #expect(described.output.contains(word), "\(described)")
        }
    }

    /// externalTrafficPolicy Local: the client's own address, the node's own pod, and a health check that tells which node that is.
    private func local(_ cluster: TestCluster, _ address: String) throws {
        let patched = Self.kubectl(#"patch service who -p '{"spec":{"externalTrafficPolicy":"Local"}}'"#)
        #expect(patched.isSuccess, "\(patched)")
        let node = try #require(try Self.holder(address).first)
        let heard = try Shell.eventually(seconds: 10) {
            let heard = Self.ask(address)
            return heard.hasSuffix("192.168.233.1") ? heard : nil
        }
        #expect(heard == "on-\(node) 192.168.233.1")
        let port = Self.kubectl("get service who -o jsonpath={.spec.healthCheckNodePort}").output
        func check(_ host: String) -> String { Shell.run("curl -s -i -m 3 http://192.168.233.\(host):\(port)/").output }
        let ready = try Shell.eventually(seconds: 10) { check("11").contains("200 OK") ? check("11") : nil }
        for word in ["Content-Type: application/json", "X-Content-Type-Options: nosniff", "X-Load-Balancing-Endpoint-Weight: 1"] {
            #expect(ready.lowercased().contains(word.lowercased()), "\(ready)")
        }
        #expect(
            ready.hasSuffix(
                "{\n\t\"service\": {\n\t\t\"namespace\": \"default\",\n\t\t\"name\": \"who\"\n\t},\n\t\"localEndpoints\": 1,\n\t\"serviceProxyHealthy\": true\n}"
            ),
            "\(ready)")
        #expect(check("10").contains("503 Service Unavailable") && check("10").contains("\"localEndpoints\": 0"), "\(check("10"))")
        // The pod goes, and the address goes to the other.
        #expect(Self.kubectl("delete pod on-\(node) --now").isSuccess)
        let other = node == "worker1" ? "worker2" : "worker1"
        _ = try Shell.eventually(seconds: 20) { Self.ask(address) == "on-\(other) 192.168.233.1" ? true : nil }
        #expect(try Self.holder(address) == [other])
        #expect(Self.kubectl(#"patch service who -p '{"spec":{"externalTrafficPolicy":"Cluster"}}'"#).isSuccess)
    }

    private func moves(_ cluster: TestCluster, _ address: String) throws {
        let first = try #require(try Self.holder(address).first)
        #expect(Self.kubectl("label node \(first) node.kubernetes.io/exclude-from-external-load-balancers=").isSuccess)
        let second = try Shell.eventually(seconds: 10) { try Self.holder(address).first { $0 != first } }
        #expect(Self.ask(address).hasPrefix("on-worker"), "the client knows the new node at once")
        // What somebody takes off is put back.
        #expect(Shell.run("nsenter --net=/run/netns/balanced_\(second) ip addr del \(address)/32 dev eth0").isSuccess)
        let status = Shell.minik("status balanced")
        #expect(status.output.contains("address \(address)/32 on eth0"), "\(status)")
        #expect(try Self.holder(address) == [second] && Self.ask(address).hasPrefix("on-worker"))
        #expect(Self.kubectl("label node \(first) node.kubernetes.io/exclude-from-external-load-balancers-").isSuccess)
        #expect(Self.kubectl("delete node \(second)").isSuccess)
        _ = try Shell.eventually(seconds: 20) { try Self.holder(address) == [first] ? true : nil }
        _ = try Shell.eventually(seconds: 20) { Self.ask(address).hasPrefix("on-worker") ? true : nil }
    }

    private func sourceRanges(_ address: String) throws {
        func allow(_ ranges: String) {
            #expect(Self.kubectl("patch service who -p '{\"spec\":{\"loadBalancerSourceRanges\":\(ranges)}}'").isSuccess)
        }
        allow(#"["203.0.113.0/24"]"#)
        _ = try Shell.eventually(seconds: 10) { Self.ask(address).isEmpty ? true : nil }
        allow(#"["203.0.113.0/24","192.168.233.1/32"]"#)
        _ = try Shell.eventually(seconds: 10) { Self.ask(address).isEmpty ? nil : true }
        let refused = Self.kubectl(#"patch service who -p '{"spec":{"loadBalancerSourceRanges":["10.0.0.0/33"]}}'"#)
        #expect(refused.errors.contains("must be a valid CIDR value"), "\(refused)")
    }

    private func outlivesDaemon(_ address: String) throws {
        let damage = Shell.run(
            """
            pid=$(cut -d' ' -f1 /run/minik/balanced/daemon.pid); kill -9 $pid
            while kill -0 $pid 2>/dev/null && ! grep -q '^State:.Z' /proc/$pid/status; do sleep 0.05; done
            """)
        #expect(damage.isSuccess && Self.ask(address).hasPrefix("on-worker"))
        #expect(Shell.minik("up --cluster balanced").isSuccess)
        #expect(Self.kubectl("get service who -o jsonpath={.status.loadBalancer.ingress[0].ip}").output == address)
        #expect(Self.ask(address).hasPrefix("on-worker"))
    }
}
