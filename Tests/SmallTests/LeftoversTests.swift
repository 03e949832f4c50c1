import Model
import Runtime
import Testing

@Suite("what belongs to a cluster is known by what it is")
struct LeftoversTests {
    private let paths = ClusterPaths(cluster: "lab")

    @Test("a process by its arguments")
    func processes() {
        func role(_ words: String) -> ClusterProcess.Role? { ClusterProcess.role(of: words.split(separator: " ").map(String.init), paths) }
        #expect(role("/usr/local/bin/minik serve lab") == .daemon)
        #expect(role("/usr/local/bin/minik serve lab2") == nil)
        #expect(role("minik up lab") == nil && role("vi serve lab") == nil && role("minik") == nil)
        #expect(role("/opt/minik-shim node n1 /var/lib/minik/clusters/lab/nodes/n1") == .node("n1"))
        #expect(role("/opt/minik-shim node n1 /var/lib/minik/clusters/lab/nodes/n1 {} {}") == .node("n1"), "with mounts")
        #expect(role("/opt/minik-shim node n1 /var/lib/minik/clusters/lab2/nodes/n1") == nil)
        #expect(role("/opt/minik-shim pod /run/minik/lab/pods/u-1/shim.sock web /shm 7 own") == .pod(uid: "u-1"))
        #expect(role("/opt/minik-shim pod /run/minik/lab2/pods/u-1/shim.sock web /shm 7 own") == nil)
    }

    @Test("a link that is named as minik names pods' links, of a pod that is gone; never a CNI plugin's or a person's")
    func links() throws {
        func unclaimed(_ names: [String], _ plugin: String) throws -> [String]? {
            let cluster = try DualStack.cluster("  plugin: \(plugin)\n")
            return NodePlugins.layout(of: cluster.nodes[0], in: cluster).map { layout in
                let claimed = layout.linkName(Pod(Fixture.pod("web")))
                return Leftovers.unclaimedLinks(names + [claimed], [Pod(Fixture.pod("web"))], layout)
            }
        }
        #expect(try unclaimed(["veth0a1b2c3d", "veth-mine", "veth1", "vethwxyzwxyz", "cali0a1b2c3d4e5"], "flannel") == ["veth0a1b2c3d"])
        #expect(try unclaimed(["veth0a1b2c3d", "cali0a1b2c3d4e5", "cali1"], "canal") == ["cali0a1b2c3d4e5"])
        #expect(try unclaimed(["veth0a1b2c3d"], "cni") == nil)
    }

    @Test("a namespace's name that no pod claims; never a node's, the LAN's or another cluster's")
    func names() {
        let pods = [Pod(Fixture.pod("web"))]
        let names = ["lab_n1", "lab__lan", "lab__outside", "lab_default_web", "lab_default_gone", "lab2_default_gone", "other"]
        #expect(Leftovers.unclaimedNames(names, pods, paths) == ["lab_default_gone"])
    }
}
