import Foundation
import Model
import Testing

/// Debian's plugins (containernetworking-plugins), unmodified, on nodes whose network is what their files say.
@Suite("[Serial] a node whose pods CNI plugins connect", .serialized, .printsClusters)
struct CNINodeTests {
    private static func document(_ name: String, _ plugin: String, subnet: Int) -> String {
        """
        apiVersion: minik.dev/v1
        kind: Cluster
        metadata: {name: \(name)}
        spec:
          plugin: \(plugin)
          nodeSubnet: 10.\(subnet).0.0/24
          nodes:
          - {name: master, role: control-plane, address: 10.\(subnet).0.11}
          - {name: worker, address: 10.\(subnet).0.12}
        """
    }

    /// The bridge plugin of the CNI project, with a range of the node's own, and host ports.
    private static func list(_ third: Int) -> String {
        """
        {"cniVersion": "1.0.0", "name": "lab", "plugins": [
          {"type": "bridge", "bridge": "cnio0", "isGateway": true, "hairpinMode": true,
           "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.77.\(third).0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
          {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}]}
        """
    }

    private static func install(_ list: String, on node: String, of cluster: TestCluster) throws {
        let file = try ClusterFiles.write(list)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let put = Shell.run(
            "\(Shell.minik) node exec -c \(cluster.name) \(node) -- sh -c 'mkdir -p /etc/cni/net.d; cat > /etc/cni/net.d/10-lab.conflist' < \(file)"
        )
        try #require(put.isSuccess, "\(put)")
    }

    /// Kubernetes' own client, to the test's cluster.
    private static func kubectl(_ cluster: TestCluster) throws -> String {
        let config = try ClusterFiles.write(cluster.minik("kubeconfig").output)
        return "KUBECONFIG=\(config) .build/clients/kubectl-1.32"
    }

    private static func awaitReady(_ node: String, _ status: String, of cluster: TestCluster) throws -> JSON {
        try Shell.eventually(seconds: 30) {
            let ready = try Shell.json("\(Shell.minik) get node \(node) -c \(cluster.name) -o json")["status"]["conditions"].items
                .first { $0["type"] == "Ready" }
            return ready?["status"].string == status ? ready : nil
        }
    }

    @Test("without a network a node is NotReady and says why, its pods wait; with one, pods are what the plugins made them")
    func plugins() throws {
        try #require(Shell.run("test -x /usr/lib/cni/bridge").isSuccess, "Debian's containernetworking-plugins is not installed")
        let file = try ClusterFiles.write(Self.document("cniplain", "cni", subnet: 187))
        try TestCluster.with(file, name: "cniplain") { cluster in
            let kubectl = try Self.kubectl(cluster)
            let waiting = try Self.awaitReady("worker", "False", of: cluster)
            #expect(waiting["reason"] == "KubeletNotReady")
            #expect(
                waiting["message"].string == "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
                    + "message:Network plugin returns error: cni plugin not initialized")
            #expect(Shell.run("\(kubectl) get node worker --no-headers").output.contains("NotReady"))
            let pods = try ClusterFiles.write(
                ClusterFiles.page("one", on: "worker", hostPort: 8088) + "\n" + ClusterFiles.page("two", on: "worker"))
            try #require(Shell.run("\(kubectl) apply -f \(pods)").isSuccess)
            _ = try Shell.eventually(seconds: 15) {
                let events = Shell.run("\(kubectl) get events --field-selector involvedObject.name=one,reason=NetworkNotReady").output
                return events.contains("network is not ready: container runtime network not ready") ? true : nil
            }
            #expect(Shell.run("\(kubectl) get pod one --no-headers").output.contains("ContainerCreating"))
            for (node, third) in [("master", 1), ("worker", 2)] { try Self.install(Self.list(third), on: node, of: cluster) }
            _ = try Self.awaitReady("worker", "True", of: cluster)
            let ready = Shell.run("\(kubectl) wait --for=condition=Ready pod/one pod/two --timeout=30s", seconds: 40)
            #expect(ready.isSuccess, "\(ready)")
            try Self.look(cluster)
            try Self.remove(cluster)
        }
    }

    /// What the kernel and the node's files say while two pods stand.
    private static func look(_ cluster: TestCluster) throws {
        let kubectl = try Self.kubectl(cluster)
        func address(_ pod: String) -> String { Shell.run("\(kubectl) get pod \(pod) -o jsonpath={.status.podIP}").output }
        let one = address("one"), two = address("two")
        #expect(one.hasPrefix("10.77.2.") && two.hasPrefix("10.77.2.") && one != two, "\(one) \(two)")
        let inside = try Shell.json("ip netns exec cniplain_default_one ip -j address show dev eth0")
        #expect(inside.items.first?["addr_info"].items.contains { $0["local"].string == one && $0["prefixlen"] == 24 } == true, "\(inside)")
        let ports = Shell.run("\(Shell.minik) node exec -c cniplain worker -- bridge -j link").output
        #expect(try JSON(parsing: ports).items.filter { $0["master"] == "cnio0" }.count >= 2, "\(ports)")
        let leases = Shell.run("\(Shell.minik) node exec -c cniplain worker -- ls /var/lib/cni/networks/lab").output
        #expect(leases.contains(one) && leases.contains(two))
        // One node, the other node once a route says where, a Service, a host port.
        #expect(Shell.run("\(kubectl) exec two -- timeout 5 wget -qO- http://\(one)").output == "one\n")
        let other = try ClusterFiles.write(ClusterFiles.page("far", on: "master"))
        try #require(Shell.run("\(kubectl) apply -f \(other)").isSuccess)
        try #require(Shell.run("\(kubectl) wait --for=condition=Ready pod/far --timeout=30s", seconds: 40).isSuccess)
        #expect(!Shell.run("\(kubectl) exec far -- timeout 2 wget -qO- http://\(one)").isSuccess, "no plugin has told of the other node")
        for (node, net, via) in [("master", "10.77.2.0/24", "10.187.0.12"), ("worker", "10.77.1.0/24", "10.187.0.11")] {
            #expect(Shell.run("\(Shell.minik) node exec -c cniplain \(node) -- ip route add \(net) via \(via)").isSuccess)
        }
        #expect(Shell.run("\(kubectl) exec far -- timeout 5 wget -qO- http://\(one)").output == "one\n")
        #expect(Shell.run("\(kubectl) expose pod one --port=80").isSuccess)
        let service = try Shell.eventually(seconds: 10) { () -> String? in
            let ip = Shell.run("\(kubectl) get service one -o jsonpath={.spec.clusterIP}").output
            let page = Shell.run("\(kubectl) exec far -- timeout 2 wget -qO- http://\(ip)").output
            return page.isEmpty ? nil : page
        }
        #expect(service == "one\n")
        let port = Shell.run("\(Shell.minik) node exec -c cniplain master -- curl -s -m 5 http://10.187.0.12:8088")
        #expect(port.output == "one\n", "\(port)")
    }

    /// The daemon killed and back; a plugin that refuses; pods that go.
    private static func remove(_ cluster: TestCluster) throws {
        let kubectl = try Self.kubectl(cluster)
        let before = Shell.run("\(kubectl) get pods -o jsonpath='{.items[*].status.podIP}'").output
        Shell.run("kill -9 $(cut -d' ' -f1 /run/minik/cniplain/daemon.pid)")
        #expect(cluster.minik("up -c cniplain", seconds: 60).isSuccess)
        #expect(Shell.run("\(kubectl) get pods -o jsonpath='{.items[*].status.podIP}'").output == before)
        let gone = ["one", "two"].flatMap { pod -> [String] in
            let uid = Shell.run("\(kubectl) get pod \(pod) -o jsonpath={.metadata.uid}").output
            return [
                Shell.run("\(kubectl) get pod \(pod) -o jsonpath={.status.podIP}").output,
                String(Shell.run("printf \(uid) | sha256sum").output.prefix(64)),
            ]
        }
        #expect(Shell.run("\(kubectl) delete pod one two --wait", seconds: 60).isSuccess)
        let left = try Shell.eventually(seconds: 20) { () -> String? in
            let left = Shell.run(
                "\(Shell.minik) node exec -c cniplain worker -- sh -c 'ls /var/lib/cni/networks/lab /var/lib/cni/results'"
            ).output
            return gone.contains { left.contains("\($0)\n") || left.contains("\($0)-eth0") } ? nil : left
        }
        #expect(left.contains("last_reserved_ip"), "host-local keeps what it gave last: \(left)")
        #expect(!Shell.run("\(Shell.minik) node exec -c cniplain master -- curl -s -m 2 http://10.187.0.12:8088").isSuccess)
        try Self.install(Self.list(2).replacing("\"bridge\": \"cnio0\"", with: "\"bridge\": \"eth0\""), on: "worker", of: cluster)
        let pod = try ClusterFiles.write(ClusterFiles.page("refused", on: "worker"))
        try #require(Shell.run("\(kubectl) apply -f \(pod)").isSuccess)
        let event = try Shell.eventually(seconds: 20) { () -> String? in
            let events = Shell.run(
                "\(kubectl) get events --field-selector involvedObject.name=refused,reason=FailedCreatePodSandBox -o jsonpath='{.items[*].message}'"
            )
            return events.output.isEmpty ? nil : events.output
        }
        #expect(event.contains("plugin type=\"bridge\" name=\"lab\" failed (add):") && event.contains("not a bridge"), "\(event)")
        #expect(
            event.hasPrefix("Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox \""),
            "\(event)")
    }

    @Test("with plugin none `up` ends though no node is Ready, and a network put there later makes all of it whole")
    func none() throws {
        let file = try ClusterFiles.write(Self.document("cninone", "none", subnet: 188))
        try TestCluster.with(file, name: "cninone") { cluster in
            let kubectl = try Self.kubectl(cluster)
            _ = try Self.awaitReady("master", "False", of: cluster)
            let taints = Shell.run("\(kubectl) get node worker -o jsonpath='{.spec.taints[*].key}'").output
            #expect(taints.contains("node.kubernetes.io/not-ready"), "\(taints)")
            let dns = Shell.run("\(kubectl) -n kube-system get pods --no-headers").output
            #expect(dns.contains("Pending"), "\(dns)")
            #expect(
                Shell.run("\(Shell.minik) node exec -c cninone worker -- ls -A /etc/cni/net.d /var/lib/cni").output
                    == "/etc/cni/net.d:\n\n/var/lib/cni:\n")
            for (node, third) in [("master", 1), ("worker", 2)] { try Self.install(Self.list(third), on: node, of: cluster) }
            let up = Shell.run("\(kubectl) -n kube-system wait --for=condition=Available deployment/coredns --timeout=60s", seconds: 70)
            #expect(up.isSuccess, "\(up)")
        }
    }
}
