import Model
import Proxy
import Rules
import Testing

@Suite("The policies' loop")
struct PolicyProxyTests {
    private static let denyAll: JSON = ["podSelector": .emptyObject, "policyTypes": ["Ingress"]]

    private static func pod(_ name: String, _ address: String) -> JSON {
        var pod = Fixture.pod(name, labels: ["app": name], node: "n1")
        pod["status"] = ["phase": "Running", "podIP": .string(address)]
        return pod
    }

    private static func create(_ name: String, _ address: String, in node: ProxiedNode) async throws {
        _ = try await node.api.create(.pods, pod(name, address))
        _ = try await node.api.updateStatus(.pods, pod(name, address))
    }

    private func proxy(_ node: ProxiedNode) -> PolicyProxy {
        PolicyProxy(
            node: ProxiedNode.view, client: node.client, target: node.target, connections: node.connections, clock: node.clock,
            report: { [reports = node.reports] in reports.add($0) })
    }

    private func following(_ node: ProxiedNode, _ body: @escaping @Sendable (PolicyProxy) async throws -> Void) async throws {
        let proxy = proxy(node)
        let (ready, isReady) = AsyncStream.makeStream(of: Void.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await proxy.run { isReady.finish() } }
            for await _ in ready {}
            try await body(proxy)
            group.cancelAll()
        }
    }

    /// The pods that the kernel's table isolates.
    private static func isolated(_ node: ProxiedNode) async -> Set<String> {
        Set((await node.target.memory.rules.elements["isolated-ingress"] ?? [:]).keys.map { "\($0[0])" })
    }

    @Test("a watch that expires is begun again once, and a policy that went meanwhile is gone")
    func expired() async throws {
        let node = try await ProxiedNode()
        try await Self.create("a", "10.244.1.2", in: node)
        _ = try await node.api.create(.networkPolicies, Fixture.networkPolicy(Self.denyAll))
        try await following(node) { _ in
            #expect(await Self.isolated(node) == ["10.244.1.2"])
            try await eventually("it watches") { node.client.watches == 5 }
            node.client.expireWatches()
            try await eventually("it waits") { node.clock.sleepers == 5 }
            try await node.api.delete(.networkPolicies, Fixture.key("rules"))
            node.clock.pass(.seconds(1))
            try await eventually("the gap's deletion is made up for") { await Self.isolated(node).isEmpty }
            try await eventually("it watches again") { node.client.watches == 5 }
            #expect(node.client.lists == 10)
            _ = try await node.api.create(.networkPolicies, Fixture.networkPolicy(Self.denyAll))
            try await eventually("it follows as before") { await Self.isolated(node) == ["10.244.1.2"] }
            #expect(node.client.lists == 10)
        }
    }

    @Test("a policy that the kernel refused holds as soon as the clock says so, although nothing else happens")
    func refused() async throws {
        let node = try await ProxiedNode()
        try await Self.create("a", "10.244.1.2", in: node)
        try await following(node) { _ in
            await node.target.refuse(1_000)
            _ = try await node.api.create(.networkPolicies, Fixture.networkPolicy(Self.denyAll))
            try await eventually("it waits") { node.clock.sleepers == 1 }
            #expect(await Self.isolated(node).isEmpty)
            await node.target.refuse(0)
            node.clock.pass(.seconds(1))
            try await eventually("the policy holds") { await Self.isolated(node) == ["10.244.1.2"] }
        }
    }

    @Test("a pod is admitted when its policies hold, and not before everything is known")
    func admitted() async throws {
        let node = try await ProxiedNode()
        _ = try await node.api.create(.networkPolicies, Fixture.networkPolicy(Self.denyAll))
        let proxy = proxy(node), address = try #require(IPAddress("10.244.1.7"))
        node.client.refuseLists(2)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await proxy.run {} }
            let admission = Task { try await proxy.admit(Pod(Fixture.pod("new", node: "n1")), addresses: [address]) }
            try await eventually("two lists failed") { node.clock.sleepers == 2 }
            #expect(await node.target.applied.isEmpty, "the table is left alone until everything is known")
            node.clock.pass(.seconds(1))
            try await admission.value
            #expect(await Self.isolated(node) == ["10.244.1.7"])
            await node.target.refuse(3)
            await proxy.release(Pod(Fixture.pod("new", node: "n1")))
            try await eventually("it waits") { node.clock.sleepers == 1 }
            await #expect(throws: UnwillingTable.Refusal.self) {
                await node.target.refuse(1_000)
                try await proxy.admit(Pod(Fixture.pod("other", node: "n1")), addresses: [address])
            }
            group.cancelAll()
        }
    }

    @Test("a pod's admission asks for no policies that are known already, and for those whose event has not arrived")
    func admissionCost() async throws {
        let node = try await ProxiedNode()
        for number in 0..<20 {
            var policy = Fixture.networkPolicy(["podSelector": ["matchLabels": ["app": "x\(number)"]], "policyTypes": ["Ingress"]])
            policy["metadata"]["name"] = .string("p\(number)")
            _ = try await node.api.create(.networkPolicies, policy)
        }
        try await following(node) { proxy in
            try await eventually("it watches") { node.client.watches == 5 }
            func admit(_ name: String, _ address: String) async throws {
                let pod = Pod(try await node.api.create(.pods, Fixture.pod(name, labels: ["app": name], node: "n1")))
                try await proxy.admit(pod, addresses: [try #require(IPAddress(address))])
            }
            try await admit("x3", "10.244.1.3")
            #expect(await Self.isolated(node) == ["10.244.1.3"])
            #expect(node.client.lists == 5, "nothing is asked for twice")

            node.client.hold(.networkPolicies, true)
            try await node.api.delete(.networkPolicies, Fixture.key("p0"))
            _ = try await node.api.create(.networkPolicies, Fixture.networkPolicy(Self.denyAll))
            try await admit("a", "10.244.1.4")
            #expect(await Self.isolated(node) == ["10.244.1.3", "10.244.1.4"], "a policy older than the pod holds")
            #expect(node.client.lists == 6)
            node.client.hold(.networkPolicies, false)
            try await eventually("its event is known") {
                let before = node.client.lists
                try await admit("b\(before)", "10.244.1.5")
                try await node.api.delete(.pods, Fixture.key("b\(before)"), gracePeriod: 0, uid: nil)
                return node.client.lists == before
            }
        }
    }

    @Test("a pod whose record is gone is held until it is released, and its release leaves its successor of the same name alone")
    func successor() async throws {
        let node = try await ProxiedNode()
        _ = try await node.api.create(.networkPolicies, Fixture.networkPolicy(Self.denyAll))
        try await following(node) { proxy in
            func admit(_ address: String) async throws -> Pod {
                let pod = Pod(try await node.api.create(.pods, Fixture.pod("a", labels: ["app": "a"], node: "n1")))
                try await proxy.admit(pod, addresses: [try #require(IPAddress(address))])
                return pod
            }
            /// Another pod, that is heard of after everything before it.
            func mark(_ name: String, _ address: String) async throws {
                try await Self.create(name, address, in: node)
                try await eventually("\(name) is isolated") { await Self.isolated(node).contains(address) }
            }
            let old = try await admit("10.244.1.2")
            try await node.api.delete(.pods, old.key, gracePeriod: 0, uid: nil)
            try await mark("x", "10.244.1.9")
            #expect(await Self.isolated(node) == ["10.244.1.2", "10.244.1.9"], "it may run for a while")
            let new = try await admit("10.244.1.3")
            #expect(old.uid != new.uid)
            #expect(await Self.isolated(node) == ["10.244.1.2", "10.244.1.3", "10.244.1.9"])
            await proxy.release(old)
            try await eventually("the old one's address is free") { await !Self.isolated(node).contains("10.244.1.2") }
            try await mark("y", "10.244.1.8")
            #expect(await Self.isolated(node) == ["10.244.1.3", "10.244.1.9", "10.244.1.8"])
            await proxy.release(new)
            try await eventually("nothing is left of it") { await !Self.isolated(node).contains("10.244.1.3") }
        }
    }

    @Test("connections that a policy denies now end; those of pods it does not isolate stand")
    func cutOff() async throws {
        let node = try await ProxiedNode()
        try await Self.create("a", "10.244.1.2", in: node)
        try await node.connections.add(from: "10.244.2.9", to: "10.244.1.2", 80, proto: .tcp)
        try await node.connections.add(from: "10.244.2.9", to: "10.244.1.3", 80, proto: .tcp)
        try await following(node) { _ in
            _ = try await node.api.create(.networkPolicies, Fixture.networkPolicy(Self.denyAll))
            try await eventually("the denied one is gone") { await node.connections.answering == ["10.244.1.3"] }
        }
    }

    @Test("a pod's connection to its own node ends when the cluster's policies deny it, and not when the namespace's do")
    func cutOffFromNode() async throws {
        let node = try await ProxiedNode(), own = "\(ProxiedNode.view.address)"
        try await Self.create("a", "10.244.1.2", in: node)
        try await node.connections.add(from: "10.244.1.2", to: own, 6443, proto: .tcp)
        try await node.connections.add(from: "10.244.1.2", to: "10.244.2.9", 80, proto: .tcp)
        try await following(node) { _ in
            _ = try await node.api.create(
                .networkPolicies, Fixture.networkPolicy(["podSelector": .emptyObject, "policyTypes": ["Egress"]]))
            try await eventually("the other pod's is gone") { await node.connections.answering == [own] }
            let spec: JSON = [
                "tier": "Admin", "priority": 1, "subject": ["namespaces": .emptyObject],
                "egress": [["action": "Deny", "to": [["networks": ["0.0.0.0/0"]]]]],
            ]
            _ = try await node.api.create(
                .clusterNetworkPolicies,
                [
                    "apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy", "metadata": ["name": "deny"],
                    "spec": spec,
                ])
            try await eventually("the node's is gone, too") { await node.connections.answering.isEmpty }
        }
    }
}

@Suite("Host ports in the kernel")
struct HostPortProxyTests {
    private static func pod(_ name: String, _ port: Int, proto: String = "TCP", uid: String = "1") -> Pod {
        var pod = Fixture.pod(name, node: "n1")
        pod["metadata"]["uid"] = .string(uid)
        pod["spec"]["containers"] = [
            ["name": "main", "image": "httpd:2.4", "ports": [["containerPort": 80, "hostPort": .int(port), "protocol": .string(proto)]]]
        ]
        return Pod(pod)
    }

    private func proxy(_ node: ProxiedNode) -> HostPortProxy {
        HostPortProxy(
            node: ProxiedNode.view, client: node.client, target: node.target, connections: node.connections, clock: node.clock,
            report: { [reports = node.reports] in reports.add($0) })
    }

    @Test("the first pods of a node, admitted at once, all have their ports")
    func firstPods() async throws {
        let node = try await ProxiedNode(), proxy = proxy(node)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 2..<10 {
                group.addTask {
                    try await proxy.admit(Self.pod("p\(number)", 8000 + number), addresses: [IPAddress(ipv4: 0x0AF4_0100 + UInt32(number))])
                }
            }
            try await group.waitForAll()
        }
        #expect(await node.endpoints.count == 8)
    }

    @Test("a pod is not admitted when the kernel refuses, and its ports come with the clock; they go with it, and the table with the last")
    func refused() async throws {
        let node = try await ProxiedNode(), proxy = proxy(node)
        await node.target.refuse(2)
        let address = IPAddress(ipv4: 0x0AF4_0102)
        await #expect(throws: UnwillingTable.Refusal.self) { try await proxy.admit(Self.pod("a", 8080), addresses: [address]) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await proxy.run() }
            try await eventually("it waits, or is done") {
                if await node.endpoints == ["10.244.1.2"] { return true }
                return node.clock.sleepers == 1
            }
            node.clock.pass(.seconds(1))
            try await eventually("the port is there") { await node.endpoints == ["10.244.1.2"] }
            try await proxy.release(Self.pod("a", 8080))
            #expect(await node.target.memory.rules.isEmpty)
            group.cancelAll()
        }
    }

    @Test("a pod's release leaves the ports to its successor of the same name")
    func successor() async throws {
        let node = try await ProxiedNode(), proxy = proxy(node)
        let old = Self.pod("a", 8080, uid: "old"), new = Self.pod("a", 8080, uid: "new")
        try await proxy.admit(old, addresses: [IPAddress(ipv4: 0x0AF4_0102)])
        try await proxy.admit(new, addresses: [IPAddress(ipv4: 0x0AF4_0103)])
        try await proxy.release(old)
        #expect(await node.endpoints == ["10.244.1.3"])
        try await proxy.release(new)
        #expect(await node.target.memory.rules.isEmpty)
    }

    @Test("UDP connections from before the pod, and to it after its end, are forgotten")
    func connections() async throws {
        let node = try await ProxiedNode(), proxy = proxy(node)
        try await node.connections.add(from: "192.168.200.99", to: "192.168.200.11", 5353)
        try await node.connections.add(from: "192.168.200.99", to: "192.168.200.11", 5354)
        try await proxy.admit(Self.pod("dns", 5353, proto: "UDP"), addresses: [IPAddress(ipv4: 0x0AF4_0102)])
        #expect(await node.connections.all.map(\.sent.destinationPort) == [5354])
        try await node.connections.add(from: "192.168.200.99", to: "192.168.200.11", 5353, answeredBy: "10.244.1.2")
        try await proxy.release(Self.pod("dns", 5353, proto: "UDP"))
        #expect(await node.connections.all.map(\.sent.destinationPort) == [5354])
    }
}
