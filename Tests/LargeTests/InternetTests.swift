import Foundation
import Model
import Testing

/// The machine is a network namespace of the test's, and the world another that it has a route to: nothing leaves them.
@Suite("[Serial] a cluster with internet: true", .serialized, .printsClusters)
struct InternetTests {
    private static let file = """
        apiVersion: minik.dev/v1
        kind: Cluster
        metadata: {name: wayout}
        spec: {internet: true, nodes: [{name: one}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: client, labels: {app: client}}
        spec: {containers: [{name: main, image: busybox, command: [sleep, "3600"]}]}
        """

    private static let policy = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: inside}
        spec:
          podSelector: {matchLabels: {app: client}}
          policyTypes: [Egress]
          egress: [{to: [{ipBlock: {cidr: 192.0.2.128/25}}]}]
        """

    private static let world = """
        set -e
        ip netns add mt-machine; ip netns add mt-world
        ip -n mt-machine link set lo up; ip -n mt-world link set lo up
        ip -n mt-machine link add eth0 type veth peer name eth0 netns mt-world
        ip -n mt-machine addr add 198.51.100.2/24 dev eth0; ip -n mt-machine link set eth0 up
        ip -n mt-world addr add 198.51.100.1/24 dev eth0; ip -n mt-world link set eth0 up
        for a in 192.0.2.1 192.0.2.200; do ip -n mt-world addr add $a/32 dev lo; done
        ip netns exec mt-world busybox nc -ll -p 80 -e echo world </dev/null >/dev/null 2>&1 & echo $!
        """

    /// On the machine.
    private static func run(_ command: String, seconds: Int = 60) -> CommandResult {
        Shell.run("nsenter --net=/run/netns/mt-machine \(command)", seconds: seconds)
    }
    private static func minik(_ arguments: String) -> CommandResult { run("\(Shell.minik) \(arguments)") }
    private static func ask(_ address: String) -> String {
        minik("exec client -c wayout -- timeout 2 busybox nc \(address) 80").output.trimmed
    }
    private static var forwards: String { run("cat /proc/sys/net/ipv4/ip_forward").output.trimmed }

    @Test("pods and nodes get to where the machine gets to, policies hold, and nothing of it stays, though the daemon was killed")
    func wayOut() throws {
        let path = try ClusterFiles.write(Self.file), policy = try ClusterFiles.write(Self.policy)
        let before = Shell.run("scripts/leaks").output
        let world = Shell.run(Self.world)
        try #require(world.isSuccess, "\(world)")
        defer {
            _ = Self.minik("down wayout")
            Shell.run("kill \(world.output.trimmed); ip netns del mt-machine; ip netns del mt-world")
        }
        let refused = Self.minik("up \(path)")
        #expect(!refused.isSuccess && refused.errors.contains("no default route of IPv4"), "\(refused)")
        _ = Self.run("ip route add default via 198.51.100.1")
        let rules = Self.run("nft list ruleset").output
        let up = Self.minik("up \(path)")
        try #require(up.isSuccess, "\(up)")
        #expect(Self.ask("192.0.2.1") == "world")
        #expect(Self.minik("node exec one -c wayout -- timeout 2 busybox nc 192.0.2.1 80").output.trimmed == "world")
        #expect(Self.minik("status -c wayout").output.contains("then default via 198.51.100.1 dev eth0"))
        let why = Self.minik("why client 192.0.2.1:80 -c wayout")
        #expect(why.isSuccess && why.output.contains("out of the nodes' LAN by mi-wayout, masqueraded as 169.254."), "\(why)")

        #expect(Self.minik("apply -f \(policy) -c wayout").isSuccess)
        try Shell.eventually { Self.ask("192.0.2.1").isEmpty ? true : nil }
        #expect(Self.ask("192.0.2.200") == "world")

        // Another daemon finds what is missing, and a killed one leaves nothing that `down` does not find.
        let kill = "kill -9 $(cut -d' ' -f1 /run/minik/wayout/daemon.pid)"
        _ = Shell.run(kill)
        _ = Self.run("ip link del mi-wayout; nsenter --net=/run/netns/mt-machine nft delete table ip minik-wayout")
        #expect(Self.minik("up -c wayout").isSuccess)
        #expect(Self.ask("192.0.2.200") == "world" && Self.forwards == "1")
        _ = Shell.run(kill)
        let down = Self.minik("down wayout")
        #expect(down.isSuccess, "\(down)")
        #expect(Self.forwards == "0")
        #expect(Self.run("nft list ruleset").output == rules)
        #expect(!Self.run("ip -o link").output.contains("mi-wayout"))
        #expect(
            Shell.run("scripts/leaks").output.split(separator: "\n").filter { !$0.contains("mt-machine") && !$0.contains("mt-world") }
                == before.split(separator: "\n"))
    }
}
