import Foundation
import Testing

@Suite("bad input is refused with file, line and field, and leaves nothing", .serialized)
struct BadInputTests {
    private func refused(_ text: String, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation) throws {
        let before = Shell.run("scripts/leaks").output
        let file = try ClusterFiles.write(text)
        let result = Shell.minik("up \(file)", seconds: 30)
        #expect(!result.isSuccess, "\(result)", sourceLocation: sourceLocation)
        for word in words { #expect(result.errors.contains(word.replacing("FILE", with: file)), "\(result)", sourceLocation: sourceLocation) }
        #expect(Shell.run("scripts/leaks").output == before, sourceLocation: sourceLocation)
    }

    @Test("files")
    func files() throws {
        let head = "apiVersion: minik.dev/v1\nkind: Cluster\nmetadata: {name: bad}\nspec:\n"
        try refused(head + "  podsubnet: 10.0.0.0/16\n", "FILE:5: spec.podsubnet: unknown field")
        try refused(head + "  vni: 1\n  vni: 2\n", "FILE:6:", "vni")
        try refused(head + "  serviceSubnet: 10.244.128.0/20\n", "FILE:5: spec.serviceSubnet: 10.244.128.0/20 overlaps podSubnet 10.244.0.0/16")
        try refused(head + "  nodes:\n  - {name: a, address: 10.9.9.9}\n", "FILE:6: spec.nodes[0].address: 10.9.9.9 is not a host of nodeSubnet")
        try refused(head + "  plugin: weave\n", "FILE:5: spec.plugin: \"weave\" is none of flannel, flannel-netpol")
        try refused("a: [1, 2\n", "FILE:")
        try refused(head + "---\n" + head, "two Cluster documents")
        #expect(Shell.minik("up /nowhere.yaml").errors.contains("the path \"/nowhere.yaml\" does not exist"))
    }

    @Test("an object that the API refuses takes a new cluster back again, in Kubernetes' words")
    func objects() throws {
        let service = """

            ---
            apiVersion: v1
            kind: Service
            metadata: {name: httpd-svc}
            spec:
              type: NodePort
              ports:
              - {port: 8080, nodePort: 33000}
            """
        let words = "spec.ports[0].nodePort: Invalid value: 33000: provided port is not in the valid range. The range of valid ports is 30000-32767"
        try refused(ClusterFiles.cluster("refused", subnet: 206) + service, "Service \"httpd-svc\" is invalid", words, "FILE:17: ")
        try refused(
            ClusterFiles.cluster("refused", subnet: 206) + "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {container: []}\n",
            "unknown field \"spec.container\"")
    }

    @Test("Ctrl-C during `up` takes everything back")
    func interrupted() throws {
        let before = Shell.run("scripts/leaks").output
        let file = try ClusterFiles.write(
            ClusterFiles.cluster("interrupted", subnet: 207)
                + "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: never}\nspec: {containers: [{name: c, image: nothing}]}\n")
        let result = Shell.run("\(Shell.minik) up \(file) & pid=$!; sleep 1; kill -INT $pid; wait $pid; echo code $?", seconds: 30)
        #expect(result.output.contains("code 130") && result.errors.contains("rolling back"), "\(result)")
        #expect(Shell.run("scripts/leaks").output == before)
    }

    @Test("a second `up` of a cluster that is being brought up is refused; another shape for a running cluster is, too")
    func twice() throws {
        let file = try ClusterFiles.write(
            ClusterFiles.cluster("twice", subnet: 208) + "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: never}\nspec: {containers: [{name: c, image: nothing}]}\n")
        let result = Shell.run("\(Shell.minik) up \(file) --timeout 3 2>/dev/null & sleep 1; \(Shell.minik) up \(file); echo code $?; wait", seconds: 30)
        #expect(result.output.contains("code 1") && result.errors.contains("another `minik up` or `down` of cluster \"twice\" is at work"), "\(result)")
        let other = try ClusterFiles.write(ClusterFiles.cluster("twice", subnet: 209))
        #expect(Shell.minik("up \(other)").errors.contains("is up with another shape"))
        #expect(Shell.minik("down twice").isSuccess)
    }

    @Test("whoever is not root is told so")
    func notRoot() {
        let result = Shell.run("setpriv --reuid=65534 --clear-groups \(Shell.minik) up labs/netpol.yaml")
        #expect(!result.isSuccess && result.errors.contains("minik needs root"), "\(result)")
    }
}
