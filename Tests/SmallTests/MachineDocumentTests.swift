import API
import Model
import Testing

@Suite("a Cluster document of machines that kubeadm makes a cluster of", .timeLimit(.minutes(5)))
struct MachineDocumentTests {
    private func cluster(_ spec: String, name: String = "lab") throws -> Cluster {
        let text = "apiVersion: minik.dev/v1\nkind: Cluster\nmetadata: {name: \(name)}\nspec:\n  bootstrap: kubeadm\n\(spec)"
        return try Cluster(try #require(try Manifest.read(text, file: "lab.yaml").first))
    }

    private func complaint(_ spec: String, name: String = "lab") -> String {
        do {
            _ = try cluster(spec, name: name)
            return ""
        } catch { return "\(error)" }
    }

    @Test("it has no network of minik's, and is read back as it was written")
    func document() throws {
        let read = try cluster("")
        #expect(read.bootstrap == .kubeadm && read.plugin == .none)
        #expect(try Cluster(stored: read.json) == read)
        #expect(try cluster("  plugin: cni\n").plugin == .cni)
    }

    @Test("its ranges change with each kubeadm init, and it has the same shape")
    func shape() throws {
        let read = try cluster("")
        let pods = try #require(IPNetwork("10.100.0.0/16")), services = try #require(IPNetwork("10.200.0.0/16"))
        var made = read.with(pods: pods, services: services)
        made.dnsDomain = "example.lab"
        #expect(made.nodes.map(\.podCIDR.description) == ["10.100.0.0/24", "10.100.1.0/24", "10.100.2.0/24"])
        #expect(made.shape == read.shape)
        #expect(read.withRanges(of: made) == made)
        #expect(try Cluster(stored: made.json) == made)
        #expect(read.with(pods: pods, services: services, nodeMask: 26).nodes[1].podCIDR.description == "10.100.0.64/26")
    }

    @Test("a domain is a name in lower case")
    func domain() throws {
        #expect(try cluster("  dns: {domain: example.lab}\n").dnsDomain == "example.lab" && cluster("").dnsDomain == "cluster.local")
        #expect(complaint("  dns: {domain: Example.}\n").contains("lab.yaml:6: spec.dns.domain: \"Example.\" is no domain"))
    }

    @Test("a network of minik's, IPv6, and names that leave a socket no room are refused")
    func refusals() {
        #expect(complaint("  plugin: flannel\n").contains("lab.yaml:6: spec.plugin: \"flannel\" is laid out by minik"))
        #expect(complaint("  nodeSubnet: fd00:1::/64\n").contains("bootstrap: kubeadm has IPv4 networks only"))
        let long = complaint("  nodes: [{name: \(String(repeating: "n", count: 40))}]\n", name: String(repeating: "c", count: 30))
        #expect(long.contains("together are longer than 48 bytes"))
    }
}
