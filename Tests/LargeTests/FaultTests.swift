import Foundation
import Model
import Testing

@Suite("[Serial] faults", .serialized, .printsClusters)
struct FaultTests {
    private static let subnet = 245

    /// All that a fault may touch, as ordinary tools tell it.
    private func state() -> String {
        let namespaces = ["faults_master", "faults_worker", "faults__lan", "faults_default_west"]
        let looks = [
            "ip -o address show | grep -v inet6 | sed 's/valid_lft.*//'", "ip -o link show | sed 's/ qlen.*//'",
            "ip route show table main", "ip neighbour show nud permanent", "bridge fdb show dev flannel.1 2>/dev/null | sort",
            "sysctl -n net.bridge.bridge-nf-call-iptables 2>/dev/null", "nft list tables | sort",
        ]
        let files = "cat /run/flannel/subnet.env; ls /var/lib/cni/networks/cbr0; ls /var/lib/minik/faults 2>/dev/null; true"
        return
            (namespaces.flatMap { name in looks.map { "ip netns exec \(name) sh -c '\($0)'" } }
            + ["\(Shell.minik) node exec --cluster faults worker -- sh -c '\(files)'"])
            .map { "\($0)\n\(Shell.run($0).output)" }.joined()
    }

    @Test("each is seen where it is, outlives a look at the node, and is cleared whole; what cannot be is refused and leaves nothing")
    func all() throws {
        let pods = ClusterFiles.page("west", on: "worker") + "\n" + ClusterFiles.page("east", on: "master")
        let file = try ClusterFiles.write(ClusterFiles.cluster("faults", subnet: Self.subnet) + "\n" + pods)
        try TestCluster.with(file, name: "faults") { cluster in
            let names = try Shell.json("\(Shell.minik) fault list --cluster faults -o json").items.compactMap { $0["name"].string }
            #expect(names.count >= 12)
            let before = state()
            for name in names {
                let injected = cluster.minik("fault inject \(name)")
                #expect(injected.isSuccess, "\(injected)")
                let during = state()
                #expect(during != before, "\(name) is seen")
                #expect(cluster.minik("status").output.contains("fault    \(name) on "), "\(name)")
                #expect(state() == during, "\(name): nobody has mended it")
                let cleared = cluster.minik("fault clear \(name)")
                #expect(cleared.isSuccess, "\(cleared)")
                let after = state()
                #expect(after == before, "\(name) is gone: \(difference(before, after))")
            }
            try kept(cluster, file, before)
            try refused(cluster, before)
        }
    }

    /// Faults outlive the daemon, and go one after the other; whoever heals a link frees its node of the fault.
    private func kept(_ cluster: TestCluster, _ file: String, _ before: String) throws {
        for name in ["bridge-range", "wrong-vtep", "tunnel-port"] { #expect(cluster.minik("fault inject \(name)").isSuccess) }
        let alike = cluster.minik("fault inject bridge-address")
        #expect(alike.status == 1 && alike.errors.contains("which is about cni0's addresses"), "\(alike)")
        let during = state()
        Shell.run("kill -9 $(cut -d' ' -f1 /run/minik/faults/daemon.pid)")
        let up = Shell.minik("up \(file)", seconds: 60)
        #expect(up.isSuccess && !up.errors.contains("repaired"), "\(up)")
        #expect(state() == during, "a daemon that starts mends nothing: \(difference(during, state()))")
        #expect(
            cluster.minik("fault clear --all").output
                == "worker: free of tunnel-port\nworker: free of wrong-vtep\nworker: free of bridge-range\n")
        #expect(state() == before, "\(difference(before, state()))")
        #expect(cluster.minik("fault inject partition").isSuccess && cluster.minik("map --text").output.contains("Ready, cut off"))
        #expect(cluster.minik("link heal worker").isSuccess)
        #expect(cluster.minik("fault clear --all").output == "no node has a fault\n")
    }

    private func refused(_ cluster: TestCluster, _ before: String) throws {
        // Somebody's own table has the name.
        #expect(cluster.minik("node exec worker -- nft add table inet firewall").isSuccess)
        let taken = cluster.minik("fault inject tunnel-port")
        #expect(taken.status == 1 && taken.errors.contains("inject the fault \"tunnel-port\" on node worker: "), "\(taken)")
        #expect(cluster.minik("node exec worker -- nft list table inet firewall").isSuccess, "it is somebody's still")
        #expect(cluster.minik("node exec worker -- nft delete table inet firewall").isSuccess)
        #expect(state() == before)
        for (words, complaint) in [
            ("inject nosuch", "there is no fault \"nosuch\""), ("inject tunnel-port --node nosuch", "there is no node \"nosuch\""),
            ("inject one-vtep --node worker", "is one of all nodes together"), ("clear tunnel-port", "no node has the fault"),
        ] {
            let result = cluster.minik("fault \(words)")
            #expect(result.status == 1 && result.errors.contains(complaint), "\(result)")
        }
        #expect(cluster.minik("fault inject wrong-vtep").isSuccess)
        let twice = cluster.minik("fault inject wrong-vtep")
        #expect(twice.status == 1 && twice.errors.contains("has had the fault"), "\(twice)")
        #expect(cluster.minik("fault clear wrong-vtep").isSuccess)
    }

    private func difference(_ one: String, _ other: String) -> String {
        let (before, after) = (one.split(separator: "\n"), other.split(separator: "\n"))
        return (before.filter { !after.contains($0) } + ["->"] + after.filter { !before.contains($0) }).joined(separator: "\n")
    }
}
