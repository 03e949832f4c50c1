import API
import Model
import Testing

private func read(_ text: String) throws -> [Manifest] { try Manifest.read(text, file: "lab.yaml") }

/// What is wrong with `text`, read as manifests and then, if they are any, as a cluster.
private func complaint(_ text: String) throws -> ManifestError {
    try #require(throws: ManifestError.self) {
        for manifest in try read(text) { _ = try Cluster(manifest) }
    }
}

/// A Cluster document whose spec starts on line 5.
private func lab(_ spec: String) -> String {
    "apiVersion: minik.dev/v1\nkind: Cluster\nmetadata: {name: lab}\nspec:\n" + spec
}

@Suite("Manifests: where an error is")
struct ManifestErrors {
    @Test("a key written twice is an error on its second line")
    func duplicate() throws {
        let error = try complaint(
            """
            apiVersion: v1
            kind: ConfigMap
            metadata:
              name: a
              labels: {}
              name: b
            """)
        #expect(error.file == "lab.yaml")
        #expect(error.line == 6)
        #expect(error.message.contains("\"name\""))
        #expect(error.message.contains("already set in map"))
    }

    @Test("keys that only spell the same path with dots are no duplicates")
    func dots() throws {
        let manifests = try read("apiVersion: v1\nkind: Thing\nspec:\n  a: {b: 1}\n  a.b: 2\n")
        let spec = try #require(manifests.first).json["spec"]
        #expect(spec["a"]["b"].int == 1)
        #expect(spec["a.b"].int == 2)
    }

    @Test("text that is no YAML is an error on its line, also in a later document")
    func syntax() throws {
        let error = try complaint(
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\nkind: [Pod\nmetadata: {name: b}\n")
        #expect(error.file == "lab.yaml")
        #expect((6...8).contains(error.line))
    }

    @Test("a document that is no mapping is an error on its line")
    func notAMapping() throws {
        let error = try complaint("apiVersion: v1\nkind: Namespace\n---\n- a\n- b\n")
        #expect(error.line == 4)
        #expect(error.message.contains("mapping"))
    }

    @Test("a document without a kind, or without an apiVersion, is an error", arguments: ["kind", "apiVersion"])
    func missing(_ field: String) throws {
        let other = field == "kind" ? "apiVersion: v1" : "kind: Pod"
        let error = try complaint("\n\n\(other)\nmetadata: {name: a}\n")
        #expect(error.line == 3)
        #expect(error.message == "\(field) not set")
    }

    @Test("an error reads file:line: message")
    func words() {
        #expect(ManifestError(file: "a/lab.yaml", line: 12, message: "kind not set").description == "a/lab.yaml:12: kind not set")
    }

    @Test("documents are read in order, and empty ones passed over")
    func documents() throws {
        let manifests = try read("---\napiVersion: v1\nkind: A\n---\n# nothing\n---\napiVersion: v1\nkind: B\n")
        #expect(manifests.map(\.kind) == ["A", "B"])
        #expect(manifests.map(\.line) == [2, 7])
    }

    @Test("a List is taken apart, and its items know their lines")
    func list() throws {
        let manifests = try read(
            """
            apiVersion: v1
            kind: List
            items:
            - apiVersion: v1
              kind: Namespace
              metadata:
                name: a
            - apiVersion: v1
              kind: Namespace
              metadata:
                name: b
            """)
        #expect(manifests.map { $0.json["metadata"]["name"].string } == ["a", "b"])
        #expect(manifests.map { $0.line(of: "metadata.name") } == [7, 11])
    }
}

@Suite("Manifests: the lines of fields")
struct ManifestLines {
    private let manifest: Manifest

    init() throws {
        manifest = try #require(
            try read(
                """
                apiVersion: v1
                kind: Service
                metadata:
                  name: web
                spec:
                  type: NodePort
                  ports:
                  - name: http
                    port: 80
                  - name: https
                    port: 443
                    nodePort: 33000
                """
            ).first)
    }

    @Test(
        "a nested field is found",
        arguments: [("kind", 2), ("metadata.name", 4), ("spec", 5), ("spec.ports[0].port", 9), ("spec.ports[1].nodePort", 12)])
    func nested(_ field: String, _ line: Int) { #expect(manifest.line(of: field) == line) }

    @Test("a field that is not written stands where the nearest one around it does")
    func absent() {
        #expect(manifest.line(of: "spec.ports[1].targetPort") == 10)
        #expect(manifest.line(of: "spec.selector.app") == 5)
        #expect(manifest.line(of: "status") == 1)
    }
}

@Suite("Manifests: scalars")
struct ManifestScalars {
    private func scalar(_ text: String) throws -> JSON {
        let manifest = try #require(try read("apiVersion: v1\nkind: Thing\nvalue: \(text)\n").first)
        return manifest.json["value"]
    }

    @Test("quoted text stays text", arguments: ["true", "33000", "null", "1.5", "yes", ""])
    func quoted(_ text: String) throws {
        #expect(try scalar("\"\(text)\"") == .string(text))
        #expect(try scalar("'\(text)'") == .string(text))
    }

    @Test("plain true and false are booleans")
    func booleans() throws {
        #expect(try scalar("true") == .bool(true))
        #expect(try scalar("false") == .bool(false))
    }

    @Test(
        "plain numbers are numbers",
        arguments: [
            ("33000", JSON.int(33000)), ("0", JSON.int(0)), ("-7", JSON.int(-7)), ("1.5", JSON.double(1.5)), ("007", JSON.int(7)),
            ("0x1f", JSON.int(31)), ("0o17", JSON.int(15)), ("1_000", JSON.int(1000)),
        ])
    func numbers(_ text: String, _ value: JSON) throws { #expect(try scalar(text) == value) }

    @Test("what only looks like a number is text", arguments: ["10.244.0.0/16", "1.2.3", "100m", "2026-11-23"])
    func texts(_ text: String) throws { #expect(try scalar(text) == .string(text)) }

    @Test("a null is a field that is not there", arguments: ["", "null", "~"])
    func nulls(_ text: String) throws { #expect(try scalar(text).isNull) }

    @Test("a block is text with its line breaks")
    func block() throws { #expect(try scalar("|\n  a: 1\n  b\n") == "a: 1\nb\n") }
}

@Suite("Manifests: the Cluster document")
struct ClusterManifests {
    @Test("an empty Cluster is the tutorial's")
    func standard() throws {
        let cluster = try Cluster(try #require(try read("apiVersion: minik.dev/v1\nkind: Cluster\n").first))
        #expect(cluster.nodes.map(\.name) == ["k8s-master", "k8s-node1", "k8s-node2"])
        #expect(cluster.nodes.map(\.isControlPlane) == [true, false, false])
        #expect(cluster.nodes.map(\.address.description) == ["192.168.200.128", "192.168.200.129", "192.168.200.130"])
        #expect(cluster.nodes.map(\.podCIDR.description) == ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"])
        #expect(cluster.nodes.map(\.taints) == [Fixture.controlPlaneTaint, .null, .null])
        #expect(cluster.nodePortRange == 30000...32767)
    }

    @Test("what a Cluster writes of itself reads back the same")
    func stored() throws {
        let written = try Cluster(try #require(try read(lab("  plugin: flannel\n  serviceNodePortRange: 20000-22767\n")).first))
        #expect(written.plugin == .flannel)
        #expect(written.nodePortRange == 20000...22767)
        #expect(try Cluster(stored: written.json) == written)
    }

    @Test("a field that a Cluster does not have is an error that names it")
    func unknownField() throws {
        let error = try complaint(lab("  plugin: flannel\n  nodez: []\n"))
        #expect(error.file == "lab.yaml")
        #expect(error.line == 6)
        #expect(error.message == "spec.nodez: unknown field")
    }

    @Test("a field of a node that there is none of is an error on its line")
    func unknownNodeField() throws {
        #expect(try complaint(lab("  nodes: []\n")).message.hasPrefix("spec.nodes: an empty list"))
        let error = try complaint(lab("  nodes:\n  - name: a\n  - name: b\n    adress: 192.168.200.10\n"))
        #expect(error.line == 8)
        #expect(error.message.hasPrefix("spec.nodes[1].adress:"))
    }

    @Test("subnets that overlap are an error that names both")
    func overlap() throws {
        let error = try complaint(lab("  mtu: 1500\n  nodeSubnet: 10.244.7.0/24\n  podSubnet: 10.244.0.0/16\n"))
        #expect([6, 7].contains(error.line))
        #expect(error.message.contains("nodeSubnet"))
        #expect(error.message.contains("podSubnet"))
        #expect(error.message.contains("overlaps"))
    }

    @Test("a subnet may not overlap another's default either")
    func overlapDefault() throws {
        let error = try complaint(lab("  podSubnet: 10.1.0.0/16\n"))
        #expect([4, 5].contains(error.line))
        #expect(error.message.contains("serviceSubnet"))
    }

    @Test("a node's address outside nodeSubnet is an error on its line")
    func nodeAddress() throws {
        let error = try complaint(lab("  nodes:\n  - name: a\n    address: 192.168.200.10\n  - name: b\n    address: 192.168.201.10\n"))
        #expect(error.line == 9)
        #expect(error.message.hasPrefix("spec.nodes[1].address:"))
        #expect(error.message.contains("192.168.201.10"))
        #expect(error.message.contains("192.168.200.0/24"))
    }

    @Test(
        "an address that names no host of its subnet is refused",
        arguments: ["192.168.200.0", "192.168.200.255", "192.168.200.1", "192.168.200.2", "192.168.200"])
    func hostAddress(_ address: String) throws {
        let error = try complaint(lab("  nodes:\n  - name: a\n    address: \(address)\n"))
        #expect(error.line == 7)
        #expect(error.message.hasPrefix("spec.nodes[0].address:"))
    }

    @Test(
        "two nodes may share neither name nor address nor pods",
        arguments: [
            ("name: a", "name"), ("name: b\n    address: 192.168.200.10", "address"), ("name: b\n    podCIDR: 10.244.9.0/25", "podCIDR"),
        ])
    func twice(_ second: String, _ field: String) throws {
        let first = "  nodes:\n  - name: a\n    address: 192.168.200.10\n    podCIDR: 10.244.9.0/24\n"
        let error = try complaint(lab("\(first)  - \(second)\n"))
        #expect(error.message.hasPrefix("spec.nodes[1].\(field):"))
    }

    @Test(
        "a node port range that is none is an error",
        arguments: ["32767-30000", "30000", "0-10", "30000-70000", "30000-x-32767", "low-high"])
    func nodePortRange(_ range: String) throws {
        let error = try complaint(lab("  mtu: 1500\n  serviceNodePortRange: \"\(range)\"\n"))
        #expect(error.line == 6)
        #expect(error.message.hasPrefix("spec.serviceNodePortRange:"))
        #expect(error.message.contains(range))
    }

    @Test("an unknown plugin is an error that names the known ones")
    func plugin() throws {
        let error = try complaint(lab("  plugin: cilium\n"))
        #expect(error.line == 5)
        #expect(error.message.hasPrefix("spec.plugin:"))
        #expect(error.message.contains("cilium"))
        #expect(error.message.contains("flannel-netpol"))
    }

    @Test("a CIDR with host bits is refused")
    func hostBits() throws {
        let error = try complaint(lab("  podSubnet: 10.244.1.0/16\n"))
        #expect(error.line == 5)
        #expect(error.message.hasPrefix("spec.podSubnet:"))
    }

    @Test("nodes get addresses of their own in a small subnet too", arguments: ["192.168.200.0/25", "192.168.200.0/28"])
    func smallSubnet(_ subnet: String) throws {
        let cluster = try Cluster(try #require(try read(lab("  nodeSubnet: \(subnet)\n")).first))
        let addresses = cluster.nodes.map(\.address)
        #expect(Set(addresses).count == 3)
        #expect(addresses.allSatisfy { cluster.nodeSubnet.contains($0) && $0 != cluster.nodeSubnet.last && $0 > cluster.gatewayAddress })
    }
}
