import Lab
import Model
import Netlink
import Proxy
import Rules
import Runtime
import Testing

@Suite("a packet's story is told in order from what each place saw")
struct PacketStoryTests {
    private static let pod = IPAddress(ipv4: 0x0AF4_0003), service = IPAddress(ipv4: 0x0A01_0007), web = IPAddress(ipv4: 0x0AF4_0102)
    private let table = TableID(.ip, "minik-trace"), proxy = TableID(.ip, "kube-proxy"), policy = TableID(.ip, "kube-netpol")
    private let probe = ProbePacket(from: pod, to: service, proto: 6, port: 80, token: 0x0A0B_0C0D)
    private var translated: ProbePacket { ProbePacket(from: Self.pod, to: Self.web, proto: 6, port: 8080, token: probe.token) }

    private func link(_ index: Int32, _ name: String, master: Int32? = nil) -> (Int32, Link) {
        (index, Link(index: index, name: name, mtu: 1450, address: nil, isUp: true, kind: "veth", master: master))
    }

    private var places: [PacketStory.Place] {
        [
            .init(name: "default/amy", kind: .pod, links: .init(uniqueKeysWithValues: [link(2, "eth0")])),
            .init(
                name: "node", kind: .node,
                links: .init(uniqueKeysWithValues: [link(3, "cni0"), link(4, "veth4", master: 3), link(5, "eth0")]),
                neighbours: [4: "default/amy"]),
        ]
    }

    private func frame(_ time: UInt64, _ device: Int32, out: Bool, _ packet: [UInt8], other: Bool = false) -> CapturedFrame {
        let bytes: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0] + packet
        return CapturedFrame(time: time, device: device, isOutgoing: out, isForOther: other, bytes: bytes, length: bytes.count)
    }

    private func answer(_ flags: UInt8, from: IPAddress) -> [UInt8] {
        var bytes = ProbePacket(from: from, to: Self.pod, proto: 6, port: 61000, token: 5).bytes
        bytes.replaceSubrange(28..<32, with: [0x0A, 0x0B, 0x0C, 0x0E])
        bytes[33] = flags
        return bytes
    }

    private var there: [(place: Int, frame: CapturedFrame)] {
        [
            (1, frame(1200, 4, out: false, probe.bytes)), (1, frame(1200, 3, out: false, probe.bytes)),
            (0, frame(1000, 2, out: true, probe.bytes)),
            (1, frame(1900, 5, out: true, translated.bytes)),
        ]
    }

    /// What the node's kernel told: the Service, and a policy that lets through or not.
    private func told(drop: Bool) throws -> StoryTelling.Told {
        let sent = try #require(Datagram(probe.bytes)), now = try #require(Datagram(translated.bytes))
        var told = StoryTelling.Told()
        told.events = [
            TraceEvent(packet: 1, table: table, chain: "prerouting", ruleHandle: 1, datagram: sent),
            TraceEvent(packet: 1, table: proxy, chain: "nat-prerouting", ruleHandle: 2, verdict: "jump services", datagram: sent),
            TraceEvent(packet: 1, table: proxy, chain: "services", ruleHandle: 3, verdict: "accept"),
            // Taken up from the bridge: the same packet by another number.
            TraceEvent(packet: 9, table: policy, chain: "forward", ruleHandle: 4, verdict: "jump judge", datagram: now),
            TraceEvent(packet: 9, table: policy, chain: "judge", ruleHandle: 5, verdict: drop ? "drop" : "return"),
        ]
        told.outlines[table] = TableOutline(points: ["prerouting": .prerouting])
        let leads = Rule(.verdict(.accept), comment: "leads to web"), judges = Rule(.verdict(.drop), comment: "isolated by default/p")
        told.outlines[proxy] = TableOutline(points: ["nat-prerouting": .prerouting], rules: [3: leads])
        told.outlines[policy] = TableOutline(points: ["forward": .forward], rules: [5: judges])
        var original = ConnectionTuple(sent), reply = ConnectionTuple(now).reversed
        (original.proto, reply.proto) = (6, 6)
        told.connections = [(original, reply)]
        return told
    }

    private func story(_ frames: [(place: Int, frame: CapturedFrame)], drop: Bool = false) throws -> PacketStory {
        let sights = PacketStory.sights(frames, of: probe, in: places)
        var telling = StoryTelling(places: places, sights: sights, of: probe, ownTable: table)
        telling.told[1] = try told(drop: drop)
        #expect(telling.questions == [.init(place: 0, destination: Self.service), .init(place: 1, destination: Self.web)])
        telling.routes[.init(place: 1, destination: Self.web)] = RouteAnswer(
            destination: IPNetwork(Self.web, 24), gateway: IPAddress(ipv4: 1), device: 5)
        return telling.story(nil)
    }

    private func words(_ story: PacketStory) -> [String] {
        story.steps.map { step in
            switch step.event {
            case .resolved: "name"
            case .seen(let sight):
                "\(step.leg.rawValue) \(step.place) \(sight.isOutgoing ? "out" : "in") \(story.places[sight.place].links[sight.device]?.name ?? "?")"
            case .route(let route): "route \(route)"
            case .bridged: "bridged"
            case .rule(let rule): "\(rule.point) \(rule.reason ?? rule.rule)"
            case .policy: "policy"
            case .tracked(let original, let reply): "tracked \(original.destination) \(reply.source)"
            }
        }
    }

    @Test("rules stand between a packet's coming and its going, the route where it is chosen, the answer at the end")
    func order() throws {
        let back = (place: 0, frame: frame(2500, 2, out: false, answer(Datagram.syn | Datagram.acknowledging, from: Self.service)))
        let story = try story(there + [back])
        #expect(
            words(story) == [
                "route none to 10.1.0.7", "there default/amy out eth0", "there node in veth4", "there node in cni0",
                "prerouting rule # handle 2", "prerouting leads to web", "tracked 10.1.0.7 10.244.1.2",
                "route 10.244.1.0/24 via 0.0.0.1 dev eth0", "forward rule # handle 4", "forward isolated by default/p",
                "there node out eth0", "back default/amy in eth0",
            ])
        guard case .answered(let datagram, let after) = story.ending else { throw Failure(story) }
        #expect(datagram.source == Self.service && after == 1500)
    }

    struct Failure: Error { let story: PacketStory; init(_ story: PacketStory) { self.story = story } }

    @Test("what a bridge takes in is translated already: rules and connection stand before it, the way behind it")
    func takenUp() throws {
        let frames = [
            (place: 1, frame: frame(1200, 4, out: false, probe.bytes)), (1, frame(1300, 3, out: false, translated.bytes)),
            (0, frame(1000, 2, out: true, probe.bytes)), (1, frame(1900, 5, out: true, translated.bytes)),
        ]
        #expect(
            words(try story(frames)).dropFirst(2) == [
                "there node in veth4", "prerouting rule # handle 2", "prerouting leads to web", "tracked 10.1.0.7 10.244.1.2",
                "there node in cni0", "route 10.244.1.0/24 via 0.0.0.1 dev eth0", "forward rule # handle 4",
                "forward isolated by default/p", "there node out eth0",
            ])
    }

    /// The node with both endpoints of the Service, which a policy shuts.
    private var snapshot: ClusterSnapshot {
        var cluster = Cluster()
        cluster.serviceSubnet = IPNetwork(IPAddress(ipv4: 0x0A01_0000), 16)
        let pods = IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 16)
        cluster.nodes = [
            Cluster.NodeSpec(
                name: "node", isControlPlane: true, address: cluster.nodeSubnet[128], podCIDR: pods, taints: .null, labels: [:])
        ]
        func pod(_ name: String, _ app: String, _ address: IPAddress) -> Pod {
            Pod([
                "metadata": ["name": .string(name), "namespace": "default", "labels": ["app": .string(app)]],
                "spec": ["nodeName": "node"], "status": ["phase": "Running", "podIP": .string("\(address)")],
            ])
        }
        let ends = [IPAddress(ipv4: 0x0AF4_0101), Self.web]
        var snapshot = ClusterSnapshot(cluster: cluster)
        snapshot.namespaces = [Namespace(["metadata": ["name": "default"]])]
        snapshot.pods = [pod("amy", "amy", Self.pod), pod("one", "web", ends[0]), pod("two", "web", ends[1])]
        snapshot.services = [
            Service([
                "metadata": ["name": "web", "namespace": "default"],
                "spec": [
                    "clusterIP": .string("\(Self.service)"), "selector": ["app": "web"],
                    "ports": [["port": 80, "targetPort": 8080, "protocol": "TCP"]],
                ],
            ])
        ]
        snapshot.slices = [
            EndpointSlice([
                "metadata": ["name": "web-1", "namespace": "default", "labels": ["kubernetes.io/service-name": "web"]],
                "endpoints": .array(
                    ends.map { ["addresses": [.string("\($0)")], "conditions": ["ready": true], "nodeName": "node"] }),
                "ports": [["name": "", "port": 8080, "protocol": "TCP"]],
            ])
        ]
        snapshot.policies = [
            NetworkPolicy([
                "metadata": ["name": "p", "namespace": "default"],
                "spec": ["podSelector": ["matchLabels": ["app": "web"]], "policyTypes": ["Ingress"]],
            ])
        ]
        return snapshot
    }

    @Test("of a packet that is stopped where it came in the rules tell which endpoint it was for; who denies stands behind his rule")
    func chosen() throws {
        let sights = PacketStory.sights(Array(there.prefix(3)), of: probe, in: places), snapshot = snapshot
        let source = PacketSource.pod(Self.pod, node: "node")
        let ways = snapshot.walk().journeys(from: source, to: Self.service, proto: 6, port: 80)
        #expect(ways.count == 2)
        var telling = StoryTelling(places: places, sights: sights, of: probe, ownTable: table)
        #expect(telling.taken(of: ways) == nil)
        telling.told[1] = try told(drop: true)
        let way = try #require(telling.taken(of: ways))
        #expect(way.packet.destination == Self.web)
        telling.journey = way
        telling.explanations = snapshot.explanations(way, from: source)
        let story = telling.story(nil)
        #expect(words(story).suffix(4) == ["forward rule # handle 4", "policy", "forward isolated by default/p", "policy"])
        guard case .policy(let last)? = story.steps.last?.event else { throw Failure(story) }
        #expect(last.direction == .ingress && !last.isAllowed && "\(last.pod)" == "default/two")
    }

    @Test("what a node sends is translated when it is first seen; the answer is told as its program has it")
    func fromNode() throws {
        let node = IPAddress(ipv4: 0xC0A8_C880), sent = try #require(Datagram(probe.bytes))
        let masked = ProbePacket(from: node, to: Self.web, proto: 6, port: 8080, token: probe.token).bytes
        var back = answer(Datagram.syn | Datagram.acknowledging, from: Self.web)
        let name = ConnectionTuple(try #require(Datagram(masked)))
        back.replaceSubrange(16..<20, with: node.bytes)
        back.replaceSubrange(20..<24, with: [8080, name.sourcePort].flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] })
        let sights = PacketStory.sights(
            [(1, frame(1000, 5, out: true, masked)), (1, frame(2000, 5, out: false, back))], of: probe, in: places)
        var telling = StoryTelling(places: places, sights: sights, of: probe, ownTable: table)
        telling.told[1] = StoryTelling.Told()
        telling.told[1]?.connections = [(ConnectionTuple(sent), name.reversed)]
        let story = telling.story(nil)
        #expect(words(story).contains("tracked 10.1.0.7 10.244.1.2"))
        guard case .answered(let datagram, _) = story.ending else { throw Failure(story) }
        #expect(datagram.source == Self.service && datagram.sourcePort == 80 && datagram.destination == Self.pod)
    }

    @Test("a reset, and an ICMP error, is a refusal")
    func refused() throws {
        for bytes in [answer(Datagram.reset | Datagram.acknowledging, from: Self.service), unreachable] {
            let story = try story(there + [(0, frame(3000, 2, out: false, bytes))])
            guard case .refused(_, let after) = story.ending else { throw Failure(story) }
            #expect(after == 2000)
        }
    }

    private var unreachable: [UInt8] {
        let header: [UInt8] = [0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0] + Self.web.bytes + Self.pod.bytes
        let error: [UInt8] = [3, 3, 0, 0, 0, 0, 0, 0]
        return header + error + Array(probe.bytes.prefix(28))
    }

    @Test("what a rule dropped is said with the rule's words and its node; what just ends was lost")
    func dropped() throws {
        let story = try story(Array(there.prefix(3)), drop: true)
        guard case .dropped(let rule, let place) = story.ending else { throw Failure(story) }
        #expect(rule.reason == "isolated by default/p" && rule.point == "forward" && place == "node")
        let lost = try self.story(there)
        guard case .lost(let last) = lost.ending else { throw Failure(lost) }
        #expect(last?.device == 5 && last?.isOutgoing == true)
    }

    @Test("what a bridge floods to others is none of the way")
    func flooded() throws {
        let story = try story(there + [(1, frame(1250, 5, out: false, probe.bytes, other: true))])
        #expect(!words(story).contains("there node in eth0"))
    }
}
