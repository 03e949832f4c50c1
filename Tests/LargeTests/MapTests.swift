import Foundation
import Model
import Testing

@Suite("[Serial] the map in a browser shows what the cluster is", .serialized, .printsClusters)
struct MapTests {
    private func lab() -> String {
        func pod(_ name: String, on node: String) -> String {
            """

            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: \(name), labels: {app: \(name)}}
            spec:
              nodeName: \(node)
              terminationGracePeriodSeconds: 0
              containers: [{name: c, image: busybox, command: [nc, -ll, -p, "7000", -e, cat], ports: [{containerPort: 7000}]}]
            """
        }
        return ClusterFiles.cluster("mapped", subnet: 243, more: "  plugin: flannel-netpol") + pod("echo", on: "worker")
            + pod("amy", on: "master") + pod("bob", on: "worker")
                + """

                ---
                apiVersion: v1
                kind: Service
                metadata: {name: echo-svc}
                spec: {selector: {app: echo}, ports: [{port: 70, targetPort: 7000}]}
                """
    }

    private static let policy = """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: only-amy}
        spec: {podSelector: {matchLabels: {app: echo}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: amy}}}]}]}
        """

    @Test("pods, Services, an edge that turns with a policy, a packet that moves, why, and what a change did")
    func page() throws {
        try TestCluster.with(try ClusterFiles.write(lab()), name: "mapped") { cluster in
            for name in ["echo", "amy", "bob"] {
                _ = try Shell.eventually { (try? cluster.pod(name)).map { Pod($0) }?.isReady == true ? true : nil }
            }
            let said = cluster.minik("map --no-open"), url = said.output.trimmingCharacters(in: .newlines)
            try #require(said.isSuccess && url.hasPrefix("http://127.0.0.1:"), "\(said)")
            #expect(cluster.minik("map --no-open").output == said.output, "the address stays")
            try door(url)
            try text(cluster)
            let file = try ClusterFiles.write(Self.policy)
            defer { try? FileManager.default.removeItem(atPath: file) }
            let apply = "\(Shell.minik) apply --cluster mapped -f \(file)",
                ask = "\(Shell.minik) exec --cluster mapped amy -- nc -w 1 echo-svc 70 </dev/null"
            let edge = { (from: String, verdict: String) in
                "wait:document.querySelector('[data-from=\"default/\(from)\"][data-to=\"default/echo\"][data-verdict=\(verdict)] .edge.\(verdict)')"
            }
            let pods = "print:[...document.querySelectorAll('.card')].map(card => card.dataset.id).sort()"
            let steps = [
                "wait:document.querySelectorAll('.card').length >= 4", pods,
                "print:[...document.querySelectorAll('.heading .title')].map(title => title.textContent)",
                "print:[...document.querySelectorAll('.service')].map(service => service.dataset.id).sort()",
                // A pod is chosen by the keyboard, and its edges are drawn.
                "print:document.querySelector('[data-id=\"default/echo\"]').focus()", "key:Enter", edge("bob", "allowed"),
                edge("amy", "allowed"),
                "run:\(apply)", edge("bob", "denied"), edge("amy", "allowed"),
                "wait:document.querySelector('[data-id=\"default/echo\"] .shield')",
                // Dots go where packets go, under the Service's name.
                "run:\(ask)", "wait:document.querySelector('.dot.service[data-flow=\"default/amy to default/echo TCP/7000\"]')",
                "wait:document.querySelector('.rail.busy')",
                "print:document.querySelector('[data-from=\"default/bob\"][data-to=\"default/echo\"]').dispatchEvent(new MouseEvent('click', {bubbles: true}))",
                "wait:document.querySelector('#why pre')", "print:document.querySelector('#why').textContent",
                "print:document.querySelector('#tab-matrix').click()",
                "wait:document.querySelector('#effect').textContent.includes('closes bob to echo')",
                "print:document.querySelector('.grid button[data-from=\"default/bob\"][data-to=\"default/echo\"]').className",
                "print:document.querySelector('.slide output').textContent",
            ].map { "'\($0.replacing("'", with: "'\\''"))'" }
            let seen = Shell.run("python3 Tests/LargeTests/Clients/browser.py '\(url)' \(steps.joined(separator: " "))", seconds: 90)
            try #require(seen.isSuccess, "\(seen)")
            let values = try seen.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
            let known = try Shell.json("\(Shell.minik) get pods -A --cluster mapped -o json")["items"].items.map { "\(Pod($0).key)" }
            #expect(values[0].items.compactMap(\.string) == known.sorted())
            #expect(values[1].items.compactMap(\.string) == ["master", "worker"])
            #expect(values[2].items.compactMap(\.string) == ["svc/default/echo-svc", "svc/default/kubernetes", "svc/kube-system/kube-dns"])
            #expect(values[5].string?.contains("DENIED") == true && values[5].string?.contains("default/only-amy") == true, "\(values[5])")
            #expect(values[7].string == "denied changed" && values[8].string?.contains("NetworkPolicy default/only-amy created") == true)
        }
    }

    /// What curl gets without the token, or as somebody else's page.
    private func door(_ url: String) throws {
        let parts = url.split(separator: "/"), place = "http://\(parts[1])"
        func code(_ arguments: String) -> String { Shell.run("curl -s -o /dev/null -w '%{http_code}' \(arguments)").output }
        #expect(code("\(url)snapshot") == "200" && code("\(place)/") == "403" && code("\(place)/snapshot") == "403")
        #expect(code("-H 'Host: evil.example' \(url)") == "403" && code("-X POST \(url)") == "405")
        #expect(Shell.run("stat -c %a /var/lib/minik/clusters/mapped/map").output == "600\n")
        let snapshot = try Shell.json("curl -s \(url)snapshot")
        #expect(snapshot["machines"].items.count == 4 && !snapshot["layout"]["nodes"].items.isEmpty)
    }

    /// The text, and the JSON against what ip says.
    private func text(_ cluster: TestCluster) throws {
        let said = cluster.minik("map --text")
        #expect(said.isSuccess && said.output.split(separator: "\n").allSatisfy { $0.count <= 100 }, "\(said)")
        for word in ["node master", "default/echo:7000", "flannel.1", "cni0", "to the LAN"] {
            #expect(said.output.contains(word), "\(said)")
        }
        let map = try Shell.json("\(Shell.minik) map -o json --cluster mapped")
        let node = try #require(map["machines"].items.first { $0["name"].string == "worker" })
        let links = try Shell.json("nsenter --net=/run/netns/mapped_worker ip -j link show").items.compactMap { $0["ifname"].string }
        #expect(node["links"].items.compactMap { $0["name"].string } == links.filter { $0 != "lo" })
        let echo = try #require(map["pods"].items.first { $0["name"].string == "echo" })
        let port = try #require(node["links"].items.first { $0["leadsTo"].string == "default/echo" })
        #expect(echo["link"].string == port["name"].string && port["master"].string == "cni0")
    }
}
