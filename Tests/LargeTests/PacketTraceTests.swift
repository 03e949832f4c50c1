import Foundation
import Model
import Testing

@Suite("[Serial] a packet's way is told as the machines on it saw it", .serialized, .printsClusters)
struct PacketTraceTests {
    static func lab(_ name: String, subnet: Int) -> String {
        func pod(_ name: String, on node: String, labels: String) -> String {
            """

            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: \(name), labels: {\(labels)}}
            spec:
              nodeName: \(node)
              terminationGracePeriodSeconds: 0
              containers: [{name: c, image: busybox, command: [nc, -ll, -p, "7000", -e, cat], ports: [{containerPort: 7000}]}]
            """
        }
        return ClusterFiles.cluster(name, subnet: subnet, more: "  plugin: flannel-netpol")
            + pod("echo", on: "worker", labels: "app: echo") + pod("amy", on: "master", labels: "friend: \"true\"")
            + pod("shut-1", on: "worker", labels: "shut: \"true\"") + pod("shut-2", on: "worker", labels: "shut: \"true\"")
            + pod("bob", on: "worker", labels: "stranger: \"true\"")
                + """

                ---
                apiVersion: v1
                kind: Service
                metadata: {name: echo-svc}
                spec: {type: NodePort, selector: {app: echo}, ports: [{port: 70, targetPort: 7000, nodePort: 30711}]}
                ---
                apiVersion: v1
                kind: Service
                metadata: {name: friends}
                spec: {type: NodePort, selector: {friend: "true"}, ports: [{port: 70, targetPort: 7000, nodePort: 30712}]}
                ---
                apiVersion: v1
                kind: Service
                metadata: {name: strangers}
                spec: {selector: {shut: "true"}, ports: [{port: 70, targetPort: 7000}]}
                ---
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: no-strangers}
                spec: {podSelector: {matchLabels: {shut: "true"}}, policyTypes: [Ingress]}
                ---
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: only-friends}
                spec:
                  podSelector: {matchLabels: {app: echo}}
                  ingress: [{from: [{podSelector: {matchLabels: {friend: "true"}}}], ports: [{port: 7000}]}]
                """
    }

    @Test(
        "to a Service on another node: the name, the endpoint, the policy, the tunnel, each interface, and the answer; nothing stays behind"
    )
    func story() throws {
        try TestCluster.with(try ClusterFiles.write(Self.lab("told", subnet: 243)), name: "told") { cluster in
            let ways = try answered(cluster)
            try agreesWithTheMachines(cluster, ways)
            try refusals(cluster)
            let left = Shell.run("for n in master worker; do nsenter --net=/run/netns/told_$n nft list tables; done").output
            #expect(!left.contains("minik-trace"), "\(left)")
        }
    }

    private func answered(_ cluster: TestCluster) throws -> [JSON] {
        let first = try Shell.eventually { () -> JSON? in
            let said = try JSON(parsing: cluster.minik("trace amy echo-svc:70 -o json").output)
            return said["verdict"].string == "answered" ? said : nil
        }
        let steps = first["steps"].items
        let name = try #require(steps.first { $0["step"].string == "name" })
        #expect(name["name"]["name"].string == "echo-svc.default.svc.cluster.local" && name["name"]["addresses"].items.count == 1)
        let rules = steps.filter { $0["step"].string == "rule" }
        #expect(rules.contains { $0["rule"]["table"].string == "kube-proxy" && $0["rule"]["reason"].string == "default/echo-svc" })
        #expect(
            rules.contains {
                $0["rule"]["reason"].string?.contains("default/only-friends ingress[0]") == true && $0["place"].string == "worker"
            })
        #expect(steps.contains { $0["policy"]["allowedBy"].string == "default/only-friends ingress[0]" })
        let frames = steps.filter { $0["step"].string == "frame" }
        let there = frames.filter { $0["leg"].string == "there" }, back = frames.filter { $0["leg"].string == "back" }
        let places = there.reduce(into: [String]()) { if $0.last != $1["place"].string { $0.append($1["place"].string ?? "") } }
        #expect(places == ["default/amy", "master", "the nodes' LAN", "worker", "default/echo"], "\(places)")
        #expect(back.last?["place"].string == "default/amy" && back.first?["place"].string == "default/echo")
        #expect(there.first?["frame"]["ttl"].int == 64 && there.last?["frame"]["ttl"].int == 62)
        let times = frames.compactMap { $0["nanoseconds"].int }
        #expect(times.count == frames.count && times == times.sorted() && (times.last ?? 0) > 0)
        return steps
    }

    /// What strangers' tools say of the same machines.
    private func agreesWithTheMachines(_ cluster: TestCluster, _ steps: [JSON]) throws {
        let frames = steps.filter { $0["step"].string == "frame" && $0["leg"].string == "there" }
        let tunnel = try #require(frames.first { !$0["frame"]["tunnel"].isNull })
        #expect(tunnel["frame"]["tunnel"]["vni"].int == 1 && tunnel["frame"]["tunnel"]["port"].int == 8472)
        #expect(tunnel["frame"]["tunnel"]["destination"].string == "192.168.243.11")
        let inside = Shell.run("nsenter --net=/run/netns/told_default_amy ip -j link show eth0").output
        let mac = try JSON(parsing: inside)[0]["address"].string
        #expect(frames.first?["frame"]["sourceMAC"].string == mac)
        let echo = try cluster.pod("echo")["status"]["podIP"].string ?? ""
        #expect(frames.last?["frame"]["destination"].string == echo)
        let route = try JSON(parsing: Shell.run("nsenter --net=/run/netns/told_master ip -j route get \(echo) fibmatch").output)[0]
        let told = steps.first { $0["step"].string == "route" && $0["place"].string == "master" }?["route"].string ?? ""
        #expect(told.contains(route["dst"].string ?? "?") && told.contains("dev flannel.1"), "\(told)")
        let tracked = steps.first { $0["step"].string == "connection" && $0["place"].string == "master" }?["connection"]["reply"].string
        #expect(tracked?.hasPrefix("\(echo):7000 > ") == true, "\(tracked ?? "")")
        let drawn = cluster.minik("trace amy echo-svc -o mermaid")
        #expect(drawn.isSuccess && drawn.output.hasPrefix("sequenceDiagram\n  participant p0 as default/amy\n"), "\(drawn)")
        #expect(drawn.output.contains("p0->>p1: ") && drawn.output.contains("-->>p0: "), "\(drawn)")
    }

    private func refusals(_ cluster: TestCluster) throws {
        let denied = cluster.minik("trace bob echo-svc")
        #expect(denied.status == 1 && denied.output.hasPrefix("DROPPED  default/bob"), "\(denied)")
        #expect(denied.output.contains("isolated for ingress by default/only-friends"), "\(denied)")
        #expect(denied.output.contains("denied: no rule of default/only-friends allows it"), "\(denied)")
        // Of two endpoints, both shut, on the node that the packet comes into, the kernel's choice is told.
        let whose = cluster.minik("trace bob strangers:70")
        #expect(
            whose.output.contains("default/strangers: ") && whose.output.contains("ingress: denied: no rule of default/no-strangers"),
            "\(whose)")
        let own = cluster.minik("trace node/master svc/friends:70")
        #expect(own.isSuccess && own.output.contains("connection: ") && own.output.contains(":70 > "), "\(own)")
        let closed = cluster.minik("trace bob amy:7001")
        #expect(closed.output.contains("connection: "), "a reset has ended it: \(closed)")
        #expect(closed.isSuccess && closed.output.hasPrefix("REFUSED") && closed.output.contains("TCP RST"), "\(closed)")
        let ping = cluster.minik("trace echo amy:icmp")
        #expect(ping.isSuccess && ping.output.hasPrefix("ANSWERED") && ping.output.contains("ICMP echo reply"), "\(ping)")
        // A node's port leads, with the node's own address, to the pod that the policy shuts.
        let outside = cluster.minik("trace host 192.168.243.10:30711")
        #expect(outside.status == 1 && outside.output.contains("snat to 192.168.243.10"), "\(outside)")
        // A fault that no rule is: the tunnel's entry is gone.
        let worker = Shell.run("nsenter --net=/run/netns/told_master bridge -j fdb show dev flannel.1").output
        let mac = try JSON(parsing: worker)[0]["mac"].string ?? ""
        #expect(Shell.run("nsenter --net=/run/netns/told_master bridge fdb del \(mac) dev flannel.1 dst 192.168.243.11").isSuccess)
        let lost = cluster.minik("trace amy echo:7000 --wait 0.3")
        #expect(lost.status == 1 && lost.output.contains("LOST"), "\(lost)")
        #expect(lost.output.contains("the packet was last seen leaving master by flannel.1"), "\(lost)")
        for (question, words) in [
            ("amy echo", "TCP"), ("amy nobody:80", "there is no pod, Service or node"), ("amy echo:7000 -o dot", "allowed formats are"),
        ] {
            let said = cluster.minik("trace \(question) --wait 0.2")
            #expect((said.output + said.errors).contains(words), "\(said)")
        }
    }
}
