import API
import Images
import Model
import Runtime
import Testing

@Suite("a Cluster document's images and registries")
struct ClusterImagesTests {
    private func cluster(_ spec: String, file: String = "/labs/lab.yaml") throws -> Cluster {
        let text = "apiVersion: minik.dev/v1\nkind: Cluster\nspec:\n\(spec)"
        return try Cluster(try #require(try Manifest.read(text, file: file).first))
    }

    @Test("archives lie beside the document, and everything else is a name; what was read is what is stored")
    func images() throws {
        let cluster = try cluster("  images: [app.tar, ./layout, /x/y.tar.gz, ghcr.io/x/y:1, nginx]\n")
        #expect(cluster.images == ["/labs/app.tar", "/labs/layout", "/x/y.tar.gz", "ghcr.io/x/y:1", "nginx"])
        let registries = try self.cluster(
            "  registries:\n  - {host: docker.io, mirrors: [\"http://m.example:5000/hub\", n.example], caFile: ca.pem}\n"
                + "  - {host: \"r.example:5000\", insecure: true}\n  - {host: \"[::1]:5000\"}\n")
        #expect(registries.registries[0].caFile == "/labs/ca.pem")
        #expect(try Cluster(stored: registries.json) == registries)
        #expect(registries.shape == registries.shape.shape && registries.shape != registries)
    }

    @Test(
        "what is wrong is told with its line and its field",
        arguments: [
            ("  registries: [{host: \"https://r.example\"}]\n", "spec.registries[0].host: \"https://r.example\" is no HOST or HOST:PORT"),
            ("  registries: [{host: r.example}, {host: r.example}]\n", "spec.registries[1].host: \"r.example\" is there twice"),
            ("  registries: [{host: r.example, mirrors: [\"m//x\"]}]\n", "spec.registries[0].mirrors[0]: \"m//x\" is no HOST"),
            ("  registries: [{host: r.example, mirror: m}]\n", "spec.registries[0].mirror: unknown field"),
            ("  images: [\"\"]\n", "spec.images[0]: is empty"),
            ("  extraMounts: [{hostPath: a}]\n", "spec.extraMounts[0].nodePath: Required value"),
            ("  extraMounts: [{hostPath: a, containerPath: /b}]\n", "spec.extraMounts[0].containerPath: unknown field"),
            ("  extraMounts: [{hostPath: a, nodePath: b}]\n", "spec.extraMounts[0].nodePath: \"b\" must be an absolute path"),
            ("  extraMounts: [{hostPath: a, nodePath: /b/../etc}]\n", "spec.extraMounts[0].nodePath: \"/b/../etc\" must be an absolute"),
            ("  extraMounts: [{hostPath: a, nodePath: /var/log/}]\n", "spec.extraMounts[0].nodePath: /var/log is the node's own"),
            ("  extraMounts: [{hostPath: a, nodePath: /var/lib/minik/x}]\n", "spec.extraMounts[0].nodePath: /var/lib/minik/x is in"),
            ("  extraMounts: [{hostPath: a, nodePath: /b}, {hostPath: c, nodePath: //b}]\n", "spec.extraMounts[1].nodePath: /b is there"),
            ("  registries: [{host: \"[::1\"}]\n", "spec.registries[0].host: \"[::1\" is no HOST"),
            ("  images: app.tar\n", "spec.images: must be a list of texts, not text"),
            ("  images: [1]\n", "spec.images[0]: must be text, not a number"),
            ("  registries: x\n", "spec.registries: must be a list of maps, not text"),
            ("  registries: {host: x}\n", "spec.registries: must be a list of maps, not a map"),
            ("  registries: [x]\n", "spec.registries[0]: must be a map, not text"),
            ("  registries: [{host: x, insecure: \"yes\"}]\n", "spec.registries[0].insecure: must be true or false, not text"),
        ])
    func wrong(_ spec: String, _ words: String) {
        do {
            _ = try cluster(spec)
            Issue.record("it was taken")
        } catch { #expect("\(error)".hasPrefix("/labs/lab.yaml:4: \(words)"), "\(error)") }
    }

    @Test("directories for nodes lie beside the document; all nodes have the cluster's, one its own; what was read is what is stored")
    func extraMounts() throws {
        let cluster = try cluster(
            "  extraMounts: [{hostPath: data, nodePath: /data/}, {hostPath: /x, nodePath: /y, readOnly: true}]\n"
                + "  nodes: [{name: a}, {name: b, extraMounts: [{hostPath: ../b, nodePath: /b}]}]\n")
        #expect(
            cluster.extraMounts
                == [.init(hostPath: "/labs/data", nodePath: "/data"), .init(hostPath: "/x", nodePath: "/y", isReadOnly: true)])
        #expect(cluster.nodes.map(\.extraMounts) == [[], [.init(hostPath: "/labs/../b", nodePath: "/b")]])
        #expect(try Cluster(stored: cluster.json) == cluster)
    }

    @Test("mirrors stand before the registry; who is on this machine needs no certificate, unless somebody vouches for it")
    func configuration() throws {
        let registries = [
            Cluster.Registry(host: "docker.io", mirrors: ["http://m.example:5000/hub", "n.example", "localhost:5000"], caFile: "/own.pem"),
            Cluster.Registry(host: "n.example", isInsecure: true, caFile: "/n.pem"),
            Cluster.Registry(host: "127.0.0.1:5001", caFile: "/l.pem"),
        ]
        func configuration(_ name: String) throws -> RegistriesConfiguration {
            RegistriesConfiguration(registries, for: try #require(ImageReference(name)))
        }
        let hub = try configuration("nginx")
        #expect(hub.endpoints.map(\.place) == ["m.example:5000/hub", "n.example", "localhost:5000", "docker.io"])
        #expect(
            hub.endpoints.compactMap { hub.text(by: $0) }
                == [
                    ("m.example:5000/hub", true), ("n.example", true), ("localhost:5000", true), ("docker.io", false),
                ].map { "[[registry]]\nprefix = \"docker.io\"\nlocation = \"\($0)\"\ninsecure = \($1)\n" })
        #expect(hub.authorities == ["/own.pem", "/n.pem"] && !hub.isInsecure)
        func text(_ name: String) throws -> String? {
            let one = try configuration(name)
            return one.endpoints.count == 1 ? one.text(by: one.endpoints[0]) : ""
        }
        #expect(try text("quay.io/a") == nil)
        #expect(try configuration("127.3.0.1:80/a").isInsecure && configuration("localhost/a").isInsecure)
        #expect(try !configuration("127.0.0.1:5001/a").isInsecure && text("localhost.example/a") == nil)
    }

    @Test("a registry's own reason is told, and what to do, to who pulls and to who has a pod")
    func complaints() {
        func complaint(_ text: String) -> RegistryComplaint { RegistryComplaint("time=\"x\" level=fatal msg=\"\(text)\"", code: 1) }
        #expect(complaint("reading manifest 2 in r/app: manifest unknown").hint == "look at the image's name and tag")
        let locked = complaint("unauthorized: authentication required")
        #expect(locked.message == "unauthorized: authentication required")
        #expect(locked.hint.contains("docker login") && locked.podHint.contains("imagePullSecrets"))
        // A port, a digest or a name may hold any number.
        #expect(!complaint("pinging container registry r:5403: connection reset 404 500 ").hint.contains("log in"))
        let page = complaint("reading manifest 1 in r/app: StatusCode: 404, <!DOCTYPE html><html>Hello</html>")
        #expect(page.message == "reading manifest 1 in r/app: StatusCode: 404, a web page" && page.hint.contains("web page"))
        #expect(complaint("Error parsing image name \\\"docker://r/app:1\\\": pinging").message == "pinging")
        let plain = complaint("http: server gave HTTP response to HTTPS client")
        #expect(plain.hint.contains("--insecure") && plain.podHint.contains("insecure: true"))
    }
}
