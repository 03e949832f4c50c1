import Glibc
import Host
import Lab
import Model
import Runtime
import Testing

@Suite("Lab: which cluster is meant, and who may change it")
struct LabClusterTests {
    @Test("the named cluster, or the only one")
    func chosen() throws {
        #expect(try RunningCluster.chosen(nil, of: ["lab"]) == "lab")
        #expect(try RunningCluster.chosen("b", of: ["a", "b"]) == "b")
    }

    @Test(
        "what is wrong with a choice, and what would be right",
        arguments: [
            (nil, [], "no cluster is up", "start one: minik up labs/netpol.yaml"),
            ("x", [], "there is no cluster \"x\"", "start one: minik up labs/netpol.yaml"),
            ("x", ["a", "b"], "there is no cluster \"x\"", "there are: a, b"),
            (nil, ["a", "b"], "several clusters are up: a, b", "choose one with --cluster NAME"),
        ] as [(String?, [String], String, String)])
    func refused(_ name: String?, _ running: [String], _ message: String, _ hint: String) throws {
        let error = try #require(throws: UserError.self) { try RunningCluster.chosen(name, of: running) }
        #expect(error.message == message && error.hint == hint)
    }

    @Test(
        "what is no name of a cluster is refused before anything is looked at: trees are removed by it",
        arguments: ["", ".", "..", "../lab", "a/b", "A", "a b", "a_b", "-a", "a-", "a.b", "ä", String(repeating: "a", count: 33)])
    func names(_ name: String) throws {
        let error = try #require(throws: UserError.self) { _ = try ClusterPaths(named: name) }
        #expect(error.message == "the cluster's name \"\(name)\" \(Cluster.nameRule)")
        #expect(throws: UserError.self) { _ = try ClusterStart.Wish(files: [], name: name, patience: nil) }
    }

    @Test(
        "a name that a Cluster document may have is one for every command",
        arguments: ["a", "0", "lab-2", String(repeating: "a", count: 32)])
    func named(_ name: String) throws { #expect(try ClusterPaths(named: name).cluster == name) }

    @Test("what the cluster runs for its users is made when missing, and named; what is there is left as its owner has it")
    func addOns() async throws {
        let api = try await Fixture.api(), addOns = AddOns(Cluster(), ClusterPaths(cluster: "c", below: "/nowhere"))
        _ = try await api.create(.namespaces, Fixture.namespace("kube-system"))
        #expect(try await addOns.missing(api) == ["services/kube-dns", "deployments/coredns", "gatewayclasses/minik"])
        #expect(try await addOns.ensure(api) == ["services/kube-dns", "deployments/coredns", "gatewayclasses/minik"])
        var deployment = try await api.get(.deployments, ObjectKey("kube-system", "coredns"))
        deployment["spec"]["replicas"] = 2
        _ = try await api.update(.deployments, deployment)
        try await api.delete(.services, ObjectKey("kube-system", "kube-dns"))
        #expect(try await addOns.missing(api) == ["services/kube-dns"])
        #expect(try await addOns.ensure(api) == ["services/kube-dns"])
        #expect(try await addOns.missing(api).isEmpty)
        #expect(try await api.get(.deployments, ObjectKey("kube-system", "coredns"))["spec"]["replicas"] == 2)
    }

    @Test("a damaged document of a cluster is named, with what to do", arguments: ["", "{", "[]", "{\"kind\": \"Pod\"}"])
    func damaged(_ text: String) throws {
        try withDirectory { directory in
            let paths = ClusterPaths(cluster: "c", below: directory)
            #expect(try paths.storedCluster() == nil)
            try Files.makeDirectory(paths.state)
            try Files.write(text, to: paths.clusterFile)
            let error = try #require(throws: UserError.self) { try paths.storedCluster() }
            #expect(error.message.hasPrefix("\(paths.clusterFile) does not say what the cluster is: "))
            #expect(error.hint?.contains("minik down c") == true)
        }
    }

    @Test("one `up` or `down` of a cluster at a time; another's lock is another's")
    func lock() throws {
        try withDirectory { directory in
            let lock = try ClusterLock(path: "\(directory)/a.lock", cluster: "a")
            let error = try #require(throws: UserError.self) { _ = try ClusterLock(path: "\(directory)/a.lock", cluster: "a") }
            #expect(error.description.contains("another command is at work on cluster \"a\""))
            let other = try ClusterLock(path: "\(directory)/b.lock", cluster: "b")
            other.release()
            lock.release()
            try ClusterLock(path: "\(directory)/a.lock", cluster: "a").release()
        }
    }

    @Test("a lock of a cluster that is gone leaves no file, and the next is one on a file that has a name")
    func removed() throws {
        try withDirectory { directory in
            try ClusterLock(path: "\(directory)/a.lock", cluster: "a").remove()
            #expect(Files.list(directory).isEmpty)
            let next = try ClusterLock(path: "\(directory)/a.lock", cluster: "a")
            #expect(throws: UserError.self) { _ = try ClusterLock(path: "\(directory)/a.lock", cluster: "a") }
            next.release()
        }
    }

    @Test("a lock that cannot be had for another reason says which")
    func unwritable() throws {
        let error = try #require(throws: FileError.self) { _ = try ClusterLock(path: "/no/such/directory/a.lock", cluster: "a") }
        #expect("\(error)".contains("/no/such/directory/a.lock"))
    }

    private func withDirectory(_ body: (String) throws -> Void) throws {
        var template = Array("/tmp/minik-lab-XXXXXX".utf8CString)
        let directory = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer { Files.removeTree(directory) }
        try body(directory)
    }
}
