import API
import Foundation
import Lab
import Model
import Runtime
import Testing

@Suite("a lab in a cluster of somebody else's")
struct GuestLabTests {
    private static func node(_ name: String, _ address: String, isControl: Bool = false, isReady: Bool = true) -> Node {
        Node([
            "metadata": ["name": .string(name), "labels": isControl ? ["node-role.kubernetes.io/control-plane": ""] : .emptyObject],
            "status": [
                "addresses": [["type": "InternalIP", "address": .string(address)]],
                "conditions": [["type": "Ready", "status": isReady ? "True" : "False"]],
            ],
        ])
    }

    private static let machines = [node("cp", "10.0.0.1", isControl: true), node("wa", "10.0.0.2"), node("wb", "10.0.0.3")]

    private static func cluster() throws -> Cluster {
        try Cluster(Manifest.read("apiVersion: \(Cluster.apiVersion)\nkind: Cluster\n", file: "defaults")[0])
    }

    private static func lab(_ tasks: String, spec: String = "", objects: String = "") throws -> LabFile {
        let text = """
            apiVersion: minik.dev/v1
            kind: Lab
            metadata: {name: example}
            spec:
              title: t
            \(spec)
              tasks:
            \(tasks)
            \(objects)
            """
        return try LabFile(Manifest.read(text, file: "lab.yaml"), path: "lab.yaml")
    }

    private static func guest(_ file: LabFile) throws -> GuestLab { try GuestLab(file, GuestNames(file.cluster, machines)) }

    @Test("nodes are others, workers workers, and where there are too few one is several; who is not ready is none")
    func nodes() throws {
        let lab = try Self.cluster()
        let three = try GuestNames(lab, Self.machines)
        #expect(three.machines == ["k8s-master": "cp", "k8s-node1": "wa", "k8s-node2": "wb"])
        let two = try GuestNames(lab, [Self.machines[0], Self.machines[1], Self.node("wb", "10.0.0.3", isReady: false)])
        #expect(two.machines["k8s-node2"] == "wa" && two.nodes.map(\.name) == ["cp", "wa"])
        #expect(two.lines == ["k8s-master is cp here", "k8s-node1 is wa here", "k8s-node2 is wa here"])
        let later = try GuestNames(lab, Self.machines, chosen: two.machines)
        #expect(later.machines == two.machines, "what it was once it stays")
        #expect(throws: UserError.self) { try GuestNames(lab, []) }
        #expect(three.cluster(lab).nodes.map(\.address.description) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
    }

    @Test("names and addresses are replaced where they stand as words, once")
    func words() throws {
        // The worker has the name that the control plane has in the lab.
        let names = try GuestNames(Self.cluster(), [Self.node("k8s-node2", "192.168.200.129", isControl: true), Self.machines[1]])
        #expect(names.text("node/k8s-master, k8s-node1. k8s-node10") == "node/k8s-node2, wa. k8s-node10")
        #expect(names.text("192.168.200.128:80 and 192.168.200.129/32") == "192.168.200.129:80 and 10.0.0.2/32")
        #expect(
            names.command("kubectl -n default get pods --namespace=default -n defaults")
                == "kubectl -n minik-lab get pods --namespace=minik-lab -n defaults")
        #expect(
            names.text("shop.default, shop.default.svc.cluster.local; x.defaults")
                == "shop.minik-lab, shop.minik-lab.svc.cluster.local; x.defaults")
        let policy: JSON = ["matchLabels": ["kubernetes.io/metadata.name": "default", "app": "default"]]
        #expect(names.json(policy) == ["matchLabels": ["kubernetes.io/metadata.name": "minik-lab", "app": "default"]])
    }

    @Test("objects lie in the lab's namespaces alone, which are marked; what would be the whole cluster's is refused")
    func objects() throws {
        let task =
            "  - {name: a, title: t, text: t, check: [{object: pod/x, path: .spec.nodeName, value: k8s-node1}, {object: pod/x, namespace: blue}]}"
        let file = try Self.lab(
            task,
            objects: """
                ---
                {apiVersion: v1, kind: Namespace, metadata: {name: blue}}
                ---
                {apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {nodeName: k8s-node1, containers: [{name: c, image: busybox}]}}
                ---
                {apiVersion: v1, kind: ConfigMap, metadata: {name: y, namespace: blue}}
                """)
        let guest = try Self.guest(file), objects = guest.file.objects.map(\.json)
        #expect(guest.namespaces == ["minik-lab", "blue"])
        #expect(objects[0]["metadata"]["labels"]["minik.dev/lab"] == "example")
        #expect(objects[1]["metadata"]["namespace"] == "minik-lab" && objects[1]["spec"]["nodeName"] == "wa")
        #expect(objects[2]["metadata"]["namespace"] == "blue")
        let later = try Self.guest(
            Self.lab(
                "  - {name: a, title: t, text: t, check: [{object: pod/x}], solution: [{apply: '{apiVersion: v1, kind: Namespace, metadata: {name: red}}'}]}"
            ))
        #expect(later.namespaces == ["minik-lab", "red"], "what a step makes goes with the lab, too, and is nobody's before")
        guard case .object(let first) = guest.file.lab.tasks[0].checks[0] else { return #expect(Bool(false), "an object's condition") }
        #expect(first.namespace == "minik-lab" && first.value == "wa")
        for (object, words) in [
            (
                "{apiVersion: v1, kind: ConfigMap, metadata: {name: y, namespace: kube-system}}",
                "the namespace kube-system is not the lab's"
            ),
            ("{apiVersion: v1, kind: PersistentVolume, metadata: {name: y}}", "a PersistentVolume is the whole cluster's"),
        ] {
            let error = try #require(throws: UserError.self) { try Self.guest(Self.lab(task, objects: "---\n\(object)")) }
            #expect(error.message.contains(words), "\(error.message)")
        }
    }

    @Test(
        "a task of which a part cannot be judged is not judged, and why is said; what needs it goes on; packets are judged without TTL and source"
    )
    func judged() throws {
        let guest = try Self.guest(
            Self.lab(
                """
                  - {name: tunnel, title: t, text: t, check: [{on: k8s-node1, run: ip link}, {expect: [{from: a, to: b, port: 80}]}]}
                  - name: reach
                    title: t
                    text: t
                    needs: [tunnel]
                    check: [{expect: [{from: node/k8s-node1, to: default/b, port: 80, ttl: 63, source: self}, {from: a, to: b, port: icmp, ttl: 62}]}]
                    solution: [{on: k8s-node2, run: "true"}]
                  - {name: udp, title: t, text: t, check: [{expect: [{from: a, to: b, port: 99/udp}]}]}
                  - {name: asks, title: t, text: t, check: [{run: minik why a b}]}
                  - {name: partly, title: t, text: t, check: [{expect: [{from: a, to: b, port: 80}]}, {expect: [{namespace: kube-system, from: c, to: b, port: 80}]}]}
                  - {name: named, title: t, text: t, check: [{expect: [{namespace: kube-system, from: pod/default/a, to: c, port: 80}]}]}
                  - {name: owned, title: t, text: t, check: [{expect: [{from: deployment/a, to: c, port: 80}, {from: kube-system/c, to: pod/b, port: 80}]}]}
                """))
        let tasks = guest.file.lab.tasks
        #expect(tasks.map { $0.obstacle == nil } == [false, true, false, false, true, true, true])
        #expect(guest.file.lab.firstNeed(of: tasks[1], passed: []) == nil && tasks[1].solution.isEmpty)
        #expect(
            guest.losses == [
                "tunnel: not judged here: `ip link` is run on k8s-node1, and nodes that are not minik's run nothing",
                "reach: node/k8s-node1 -> default/b:80: that it comes from self is not judged",
                "reach: node/k8s-node1 -> default/b:80: its TTL of 63 is not judged",
                "reach: minik lab solve does not do it: `true` is run on k8s-node2, and nodes that are not minik's run nothing",
                "udp: not judged here: a -> b:99/udp: whether a datagram arrives is not seen from outside a node",
                "asks: not judged here: `minik why` asks clusters of minik's own",
                "partly: not judged here: c -> b:80: pods of kube-system are not the lab's, and nothing is put into them",
                "owned: not judged here: kube-system/c -> pod/b:80: pods of kube-system are not the lab's, and nothing is put into them",
            ])
        guard case .reach(let wanted) = tasks[1].checks[0] else { return #expect(Bool(false), "an expectation") }
        #expect(wanted[0].from == "node/wa" && wanted[0].to == "minik-lab/b" && wanted[0].ttl == nil && wanted[0].source == nil)
        #expect(wanted[1].ttl == 62, "a ping's answer tells it")
    }

    @Test("its shell's kubeconfig has one context, whose namespace is the lab's, and finds the files that the user's names beside itself")
    func kubeconfig() throws {
        let folder = NSTemporaryDirectory() + "minik-guest-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let text = """
            {apiVersion: v1, kind: Config, current-context: here, contexts: [{name: here, context: {cluster: c, user: u}},
             {name: there, context: {cluster: d, user: u, namespace: x}}], users: [{name: u, user: {client-certificate: u.crt, client-key: /k}}],
             clusters: [{name: c, cluster: {server: "https://c", certificate-authority: pki/ca.crt}}, {name: d, cluster: {server: "https://d"}}]}
            """
        try text.write(toFile: "\(folder)/config", atomically: true, encoding: .utf8)
        let user = try UserKubeconfig("\(folder)/config"), here = user.document(nil, namespace: "minik-lab")
        #expect(here["clusters"].items.count == 1)
        #expect(here["clusters"][0]["cluster"]["certificate-authority"].string == "\(folder)/pki/ca.crt")
        #expect(here["users"][0]["user"] == ["client-certificate": .string("\(folder)/u.crt"), "client-key": "/k"])
        let there = user.document("there", namespace: "minik-lab")
        #expect(there["current-context"] == "there" && there["contexts"].items.count == 1)
        #expect(there["contexts"][0]["context"]["namespace"] == "minik-lab" && there["clusters"][0]["name"] == "d")
    }

    @Test("a lab that damages nodes, or of which nothing could be judged, is refused with where it can be taken")
    func refused() throws {
        let task = "  - {name: a, title: t, text: t, check: [{object: pod/x}]}"
        for file in [
            try Self.lab(task, spec: "  setup: [{on: k8s-node1, run: ip link set cni0 down}]"),
            try Self.lab(task, objects: "---\n{apiVersion: minik.dev/v1, kind: Cluster, metadata: {name: l}, spec: {repair: manual}}"),
            try Self.lab("  - {name: a, title: t, text: t, check: [{on: host, run: \"true\"}]}"),
        ] {
            let error = try #require(throws: UserError.self) { try Self.guest(file) }
            #expect(error.hint == "in a cluster of its own it can: sudo minik lab start example", "\(error)")
        }
    }
}

@Suite("a probe's words are understood")
struct GuestScriptTests {
    private static let address = IPAddress("10.0.0.9") ?? .init(ipv4: .max)

    @Test(
        "what busybox' programs say",
        arguments: [
            (.tcp(address, 80), "0 0", .answered), (.tcp(address, 80), "0 143", .silence),
            (.tcp(address, 80), "0 1 nc: can't connect to remote host (10.0.0.9): Connection refused", .refused),
            (.tcp(address, 80), "0 1 nc: 10.0.0.9 (10.0.0.9:80): No route to host", .unreachable),
            (.tcp(address, 80), "0 1 nc: timed out", .silence),
            (.ping(address), "0 0 64 bytes from 10.0.0.9: seq=0 ttl=62 time=0.2 ms", .answered),
            (.ping(address), "0 1 PING 10.0.0.9 (10.0.0.9): 56 data bytes 1 packets transmitted, 0 packets received", .silence),
            (.nameServer(address), "0 1 Server: 10.0.0.9 ** server can't find x: NXDOMAIN", .answered),
            (.nameServer(address), "0 1 ;; connection timed out; no servers could be reached", .silence),
            (.nameServer(address), "0 1 nslookup: read: Connection refused ;; connection timed out", .refused),
        ] as [(GuestScript.Ask, String, ConnectProbe.Answer)])
    func results(_ ask: GuestScript.Ask, _ line: String, _ answer: ConnectProbe.Answer) throws {
        let said = try GuestScript([ask]).answers("\(line)\n")
        #expect(try GuestScript.result(said[0], to: ask).answer == answer)
    }

    @Test("a TTL, a name's address; what is no busybox is said to be none")
    func others() throws {
        let script = GuestScript([.ping(Self.address), .name("shop", .ipv4), .name("nowhere", .ipv4)])
        let said = try script.answers("2 1 ping: bad address 'nowhere'\n0 0 64 bytes: ttl=62\n1 1 PING shop (10.96.0.7): 56 data bytes\n")
        #expect(try GuestScript.result(said[0], to: script.asks[0]).ttl == 62)
        #expect(GuestScript.name(said[1]) == .addresses([try #require(IPAddress("10.96.0.7"))]) && GuestScript.name(said[2]) == .unknown)
        #expect(throws: UserError.self) { try script.answers("0 0\n1 0\n") }
        let bare = try GuestScript([.tcp(Self.address, 80)]).answers("0 127 sh: nc: not found\n")
        #expect(throws: UserError.self) { try GuestScript.result(bare[0], to: .tcp(Self.address, 80)) }
    }
}
