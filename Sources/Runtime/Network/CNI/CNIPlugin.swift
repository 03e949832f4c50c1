import Host
import Model
import Netlink

/// A node whose pods are connected by programs that it finds in its own files: the network of /etc/cni/net.d, the plugins of /opt/cni/bin.
/// minik itself lays out the node's place on the LAN, and nothing else. (containernetworking/cni SPEC.md 1.1.0)
package actor CNIPlugin: NodePlugin {
    private let executor = QueueExecutor("cni")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    package static let configurations = "/etc/cni/net.d", results = "/var/lib/cni/results"

    private nonisolated let node: Cluster.NodeSpec
    private nonisolated let cluster: Cluster
    private let paths: ClusterPaths
    private let names: NamespaceNames
    private nonisolated let ground: CNIGround
    /// What stands, by the pods' uids.
    private var attached: [String: PodAttachment] = [:]
    private var opened: NetworkPlace?
    /// What STATUS said of a network, and when: it is not asked each time that somebody wants to know.
    private var status: (network: CNINetwork, reason: String?, at: ContinuousClock.Instant)?
    private static let statusAge = Duration.seconds(10)
    /// What CHECK has said, so that it is told once: some plugins find fault with links that are whole.
    private var told: Set<String> = []

    package init(
        node: Cluster.NodeSpec, cluster: Cluster, paths: ClusterPaths, names: NamespaceNames = .ofMachine, ground: CNIGround? = nil
    ) {
        self.node = node
        self.cluster = cluster
        self.paths = paths
        self.names = names
        self.ground = ground ?? .node(node.name, paths)
    }

    package nonisolated var files: [String: String] { [:] }
    package nonisolated var annotations: [String: String] { [:] }
    package nonisolated var givesAddresses: Bool { true }

    package nonisolated func link(of pod: Pod, _ address: IPAddress) -> PodLink? { nil }

    /// Why the node cannot connect pods, in the words of a kubelet whose runtime is containerd; nil when it can.
    package func trouble() async -> String? {
        let reason: String?
        do {
            if let network = try network() { reason = await trouble(network) } else { reason = "cni plugin not initialized" }
        } catch { reason = "\(error)" }
        guard let reason else { return nil }
        return "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
            + "message:Network plugin returns error: \(reason)"
    }

    private func trouble(_ network: CNINetwork) async -> String? {
        if let status, status.network == network, .now - status.at < Self.statusAge { return status.reason }
        var reason: String?
        do { try await chain(network).status() } catch { reason = "\(error)" }
        status = (network, reason, .now)
        return reason
    }

    private nonisolated func network() throws -> CNINetwork? {
        try CNINetwork.first(in: try ground.texts(Self.configurations))
    }

    private nonisolated func chain(_ network: CNINetwork) -> CNIChain {
        CNIChain(network) { [ground] type, environment, input in
            guard let program = try CNIAttachment.programFolders.map({ "\($0)/\(type)" }).first(where: ground.has) else { return nil }
            let answer = try await ground.run(NodeProgram([program], environment: environment, input: input))
            return CNIChain.Answer(code: answer.code, output: answer.output, complaints: answer.complaints)
        }
    }

    package func setUp() async throws -> [String] {
        var place: NetworkPlace
        switch opened.take() {
        case .some(let open): place = open
        case nil: place = try NetworkPlace(path: paths.nodeNetns(node.name))
        }
        let found = try place.repair(NodeLayout.items(node, cluster)).map(\.description)
        opened = consume place
        return found
    }

    package func moved() {
        opened = nil
        attached = [:]
    }

    struct NotConnected: Error, CustomStringConvertible {
        let sandbox: String
        let reason: String
        var description: String { "rpc error: code = Unknown desc = failed to setup network for sandbox \"\(sandbox)\": \(reason)" }
    }

    package func attach(_ attachment: PodAttachment) async throws -> [IPAddress] {
        let sandbox = CNIAttachment.containerID(attachment.pod.uid)
        guard let network = try network() else { throw NotConnected(sandbox: sandbox, reason: "cni plugin not initialized") }
        let request: CNIRequest
        do { request = try CNIRequest(attachment.pod, of: network.name) } catch {
            throw NotConnected(sandbox: sandbox, reason: "\(error)")
        }
        let told = described(attachment, asking: request)
        try names.take(paths.podNetns(attachment.pod.key), for: attachment.pod.uid, process: attachment.process)
        attached[attachment.pod.uid] = attachment
        let chain = chain(network)
        do {
            let result = try await chain.add(told)
            try ground.write(told.record(network, result).text(), path(told, network))
            guard !result.addresses.isEmpty else {
                throw NotConnected(sandbox: told.containerID, reason: "network \"\(network.name)\" has given it no address")
            }
            return result.addresses
        } catch {
            // What a part of the plugins did is taken back; the pod is tried again from the start.
            var reason = "\((error as? NotConnected)?.reason ?? "\(error)")"
            do { try await chain.delete(told, previous: nil) } catch { reason += "; and to take it back: \(error)" }
            try ground.remove(path(told, network))
            attached[attachment.pod.uid] = nil
            throw NotConnected(sandbox: told.containerID, reason: reason)
        }
    }

    package func adopt(_ attachment: PodAttachment) {
        names.hold(paths.podNetns(attachment.pod.key), for: attachment.pod.uid)
        attached[attachment.pod.uid] = attachment
    }

    package func detach(_ pod: Pod) async throws {
        let namespace = attached.removeValue(forKey: pod.uid).map { described($0) }?.namespace ?? ""
        defer { names.giveBack(paths.podNetns(pod.key), of: pod.uid) }
        for record in try records() where record.attachment.containerID == CNIAttachment.containerID(pod.uid) {
            try await forget(record, namespace)
        }
    }

    private func forget(_ record: Record, _ namespace: String) async throws {
        guard let told = CNIAttachment(record: record.json, namespace: namespace) else { return }
        try await chain(record.network).delete(told, previous: record.json["result"])
        try ground.remove(record.path)
    }

    /// What plugins that can be asked say of the pods' links is not as they made it: nobody but they could make it again. What was made for
    /// pods that went while nobody looked is taken back.
    package func check() async throws -> [String] {
        var found: [String] = [], gone: [Record] = []
        var valid = attached.values.map { described($0) }
        let own = Set(valid.map(\.containerID))
        for record in try records() {
            let told = record.attachment
            if own.contains(told.containerID) {
                do { try await chain(record.network).check(told, previous: record.json["result"]) } catch let error as CNIError {
                    let words = "\(NodeKeeper.unmended)pod \(told.pod): \(error)"
                    if self.told.insert(words).inserted { found.append(words) }
                }
            } else if try told.process.map({ try ground.has($0) }) == true {
                valid.append(told)
            } else {
                gone.append(record)
            }
        }
        for record in gone {
            try await forget(record, "")
            found.append("what was left of pod \(record.attachment.pod)")
        }
        if attached.isEmpty { told = [] }
        for network in Set(gone.map(\.network)) { try await chain(network).collect(valid) }
        return found
    }

    private func described(_ attachment: PodAttachment, asking request: CNIRequest = CNIRequest()) -> CNIAttachment {
        let number = ground.number(attachment.process)
        let resolver = Files.text("\(paths.podState(attachment.pod.uid))/resolv.conf") ?? ""
        let namespace = number.map { "/proc/\($0)/ns/net" } ?? ""
        return CNIAttachment(attachment.pod, namespace: namespace, resolver: resolver, asking: request)
    }

    // MARK: What was answered, where libcni keeps it

    private struct Record {
        let path: String
        let json: JSON
        let network: CNINetwork
        let attachment: CNIAttachment
    }

    private func path(_ told: CNIAttachment, _ network: CNINetwork) -> String {
        "\(Self.results)/\(network.name)-\(told.containerID)-\(CNIAttachment.interface)"
    }

    /// All attachments that are kept: with their networks as they were, whatever the folder of configurations says now. A file that is no
    /// such record is somebody else's.
    private func records() throws -> [Record] {
        try ground.texts(Self.results).sorted { $0.key < $1.key }.compactMap { name, text in
            let path = "\(Self.results)/\(name)"
            guard let json = try? JSON(parsing: text), let attachment = CNIAttachment(record: json),
                let bytes = json["config"].string.flatMap({ Base64.decode($0) })
            else { return nil }
            let network = try CNINetwork(String(decoding: bytes, as: UTF8.self), file: path)
            return Record(path: path, json: json, network: network, attachment: attachment)
        }
    }
}
