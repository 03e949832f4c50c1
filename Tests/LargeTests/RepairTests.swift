import Foundation
import Glibc
import Host
import Model
import Runtime
import Testing

@Suite("[Serial] a node that somebody damaged is whole again", .serialized, .printsClusters)
struct RepairTests {
    private static let lab =
        ClusterFiles.echo + """

            ---
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {name: shut}
            spec: {podSelector: {matchLabels: {app: shut}}, policyTypes: [Ingress]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: shut, labels: {app: shut}}
            spec:
              containers:
              - {name: shut, image: busybox, command: [nc, -ll, -p, "7000", -e, cat]}
            """

    private func hears(_ subnet: Int) -> Bool {
        let said = Shell.run(
            "exec 3<>/dev/tcp/192.168.\(subnet).11/30700; echo one >&3; read -r -t 3 heard <&3 && echo \"heard $heard\"", seconds: 6)
        return said.output == "heard one\n"
    }

    /// Whether a pod gets through to the one that nobody may reach.
    private func passesPolicy(_ cluster: TestCluster) throws -> Bool {
        let address = try #require(try cluster.pods("app=shut").first?.ip)
        return cluster.minik("exec echo -- sh -c 'echo through | timeout 2 nc \(address) 7000'", seconds: 10).output.contains("through")
    }

    @Test("tables, links, routes and settings that were taken: within thirty seconds by itself, and at once when `up` or `status` look")
    func flushed() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("repair", subnet: 217) + "\n" + Self.lab)
        try TestCluster.with(file, name: "repair") { cluster in
            #expect(hears(217))
            #expect(try !passesPolicy(cluster))
            let events = "\(Shell.minik) get events --cluster repair -o json"
            func told(_ word: String) throws -> Bool {
                try Shell.json(events)["items"].items.contains {
                    $0["reason"].string == "NetworkRepaired" && $0["message"].string?.contains(word) == true
                }
            }
            for damage in [
                "nft flush ruleset",
                "sh -c 'ip link set cni0 down; ip link del flannel.1; ip route del default; sysctl -qw net.ipv4.ip_forward=0'",
            ] {
                cluster.minik("node exec worker -- \(damage)")
                #expect(!hears(217), "the damage is one")
                let status = cluster.minik("status")
                #expect(status.isSuccess && status.output.contains("repaired worker: "), "\(status)")
                #expect(hears(217))
                #expect(try !passesPolicy(cluster))
            }
            #expect(try told("table ip kube-netpol was missing") && told("link flannel.1"))
            cluster.minik("node exec worker -- nft flush ruleset")
            let up = Shell.minik("up \(file)", seconds: 60)
            #expect(up.isSuccess && up.errors.contains("repaired node worker: table ip kube-proxy was missing"), "\(up)")
            #expect(hears(217))
            cluster.minik(
                "node exec worker -- sh -c 'nft flush ruleset; for v in $(ip -o link show type veth | grep -o \"veth[0-9a-f]*\"); do ip link set $v nomaster; done'"
            )
            #expect(!hears(217), "the damage is one")
            _ = try Shell.eventually(seconds: 32) { hears(217) ? true : nil }
            #expect(try !passesPolicy(cluster))
        }
    }

    @Test("a node whose init was killed: while the daemon runs, and while it does not; its namespace's name gone")
    func nodeDies() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("rebuild", subnet: 218) + "\n" + Self.lab)
        try TestCluster.with(file, name: "rebuild") { cluster in
            let run = "/run/minik/rebuild"
            func kill(_ files: String...) { for file in files { Shell.run("kill -9 $(cut -d' ' -f1 \(run)/\(file))") } }
            for round in 1...2 {
                if round == 1 { kill("nodes/worker.pid") } else { kill("daemon.pid", "nodes/worker.pid", "nodes/master.pid") }
                Thread.sleep(forTimeInterval: 0.5)
                if round == 2 { #expect(Shell.minik("up \(file)", seconds: 60).isSuccess) }
                _ = try Shell.eventually(seconds: 30) {
                    let pods = try cluster.pods("app")
                    return pods.count == 2
                        && pods.allSatisfy { $0.isReady && $0.status["containerStatuses"][0]["restartCount"].int ?? 0 >= 1 } ? true : nil
                }
                // Ready is one thing, and that every node's tables know it another.
                _ = try Shell.eventually(seconds: 30) { hears(218) ? true : nil }
                #expect(try !passesPolicy(cluster))
            }
            kill("daemon.pid")
            Shell.run("umount /run/netns/rebuild_worker; rm /run/netns/rebuild_worker")
            cluster.minik("node exec worker -- ip link set flannel.1 down")
            let up = Shell.minik("up \(file)", seconds: 60)
            #expect(up.isSuccess && up.errors.contains("link flannel.1"), "\(up)")
            #expect(hears(218))
        }
    }

    @Test("a Node that was deleted is registered again by `up`; the API's Service is there again within seconds")
    func nodeDeleted() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("again", subnet: 219))
        try TestCluster.with(file, name: "again") { cluster in
            #expect(cluster.minik("delete service kubernetes").isSuccess)
            _ = try Shell.eventually(seconds: 15) { cluster.minik("get service kubernetes").output.contains("443/TCP") ? true : nil }
            #expect(cluster.minik("delete node worker").isSuccess)
            #expect(Shell.minik("up \(file)", seconds: 60).isSuccess)
            let node = try Shell.json("\(Shell.minik) get node worker --cluster again -o json")
            #expect(node["status"]["conditions"].condition("Ready") == "True")
        }
    }

    @Test("a machine that started anew, which leaves a cluster's state and nothing else: `up` brings it back")
    func machineStartsAnew() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("anew", subnet: 221) + "\n" + Self.lab)
        let paths = ClusterPaths(cluster: "anew")
        try TestCluster.with(file, name: "anew") { cluster in
            #expect(hears(221))
            for process in ClusterProcess.all(paths).sorted(by: { one, _ in one.role == .daemon }) {
                process.identity.signal(SIGKILL)
                _ = process.identity.awaitEnd(milliseconds: 5000)
            }
            Shell.run("cd /run/netns && for n in \(paths.netnsPrefix)*; do umount $n; rm -f $n; done; rm -rf \(paths.run)")
            // A name of another cluster's stays where it is, and the mount, when it is somebody else's.
            let isOurs = "[ -e \(ClusterPaths.stateRoot)/netns-mounted ]"
            Shell.run("[ -n \"$(ls /run/netns)\" ] || ! \(isOurs) || { umount /run/netns; rmdir /run/netns; }")
            Shell.run("ip link del \(paths.hostLink)")
            let up = Shell.minik("up -c anew", seconds: 60)
            #expect(up.isSuccess, "\(up)")
            _ = try Shell.eventually(seconds: 30) { hears(221) ? true : nil }
            #expect(try !passesPolicy(cluster))
            #expect(try cluster.pods("app").allSatisfy { $0.status["containerStatuses"][0]["restartCount"].int ?? 0 >= 1 })
        }
    }
}
