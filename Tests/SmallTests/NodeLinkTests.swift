import API
import Model
import Testing

@Suite("a Cluster document's links")
struct NodeLinkTests {
    private func cluster(_ spec: String) throws -> Cluster {
        let text = "apiVersion: minik.dev/v1\nkind: Cluster\nspec:\n\(spec)"
        return try Cluster(try #require(try Manifest.read(text, file: "lab.yaml").first))
    }

    @Test("what was read is what is stored, in the nodes' order; a link of which nothing is said is none; they may change while it runs")
    func read() throws {
        let cluster = try cluster(
            "  links:\n  - {node: k8s-node2, partitioned: true}\n  - {node: k8s-master}\n"
                + "  - {node: k8s-node1, delay: 50ms, jitter: 5ms, loss: 0.5%, rate: 10mbit, corrupt: 0.1%, reorder: 25%}\n")
        let link = cluster.link(of: "k8s-node1")
        #expect((link.delay, link.jitter, link.rate) == (50_000, 5_000, 10_000_000))
        #expect((link.loss, link.corrupt, link.reorder) == (0.5, 0.1, 25))
        #expect(cluster.links.count == 2 && cluster.link(of: "k8s-node2").isPartitioned && cluster.link(of: "k8s-master").isPlain)
        #expect(try Cluster(stored: cluster.json).link(of: "k8s-node1") == link)
        #expect(cluster.shape.links.isEmpty)
        var other = cluster
        other.set(Cluster.NodeLink(node: "k8s-node2"))
        #expect(other.links == [link])
    }

    @Test(
        "a field is written back as it is read",
        arguments: [
            (Cluster.NodeLink.Field.delay, "50ms", "50ms"), (.delay, "1500us", "1500us"), (.delay, "2000ms", "2s"), (.delay, "0s", ""),
            (.loss, "1%", "1%"), (.loss, "100.0%", "100%"), (.corrupt, "0.1%", "0.1%"), (.rate, "1000kbit", "1mbit"),
            (.rate, "1500bit", "1500bit"), (.rate, "34gbit", "34gbit"),
        ])
    func words(_ field: Cluster.NodeLink.Field, _ text: String, _ back: String) throws {
        var link = Cluster.NodeLink(node: "n")
        try link.set(field, text)
        #expect((link.text(of: field) ?? "") == back)
    }

    @Test(
        "what is wrong is told with its line and its field",
        arguments: [
            ("  links: [{node: nosuch}]\n", "spec.links[0].node: there is no node \"nosuch\"; there are: k8s-master, k8s-node1"),
            ("  links: [{node: k8s-node1, partitioned: true}, {node: k8s-node1}]\n", "spec.links[1].node: \"k8s-node1\" is there twice"),
            ("  links: [{node: k8s-node1, latency: 5ms}]\n", "spec.links[0].latency: unknown field"),
            ("  links: [{delay: 5ms}]\n", "spec.links[0].node: Required value"),
            ("  links: [{node: k8s-node1, delay: 5}]\n", "spec.links[0].delay: must be text, not a number"),
            ("  links: [{node: k8s-node1, delay: \"5\"}]\n", "spec.links[0].delay: \"5\" must be a time of at most 60s"),
            ("  links: [{node: k8s-node1, delay: -5ms}]\n", "spec.links[0].delay: \"-5ms\" must be a time"),
            ("  links: [{node: k8s-node1, delay: 61s}]\n", "spec.links[0].delay: \"61s\" must be a time"),
            ("  links: [{node: k8s-node1, jitter: 5ms}]\n", "spec.links[0].jitter: means nothing without delay"),
            ("  links: [{node: k8s-node1, reorder: 5%}]\n", "spec.links[0].reorder: means nothing without delay"),
            ("  links: [{node: k8s-node1, delay: 1ms, jitter: 2ms}]\n", "spec.links[0].jitter: must not be longer than delay"),
            ("  links: [{node: k8s-node1, loss: 101%}]\n", "spec.links[0].loss: \"101%\" must be a percentage"),
            ("  links: [{node: k8s-node1, loss: nan%}]\n", "spec.links[0].loss: \"nan%\" must be a percentage"),
            ("  links: [{node: k8s-node1, rate: 10}]\n", "spec.links[0].rate: must be text, not a number"),
            ("  links: [{node: k8s-node1, rate: 10mb}]\n", "spec.links[0].rate: \"10mb\" must be a rate"),
            ("  links: [{node: k8s-node1, rate: 99999999999999999999gbit}]\n", "spec.links[0].rate: \"99999999999999999999gbit\" must"),
            ("  links: [{node: k8s-node1, rate: 1bit}]\n", "spec.links[0].rate: \"1bit\" must be a rate between 1kbit"),
            ("  nodeMonitorGracePeriod: 3s\n", "spec.nodeMonitorGracePeriod: \"3s\" must be whole seconds between 4s and 1h"),
            ("  nodeMonitorGracePeriod: 4500ms\n", "spec.nodeMonitorGracePeriod: \"4500ms\" must be whole seconds"),
        ])
    func wrong(_ spec: String, _ words: String) {
        do {
            _ = try cluster(spec)
            Issue.record("it was taken")
        } catch { #expect("\(error)".hasPrefix("lab.yaml:4: \(words)"), "\(error)") }
    }

    @Test("how long a node may be silent is forty seconds, or what the document says")
    func grace() throws {
        #expect(try cluster("  plugin: flannel\n").nodeMonitorGracePeriod == 40)
        let short = try cluster("  nodeMonitorGracePeriod: 8s\n")
        #expect(short.nodeMonitorGracePeriod == 8)
        #expect(try Cluster(stored: short.json) == short)
    }
}
