import Foundation
import Testing

@Suite("[Serial] bad input is refused with file, line and field, and leaves nothing", .serialized, .printsClusters)
struct BadInputTests {
    private func refused(_ text: String, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation) throws {
        let file = try ClusterFiles.write(text)
        let result = Shell.minik("up \(file)", seconds: 30)
        #expect(!result.isSuccess, "\(result)", sourceLocation: sourceLocation)
        for word in words {
            #expect(result.errors.contains(word.replacing("FILE", with: file)), "\(result)", sourceLocation: sourceLocation)
        }
        #expect(Shell.run("scripts/leaks bad refused").output.isEmpty, sourceLocation: sourceLocation)
    }

    @Test("files")
    func files() throws {
        let head = "apiVersion: minik.dev/v1\nkind: Cluster\nmetadata: {name: bad}\nspec:\n"
        try refused(head + "  podsubnet: 10.0.0.0/16\n", "FILE:5: spec.podsubnet: unknown field")
        try refused(head + "  vni: 1\n  vni: 2\n", "FILE:6:", "vni")
        try refused(
            head + "  serviceSubnet: 10.244.128.0/20\n", "FILE:5: spec.serviceSubnet: 10.244.128.0/20 overlaps podSubnet 10.244.0.0/16")
        try refused(
            head + "  nodes:\n  - {name: a, address: 10.9.9.9}\n", "FILE:6: spec.nodes[0].address: 10.9.9.9 is not a host of nodeSubnet")
        try refused(head + "  plugin: weave\n", "FILE:5: spec.plugin: \"weave\" is none of flannel, flannel-netpol")
        try refused("a: [1, 2\n", "FILE:")
        try refused(head + "  images: app.tar\n", "FILE:5: spec.images: must be a list of texts, not text")
        let text = try ClusterFiles.write("no certificate\n")
        try refused(
            head + "  registries:\n  - {host: r.example, caFile: \(text)}\n",
            "spec.registries: r.example: caFile \(text) is no certificate in PEM", "-----BEGIN CERTIFICATE-----")
        #expect(Shell.run("for left in /var/lib/minik/bad.lock /run/minik/bad; do [ ! -e $left ] || echo $left; done").output == "")
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
        let words =
            "spec.ports[0].nodePort: Invalid value: 33000: provided port is not in the valid range. The range of valid ports is 30000-32767"
        try refused(ClusterFiles.cluster("refused", subnet: 206) + service, "Service \"httpd-svc\" is invalid", words, "FILE:17: ")
        try refused(
            ClusterFiles.cluster("refused", subnet: 206) + "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {container: []}\n",
            "unknown field \"spec.container\"")
    }

    @Test("Ctrl-C during `up` takes everything back")
    func interrupted() throws {
        let file = try ClusterFiles.write(
            ClusterFiles.cluster("interrupted", subnet: 207)
                + "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: never}\nspec: {containers: [{name: c, image: nothing}]}\n")
        let result = Shell.run("\(Shell.minik) up \(file) & pid=$!; sleep 1; kill -INT $pid; wait $pid; echo code $?", seconds: 30)
        #expect(result.output.contains("code 130") && result.errors.contains("rolling back"), "\(result)")
        #expect(Shell.run("scripts/leaks interrupted").output.isEmpty)
    }

    @Test("a second `up` of a cluster that is being brought up is refused; another shape for a running cluster is, too")
    func twice() throws {
        let file = try ClusterFiles.write(
            ClusterFiles.cluster("twice", subnet: 208)
                + "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: never}\nspec: {containers: [{name: c, image: nothing}]}\n")
        let result = Shell.run(
            "\(Shell.minik) up \(file) --timeout 3 2>/dev/null & sleep 1; \(Shell.minik) up \(file); echo code $?; wait", seconds: 30)
        #expect(
            result.output.contains("code 1") && result.errors.contains("another command is at work on cluster \"twice\""),
            "\(result)")
        let other = try ClusterFiles.write(ClusterFiles.cluster("twice", subnet: 209))
        #expect(Shell.minik("up \(other)").errors.contains("is up with another shape"))
        #expect(Shell.minik("down twice").isSuccess)
    }

    @Test("whatever the kernel refuses while a cluster is made is named, with the module to load, and leaves nothing")
    func refusals() throws {
        let file = try ClusterFiles.write(ClusterFiles.cluster("refusing", subnet: 216))
        var said = ""
        // The first messages are the preflight's, the others the nodes': one after the other the kernel has no such feature.
        for number in [1, 2, 4, 5, 9, 13, 17, 21, 25, 29] {
            let result = Shell.run(
                "timeout -s KILL 8 strace -f -qq -o /dev/null -e trace=sendto -e inject=sendto:error=EOPNOTSUPP:when=\(number) \(Shell.minik) up \(file)",
                seconds: 12)
            #expect(result.status == 1 && result.errors.contains("Operation not supported"), "netlink message \(number): \(result)")
            #expect(Shell.run("scripts/leaks refusing").output.isEmpty, "netlink message \(number)")
            said += result.errors
        }
        for (feature, module) in [("bridges", "bridge"), ("veth pairs", "veth"), ("VXLAN", "vxlan"), ("nf_tables with NAT", "nf_tables")] {
            #expect(said.contains("this kernel lacks \(feature)") && said.contains("load it: modprobe \(module)"), "\(feature): \(said)")
        }
    }

    @Test("make install puts what was built where the PATH finds it, and it finds its small programs there")
    func install() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "root-\(UUID().uuidString.prefix(8))").path
        defer { try? FileManager.default.removeItem(atPath: root) }
        #expect(Shell.run("make install DESTDIR=\(root)").isSuccess)
        #expect(Shell.run("cd / && PATH=\(root)/usr/local/bin:$PATH minik --version").isSuccess)
        #expect(Shell.run("grep -q 'Type=notify' \(root)/etc/systemd/system/minik@.service").isSuccess)
        let file = try ClusterFiles.write(ClusterFiles.cluster("installed", subnet: 217) + "\n" + ClusterFiles.echo)
        let commands = "minik up \(file) && minik exec --cluster installed echo -- echo here && minik down installed"
        let up = Shell.run("cd / && PATH=\(root)/usr/local/bin:$PATH && \(commands)", seconds: 60)
        #expect(up.isSuccess && up.output.contains("here"), "\(up)")
        #expect(Shell.run("scripts/leaks installed").output.isEmpty)
    }

    @Test("whoever is not root is told so")
    func notRoot() {
        let result = Shell.run("setpriv --reuid=65534 --clear-groups \(Shell.minik) up labs/netpol.yaml")
        #expect(!result.isSuccess && result.errors.contains("minik needs root"), "\(result)")
    }
}
