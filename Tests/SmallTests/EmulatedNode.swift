import API
import Foundation
import Glibc
import Host
import Model
import Runtime
import Synchronization

/// A node's agent over the memory store, with sandboxes, links and tables that are a test's own, and a clock that it moves.
final class EmulatedNode: Sendable {
    let api: APIServer
    let client: UnwillingClient
    let clock = ManualClock()
    let paths: ClusterPaths
    let sandboxes: FakeSandboxes
    let network = FakeNetwork()
    let tables = Tables()
    let reports = Reports()
    let registry = FakeRegistry()
    private let root: String
    private let link = Mutex(true)

    /// Whether the node's link stands.
    var isLinked: Bool {
        get { link.withLock { $0 } }
        set { link.withLock { $0 = newValue } }
    }

    /// What stands for pods in the node's tables: uid by uid.
    final class Tables: PodGuard {
        private let state = Mutex((admitted: [String: IPAddress](), refusals: 0, released: [String]()))
        var admitted: [String: IPAddress] { state.withLock { $0.admitted } }
        var released: [String] { state.withLock { $0.released } }
        func refuse(_ count: Int) { state.withLock { $0.refusals = count } }

        struct Refused: Error, CustomStringConvertible { let description = "the kernel refuses" }

        func admit(_ pod: Pod, addresses: [IPAddress]) throws {
            try state.withLock { state in
                if state.refusals > 0 {
                    state.refusals -= 1
                    throw Refused()
                }
                state.admitted[pod.uid] = addresses.first
            }
        }

        func release(_ pod: Pod) {
            state.withLock { state in
                state.admitted[pod.uid] = nil
                state.released.append(pod.uid)
            }
        }
    }

    init() async throws {
        api = try await Fixture.api()
        client = UnwillingClient(api)
        root = FileManager.default.temporaryDirectory.appending(path: "m-\(UUID().uuidString.prefix(8))").path
        paths = ClusterPaths(cluster: "c", below: root)
        sandboxes = FakeSandboxes(paths: paths)
        try Files.makeDirectory("\(paths.nodeState("n1"))/log/containers")
        _ = try await api.create(.namespaces, Fixture.namespace("kube-node-lease"))
    }

    deinit { Files.removeTree(root) }

    private func agent() throws -> NodeAgent {
        guard let identity = ProcessIdentity(pid: Int(getpid())) else { throw TookTooLong(what: "this process is known") }
        var cluster = Cluster()
        cluster.nodes = [
            Cluster.NodeSpec(
                name: "n1", isControlPlane: false, address: IPAddress(ipv4: 0xC0A8_C80B),
                podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0100), 24),
                taints: .null,
                labels: [:])
        ]
        let spec = cluster.nodes[0]
        return NodeAgent(
            node: spec, cluster: cluster, paths: paths,
            client: DistantClient(client, at: "192.0.2.1:6443", clock: clock) { [self] in isLinked }, network: network, guards: [tables],
            sandboxes: sandboxes,
            images: ImageSources([registry, SpareImages()]), puller: ImagePuller(registry, clock: clock),
            identity: identity, dockerConfiguration: "\(root)/config.json", deviceControl: nil, clock: clock,
            isReached: { [self] in isLinked },
            object: { [paths, cluster] in
                let plugin = NodePlugins.plugin(for: spec, of: cluster, paths: paths)
                return NodeSandbox(node: spec, cluster: cluster, paths: paths, plugin: plugin).object(networkTrouble: $0, now: $1)
            }, report: { [reports] in reports.add($0) })
    }

    /// Runs `body` while an agent follows, `before` being the pods that an earlier one ran. Returns those that it runs at its end.
    @discardableResult
    func following(after before: [Pod] = [], _ body: @escaping @Sendable () async throws -> Void) async throws -> [Pod] {
        let agent = try agent()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await agent.run(after: before) }
            try await eventually("the node is registered") { try await self.api.find(Node.self, ObjectKey("", "n1")) != nil }
            try await body()
            group.cancelAll()
            do { try await group.waitForAll() } catch is CancellationError {}
        }
        return await agent.pods()
    }

    /// Lets seconds pass, one by one, until `holds`: how many it took.
    @discardableResult
    func passing(until what: String, most: Int = 400, _ holds: () async throws -> Bool) async throws -> Int {
        for second in 0..<most {
            for _ in 0..<6 {
                if try await holds() { return second }
                try await Task.sleep(for: .milliseconds(5))
            }
            clock.pass(.seconds(1))
        }
        throw TookTooLong(what: "\(what); reports: \(reports.all)")
    }

    @discardableResult
    func create(_ name: String, _ change: (inout JSON) -> Void = { _ in }) async throws -> Pod {
        var pod = Fixture.pod(name, image: "busybox", node: "n1")
        change(&pod)
        return Pod(try await api.create(.pods, pod))
    }

    func pod(_ name: String) async throws -> Pod? { try await api.find(Pod.self, Fixture.key(name)) }

    func isRunning(_ name: String) async throws -> Bool {
        guard let pod = try await pod(name) else { return false }
        return pod.phase == "Running" && pod.status["containerStatuses"].items.allSatisfy { !$0["state"]["running"].isNull }
    }

    func events(_ reason: String) async throws -> [JSON] {
        try await api.list(.events, namespace: nil, selector: nil).items.filter { $0["reason"].string == reason }
    }
}

/// Links that stand in a list.
final class FakeNetwork: PodNetwork {
    private let state = Mutex((attached: [String: IPAddress](), refusals: 0))
    var attached: [String: IPAddress] { state.withLock { $0.attached } }
    func refuse(_ count: Int) { state.withLock { $0.refusals = count } }

    private func act(_ body: (inout [String: IPAddress]) -> Void) throws {
        try state.withLock { state in
            if state.refusals > 0 {
                state.refusals -= 1
                throw EmulatedNode.Tables.Refused()
            }
            body(&state.attached)
        }
    }

    func attach(_ attachment: PodAttachment) async throws -> [IPAddress] {
        try act { $0[attachment.pod.uid] = attachment.addresses.first }
        return attachment.addresses
    }
    func adopt(_ attachment: PodAttachment) async { state.withLock { $0.attached[attachment.pod.uid] = attachment.addresses.first } }
    func detach(_ pod: Pod) async throws { try act { $0[pod.uid] = nil } }
}

/// A client some of whose calls fail when a test says so.
final class UnwillingClient: Client {
    enum Call: Hashable, Sendable { case get(Resource), updateStatus(Resource), delete(Resource) }

    private let api: APIServer
    private let refusals = Mutex<[Call: (count: Int, error: StatusError)]>([:])

    init(_ api: APIServer) { self.api = api }

    func refuse(_ call: Call, _ count: Int, _ error: StatusError = StatusError(503, .serviceUnavailable, "try again later")) {
        refusals.withLock { $0[call] = (count, error) }
    }

    func remaining(_ call: Call) -> Int { refusals.withLock { $0[call]?.count ?? 0 } }

    private func attempt(_ call: Call) throws {
        try refusals.withLock { refusals in
            guard let refusal = refusals[call], refusal.count > 0 else { return }
            refusals[call] = (refusal.count - 1, refusal.error)
            throw refusal.error
        }
    }

    func list(_ resource: Resource, namespace: String?, selector: LabelSelector?) async throws -> (items: [JSON], revision: Int) {
        try await api.list(resource, namespace: namespace, selector: selector)
    }
    func watch(_ resource: Resource, namespace: String?, from revision: Int?) async throws -> AsyncThrowingStream<WatchEvent, any Error> {
        try await api.watch(resource, namespace: namespace, from: revision)
    }
    func get(_ resource: Resource, _ key: ObjectKey) async throws -> JSON {
        try attempt(.get(resource))
        return try await api.get(resource, key)
    }
    func create(_ resource: Resource, _ object: JSON) async throws -> JSON { try await api.create(resource, object) }
    func bind(_ key: ObjectKey, _ binding: JSON) async throws -> JSON {
        try await api.bind(key, binding)
    }
    func update(_ resource: Resource, _ object: JSON) async throws -> JSON { try await api.update(resource, object) }
    func updateStatus(_ resource: Resource, _ object: JSON) async throws -> JSON {
        try attempt(.updateStatus(resource))
        return try await api.updateStatus(resource, object)
    }
    func patch(_ resource: Resource, _ key: ObjectKey, _ patch: JSON) async throws -> JSON { try await api.patch(resource, key, patch) }
    func delete(_ resource: Resource, _ key: ObjectKey, gracePeriod: Int?, uid: String?) async throws {
        try attempt(.delete(resource))
        try await api.delete(resource, key, gracePeriod: gracePeriod, uid: uid)
    }
}
