import Foundation
import Testing

@Suite("[Serial] a cluster's names", .serialized, .printsClusters)
struct ClusterNamesTests {
    private static let resolver = #"""
        import socket, struct, sys
        # Whoever is asked for lives at 192.0.2.7; nobody who is silent is answered.
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); link.bind(("127.0.0.1", 5377))
        while True:
            query, peer = link.recvfrom(4096)
            end = query.index(0, 12) + 5
            if b"silent" in query: continue
            link.sendto(query[:2] + struct.pack(">5H", 0x8180, 1, 1, 0, 0) + query[12:end] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7", peer)
        """#

    private func dig(_ words: String) -> String {
        Shell.run("nsenter --net=/run/netns/names_worker dig +short +tries=1 +time=8 @10.1.0.10 \(words)").output
            .split(separator: "\n").joined(separator: " ")
    }

    private func daemon(_ signal: String) { Shell.run("kill -\(signal) $(cut -d' ' -f1 /run/minik/names/daemon.pid)") }

    @Test(
        "other names are asked for where the document says so, names outlive the daemon, and what changed meanwhile comes with the next one"
    )
    func names() throws {
        let text = ClusterFiles.cluster("names", subnet: 219), closed = try ClusterFiles.write(text)
        let open = try ClusterFiles.write(text.replacing("spec:\n", with: "spec:\n  dns: {forward: [\"127.0.0.1:5377\"]}\n"))
        let program = try ClusterFiles.write(Self.resolver)
        Shell.run("python3 \(program) >/dev/null 2>&1 & echo $! >\(program).pid")
        defer { Shell.run("kill $(cat \(program).pid)") }
        try TestCluster.with(closed, name: "names") { cluster in
            func create(_ name: String, _ address: String) throws {
                let file = try ClusterFiles.write(
                    "{apiVersion: v1, kind: Service, metadata: {name: \(name)}, spec: {clusterIP: \(address), ports: [{port: 80}]}}")
                let applied = cluster.minik("apply -f \(file)")
                #expect(applied.isSuccess, "\(applied)")
            }
            #expect(dig("www.example.org") == "" && dig("kubernetes.default.svc.cluster.local") == "10.1.0.1")
            let up = Shell.minik("up \(open)", seconds: 60)
            try #require(up.isSuccess, "\(up)")
            _ = try Shell.eventually { dig("www.example.org") == "192.0.2.7" ? true : nil }
            let start = Date()
            #expect(dig("silent.example.org") == "" && Date().timeIntervalSince(start) < 7, "somebody who does not answer")
            try create("out", "10.1.7.7")
            #expect(dig("out.default.svc.cluster.local") == "10.1.7.7")

            daemon("KILL")
            #expect(dig("out.default.svc.cluster.local") == "10.1.7.7", "names outlive the daemon")
            // What a daemon that dies leaves half written is no change, and the next one does not take it for one.
            Shell.run("printf '{\"service\":{\"name\":\"half' >>$(ls /var/lib/minik/clusters/names/dns/changes-*.jsonl | tail -1)")
            _ = Shell.minik("up \(open)", seconds: 60)
            try create("next", "10.1.7.8")
            _ = try Shell.eventually { dig("next.default.svc.cluster.local") == "10.1.7.8" ? true : nil }
            _ = try Shell.eventually { dig("www.example.org") == "192.0.2.7" ? true : nil }

            // Another pod of the server's, wherever it comes up.
            cluster.minik("delete pods -n kube-system -l k8s-app=kube-dns")
            _ = try Shell.eventually(seconds: 30) { dig("next.default.svc.cluster.local") == "10.1.7.8" ? true : nil }
        }
    }
}
