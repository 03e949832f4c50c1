import Foundation
import Model
import Testing

@Suite("[Serial] a capture of a whole cluster is a file that tshark reads", .serialized, .printsClusters)
struct PacketCaptureTests {
    /// One packet as tshark tells it.
    private struct Row {
        let interface: String, description: String, comment: String, source: String, destination: String, time: Double
        let sourcePort: Int?, destinationPort: Int?, flags: String

        static let fields = [
            "frame.interface_name", "frame.interface_description", "frame.comment", "ip.src", "ip.dst", "frame.time_epoch", "tcp.srcport",
            "tcp.dstport", "tcp.flags.str",
        ]

        init?(_ line: Substring) {
            let cells = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            guard cells.count == Self.fields.count else { return nil }
            (interface, description, comment) = (cells[0], cells[1], cells[2])
            // Of what a tunnel carries, tshark tells both packets' addresses, the inner one's last.
            func last(_ cell: String) -> String { cell.split(separator: ",").last.map(String.init) ?? "" }
            (source, destination, time) = (last(cells[3]), last(cells[4]), Double(cells[5]) ?? 0)
            (sourcePort, destinationPort, flags) = (Int(cells[6]), Int(cells[7]), cells[8])
        }
    }

    private func read(_ file: String) throws -> [Row] {
        let fields = Row.fields.map { "-e \($0)" }.joined(separator: " ")
        let said = Shell.run("tshark -n -r \(file) -d udp.port==8472,vxlan -T fields \(fields)")
        try #require(said.isSuccess, "\(said)")
        #expect(!said.errors.contains("cut short") && !said.errors.contains("isn't a capture"), "\(said)")
        return said.output.split(separator: "\n").compactMap { Row($0) }
    }

    @Test("each packet on each interface, with its hop and its rule; minik's own packets left out; it ends when it should")
    func capture() throws {
        try TestCluster.with(try ClusterFiles.write(PacketTraceTests.lab("taped", subnet: 242)), name: "taped") { cluster in
            _ = try Shell.eventually { cluster.minik("trace amy echo-svc:70").isSuccess ? true : nil }
            try flow(cluster)
            try drop(cluster)
            try bounds(cluster)
            try masqueraded(cluster)
            try killed(cluster)
            let left = Shell.run("for n in master worker; do nsenter --net=/run/netns/taped_$n nft list tables; done").output
            #expect(!left.contains("minik-capture"), "\(left)")
        }
    }

    /// Captures while `work` goes on, and ends it as ctrl-C does.
    private func during(_ cluster: TestCluster, _ options: String, file: String, _ work: [String]) throws -> CommandResult {
        let minik = "\(Shell.minik)", name = "--cluster \(cluster.name)"
        let said = Shell.run(
            """
            log=$(mktemp)
            \(minik) capture \(name) \(options) -w \(file) 2>$log & p=$!
            for i in $(seq 100); do grep -q capturing $log && break; sleep 0.05; done
            \(work.map { $0.replacing("MINIK", with: minik).replacing("CLUSTER", with: name) }.joined(separator: "\n"))
            sleep 0.2; kill -INT $p; wait $p; status=$?; cat $log >&2; rm $log; exit $status
            """)
        #expect(said.isSuccess && said.errors.contains(", 0 dropped for want of room"), "\(said)")
        return said
    }

    private func flow(_ cluster: TestCluster) throws {
        let file = try ClusterFiles.write("")
        defer { try? FileManager.default.removeItem(atPath: file) }
        let said = try during(
            cluster, "--flow amy echo-svc:70", file: file,
            ["MINIK exec CLUSTER amy -- sh -c 'echo hi | nc -w 1 echo-svc 70'", "MINIK trace CLUSTER amy echo-svc:70 >/dev/null"])
        #expect(said.output == "hi\n", "\(said)")
        let rows = try read(file), syn = rows.filter { $0.flags.contains("S") && !$0.flags.contains("A") }
        let expected = [
            "default/amy eth0", "master cni0", "master flannel.1", "master eth0", "worker eth0", "worker flannel.1", "default/echo eth0",
        ]
        let interfaces = syn.map(\.interface)
        let places = expected.compactMap { interfaces.firstIndex(of: $0) }
        #expect(places.count == expected.count && places == places.sorted(), "\(interfaces)")
        #expect(rows.map(\.time) == rows.map(\.time).sorted() && rows.allSatisfy { $0.time > 1e9 })
        #expect(syn.count { $0.interface == "default/amy eth0" } == 1, "the trace's packet is not shown: \(syn)")
        let bridge = try #require(syn.first { $0.interface == "master cni0" })
        #expect(bridge.comment.contains("default/echo-svc") && bridge.description == "bridge of node master", "\(bridge)")
        let arrived = try #require(syn.first { $0.interface == "worker cni0" })
        #expect(arrived.comment.contains("default/only-friends ingress[0]"), "\(arrived)")
        let tunnel = try #require(syn.first { $0.interface == "master eth0" })
        let echo = try cluster.pod("echo")["status"]["podIP"].string ?? "?"
        #expect(tunnel.comment.contains("in VXLAN 1: ") && tunnel.destination == echo, "\(tunnel)")
        let answer = rows.first { $0.flags.contains("S") && $0.flags.contains("A") && $0.interface == "default/amy eth0" }
        #expect(answer?.destination == syn[0].source && answer?.sourcePort == 70, "\(rows)")
    }

    /// A node that masquerades gives connections any port, minik's own too: all that a client outside begins comes, and no probe does.
    private func masqueraded(_ cluster: TestCluster) throws {
        let file = try ClusterFiles.write("")
        defer { try? FileManager.default.removeItem(atPath: file) }
        let address = "192.168.242.11:30712"
        _ = try Shell.eventually { cluster.minik("trace host \(address)").isSuccess ? true : nil }
        let knock = "for i in $(seq 60); do exec 3<>/dev/tcp/192.168.242.11/30712; exec 3>&-; done"
        _ = try during(
            cluster, "--pod amy", file: file,
            [
                "for i in 1 2 3 4 5; do MINIK trace CLUSTER host \(address); done >/dev/null",
                "MINIK host exec CLUSTER -- bash -c '\(knock)'",
            ])
        let arrived = try read(file).filter {
            $0.interface == "default/amy eth0" && $0.destinationPort == 7000 && $0.flags.contains("S")
        }
        // A connection may have to ask twice of a program that takes one at a time.
        #expect(Set(arrived.map(\.sourcePort)).count == 60, "\(arrived)")
    }

    private func drop(_ cluster: TestCluster) throws {
        let file = try ClusterFiles.write("")
        defer { try? FileManager.default.removeItem(atPath: file) }
        _ = try during(cluster, "--pod bob", file: file, ["MINIK exec CLUSTER bob -- nc -w 1 echo-svc 70 </dev/null || true"])
        let rows = try read(file), bob = try cluster.pod("bob")["status"]["podIP"].string ?? "?"
        #expect(rows.contains { $0.comment.contains("isolated for ingress by default/only-friends") && $0.source == bob }, "\(rows)")
        #expect(rows.allSatisfy { $0.source == bob || $0.destination == bob || $0.source.isEmpty })
        // The bridge floods questions for MAC addresses.
        let arrived = rows.filter { $0.interface == "default/echo eth0" && !$0.source.isEmpty }
        #expect(arrived.isEmpty, "it never came there: \(arrived)")
    }

    /// What marks packets in the nodes' kernels does not outlive a command that ends without a word.
    private func killed(_ cluster: TestCluster) throws {
        let said = Shell.run(
            """
            log=$(mktemp)
            \(Shell.minik) capture --cluster \(cluster.name) -w /dev/null 2>$log & p=$!
            for i in $(seq 100); do grep -q capturing $log && break; sleep 0.05; done
            nsenter --net=/run/netns/\(cluster.name)_worker nft list tables
            kill -KILL $p; wait $p; rm $log
            """)
        #expect(said.output.contains("minik-capture-"), "\(said)")
    }

    private func bounds(_ cluster: TestCluster) throws {
        let file = try ClusterFiles.write("")
        defer { try? FileManager.default.removeItem(atPath: file) }
        _ = try during(
            cluster, "--node worker --count 5", file: file, ["MINIK exec CLUSTER bob -- ping -c 4 -i 0.1 10.244.1.1 >/dev/null || true"])
        let rows = try read(file)
        #expect(
            rows.count == 5 && rows.allSatisfy { !$0.interface.hasPrefix("master") && !$0.interface.hasPrefix("default/amy") }, "\(rows)")
        // A reader that goes, with packets or without.
        let closed = Shell.run(
            "set -o pipefail; time timeout 10 \(Shell.minik) capture --cluster \(cluster.name) -w - | head -c 100 | wc -c", seconds: 12)
        #expect(closed.isSuccess && closed.output == "100\n", "\(closed)")
        let timed = cluster.minik("capture --seconds 0.5 --pod amy -w /dev/null")
        #expect(timed.isSuccess && timed.errors.contains(" packets on "), "\(timed)")
        let lines = Shell.run(
            """
            \(Shell.minik) capture --cluster \(cluster.name) --count 1 --pod amy & p=$!; sleep 1
            \(Shell.minik) exec --cluster \(cluster.name) amy -- ping -c 1 -w 1 10.244.1.1 >/dev/null; wait $p
            """)
        #expect(lines.isSuccess && lines.output.hasPrefix("0.000000  ") && lines.errors.contains("1 packets on 1 interfaces"), "\(lines)")
        for (options, words) in [
            ("--pod nobody", "there is no pod"), ("--node nobody", "one of master, worker"), ("--flow amy", "two ends"),
        ] {
            let wrong = cluster.minik("capture \(options) --seconds 0.1 -w /dev/null")
            #expect(!wrong.isSuccess && wrong.errors.contains(words), "\(wrong)")
        }
    }
}
