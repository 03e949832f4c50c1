import API
import Glibc
import Host
import Lab
import Model
import Runtime

/// The machine that kubeadm works on: this one.
package struct Machine: Sendable {
    private let card: MachineCard?
    let isRoot: Bool

    package init(card: MachineCard? = MachineCard(), isRoot: Bool = geteuid() == 0) { (self.card, self.isRoot) = (card, isRoot) }

    /// The release that is installed.
    var version: KubernetesVersion { card?.version ?? .current }
    var address: String { card?.address ?? "" }
    var records: String { card?.records ?? "" }

    package var hostname: String {
        var system = utsname()
        uname(&system)
        return withUnsafeBytes(of: system.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// What only a node of a cluster of minik's can do.
    func require() throws {
        guard card == nil else { return }
        throw KubeadmError(
            "this machine is none of minik's: bring some up with `bootstrap: kubeadm` in the Cluster document (docs/kubeadm.md)")
    }

    /// Asks the machine's init for something about the kubelet, or its runtime.
    func tellKubelet(_ word: String) async throws {
        let (code, body) = try await HTTPClient(socketPath: MachineCard.door).send("POST", "/\(word)")
        guard code == 200 else { throw KubeadmError("\(word) the kubelet: \(String(decoding: body, as: UTF8.self))") }
    }

    /// Whether somebody listens at a port.
    func isTaken(port: Int) -> Bool {
        do {
            _ = try NodeSocket.listening(on: .unspecified(.ipv4), port: port, namespace: "/proc/self/ns/net")
            return false
        } catch { return true }
    }

    private static let patience = 240

    /// Waits until the kubelet says that it is well; how long that took.
    func healthyKubelet() async throws -> Duration {
        let began = ContinuousClock.now
        while ContinuousClock.now - began < .seconds(Self.patience) {
            if isHealthy { return ContinuousClock.now - began }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw KubeadmError("The HTTP call equal to 'curl -sSL http://127.0.0.1:10248/healthz' returned no 200 within 4m0s")
    }

    /// GET http://127.0.0.1:10248/healthz
    private var isHealthy: Bool {
        do {
            let socket = try NodeSocket.connected(
                to: IPAddress(ipv4: 0x7F00_0001), port: 10248, namespace: "/proc/self/ns/net", seconds: 1)
            try socket.write(Array("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".utf8), to: "the kubelet")
            return String(decoding: try socket.read(atMost: 64, "the kubelet's answer"), as: UTF8.self).hasPrefix("HTTP/1.1 200")
        } catch { return false }
    }

    func has(program: String) -> Bool {
        ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].contains { access("\($0)/\(program)", X_OK) == 0 }
    }

    /// The API as a kubeconfig file leads to it.
    func api(_ kubeconfig: String) throws -> HTTPClient { HTTPClient(try APIEndpoint(kubeconfig: kubeconfig), fieldManager: "kubeadm") }
}

extension HTTPClient {
    /// Makes an object, or brings the one there to what it should be.
    func ensure(_ object: ClusterObject) async throws {
        do { _ = try await create(object.resource, object.json) } catch let error as StatusError where error.reason == .alreadyExists {
            var wanted = object.json
            let held = try await get(object.resource, object.json.metadata.key)
            wanted["metadata"]["resourceVersion"] = held["metadata"]["resourceVersion"]
            if object.resource == .services { wanted["spec"]["clusterIPs"] = held["spec"]["clusterIPs"] }
            _ = try await update(object.resource, wanted)
        }
    }

    func ensure(_ objects: [ClusterObject]) async throws { for object in objects { try await ensure(object) } }
}
