import API
import ArgumentParser
import Controllers
import Glibc
import Model
import Netlink
import Proxy
import Rules
import Store

/// For the benchmark: what one object more costs the daemon when there are many, from the API's write to the bytes for each node's kernel.
/// The kernels and the disk are left out; the rest is the daemon's own parts.
struct MeasureChanges: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure-changes", abstract: "Print what a NetworkPolicy and a Service more cost.", shouldDisplay: false)
    @Option(help: "Nodes.") var nodes = 3
    @Option(help: "Pods in the cluster.") var pods = 484
    @Option(help: "NetworkPolicies.") var policies = 1_000
    @Option(help: "Services.") var services = 1_000
    @Option(help: "How many of each are posted, one after the other, and measured.") var posted = 50
    @Argument(help: "What to measure: policy, widePolicy, service, label, readiness (default: all).") var parts: [String] = []

    func run() async throws {
        let api = APIServer(store: try ObjectStore(), cluster: Cluster())
        for resource in ["default", "kube-system"] { _ = try await api.create(.namespaces, ["metadata": ["name": .string(resource)]]) }
        let shared = SharedServiceParts(), targets = (0..<nodes).map { _ in Encoding() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, target) in targets.enumerated() {
                let view = NodeView(
                    name: "n\(number)", address: IPAddress(ipv4: 0xC0A8_C880 + UInt32(number)),
                    clusterCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 16),
                    serviceCIDR: Cluster().serviceSubnet, podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000 + UInt32(number) << 8), 24))
                let services = ServiceProxy(
                    node: view, client: api, target: target, connections: Unconnected(), shared: shared, report: { print($0) })
                let policies = PolicyProxy(node: view, client: api, target: target, connections: Unconnected(), report: { print($0) })
                group.addTask { try await services.run {} }
                group.addTask { try await policies.run {} }
            }
            group.addTask { try await Controller(EndpointsReconciler(), client: api, report: { print($0) }).run() }
            let table = try await measure(api, targets)
            print(table.text())
            group.cancelAll()
        }
    }

    private func measure(_ api: APIServer, _ targets: [Encoding]) async throws -> JSON {
        for number in 0..<pods {
            _ = try await api.create(.pods, Self.pod(number, node: "n\(number % nodes)"))
            var reported = Self.pod(number, node: "n\(number % nodes)")
            let address = IPAddress(ipv4: 0x0AF4_0000 + UInt32(number % nodes) << 8 + UInt32(2 + number / nodes))
            reported["status"] = ["phase": "Running", "podIP": .string("\(address)"), "conditions": [["type": "Ready", "status": "True"]]]
            _ = try await api.updateStatus(.pods, reported)
        }
        let first = try await post(policies, to: .networkPolicies, api, targets) { Self.policy($0) }
        let policy = try await each("policy", to: .networkPolicies, api, targets) { Self.policy(policies + $0) }
        let wide = try await each("widePolicy", to: .networkPolicies, api, targets) { Self.widePolicy(policies + posted + $0) }
        let many = try await post(services, to: .services, api, targets) { Self.service($0) }
        let service = try await each("service", to: .services, api, targets) { Self.service(services + $0) }
        let label = try await each("label", api, targets) { number in
            var pod = try await api.get(.pods, ObjectKey("default", "pod7"))
            pod["metadata"]["labels"]["group"] = .string("g\(number % 2 + 20)")
            _ = try await api.update(.pods, pod)
        }
        let probe = try await each("readiness", api, targets) { number in
            var pod = try await api.get(.pods, ObjectKey("default", "pod7"))
            pod["status"]["conditions"] = [["type": "Ready", "status": .string(number % 2 == 0 ? "False" : "True")]]
            _ = try await api.updateStatus(.pods, pod)
        }
        return [
            "nodes": .int(nodes), "pods": .int(pods), "policies": .int(policies), "services": .int(services), "firstPolicies": first,
            "policy": policy, "widePolicy": wide, "firstServices": many, "service": service, "label": label, "readiness": probe,
        ]
    }

    /// All at once: the seconds and the processor's seconds until the last is in the tables.
    private func post(_ count: Int, to resource: Resource, _ api: APIServer, _ targets: [Encoding], _ document: (Int) -> JSON) async throws
        -> JSON
    {
        try await each(1, api, targets) { _ in
            for number in 0..<count { _ = try await api.create(resource, document(number)) }
        }
    }

    /// A part of the measurement; null when others were asked for.
    private func each(_ part: String, _ api: APIServer, _ targets: [Encoding], _ change: (Int) async throws -> Void) async throws -> JSON {
        parts.isEmpty || parts.contains(part) ? try await each(posted, api, targets, change) : .null
    }

    private func each(_ part: String, to resource: Resource, _ api: APIServer, _ targets: [Encoding], _ document: (Int) -> JSON)
        async throws
        -> JSON
    {
        try await each(part, api, targets) { _ = try await api.create(resource, document($0)) }
    }

    /// One after the other, each when the one before is in the tables: the processor's milliseconds, and the bytes that went to the
    /// kernels.
    private func each(_ count: Int, _ api: APIServer, _ targets: [Encoding], _ change: (Int) async throws -> Void) async throws -> JSON {
        var took: [Double] = [], bytes = 0
        for number in 0..<count {
            let before = await Self.bytes(targets), start = Self.processorSeconds()
            try await change(number)
            var last = start
            // At rest is what has used nothing for a while.
            repeat {
                last = Self.processorSeconds()
                try await Task.sleep(for: .milliseconds(15))
            } while Self.processorSeconds() - last > 0.0005
            took.append((last - start) * 1000)
            bytes += await Self.bytes(targets) - before
        }
        let sorted = took.sorted()
        return [
            "milliseconds": .double(sorted[sorted.count / 2]), "most": .double(sorted[sorted.count - 1]), "bytes": .int(bytes / count),
        ]
    }

    private static func bytes(_ targets: [Encoding]) async -> Int {
        var sum = 0
        for target in targets { sum += await target.bytes }
        return sum
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// A kernel that takes everything; what it would be sent is made.
    private actor Encoding: RulesetTarget {
        var bytes = 0
        func apply(_ changes: [Change], table: TableID) { bytes += NFTablesSocket.encodedSize(changes) }
        func read(_ table: TableID) -> Ruleset? { nil }
    }

    private struct Unconnected: ConnectionTracking {
        func connections() -> [TrackedConnection] { [] }
        func forget(_ connections: [TrackedConnection]) {}
    }

    // MARK: Documents, as scripts/bench_policies.py has them

    private static func pod(_ number: Int, node: String) -> JSON {
        [
            "metadata": [
                "name": .string("pod\(number)"), "namespace": "default", "labels": ["group": .string("g\(number % 50)"), "app": "bench"],
            ],
            "spec": ["nodeName": .string(node), "containers": [["name": "main", "image": "busybox"]]],
        ]
    }

    private static func rules(_ number: Int) -> JSON {
        .array(
            (0..<10).map { rule in
                [
                    "from": [["podSelector": ["matchLabels": ["group": .string("g\((number + rule) % 50)")]]]],
                    "ports": [["port": .int(7000 + rule)]],
                ]
            })
    }

    private static func policy(_ number: Int) -> JSON {
        [
            "metadata": ["name": .string("policy\(number)"), "namespace": "default"],
            "spec": ["podSelector": ["matchLabels": ["group": .string("g\(number % 50)")]], "ingress": rules(number)],
        ]
    }

    /// One that selects every pod.
    private static func widePolicy(_ number: Int) -> JSON {
        [
            "metadata": ["name": .string("wide\(number)"), "namespace": "default"],
            "spec": [
                "podSelector": .emptyObject,
                "ingress": [
                    [
                        "from": [["podSelector": ["matchLabels": ["group": .string("g\(number % 50)")]]]],
                        "ports": [["port": .int(9000 + number % 50)]],
                    ]
                ],
            ],
        ]
    }

    private static func service(_ number: Int) -> JSON {
        [
            "metadata": ["name": .string("service\(number)"), "namespace": "default"],
            "spec": ["selector": ["group": .string("g\(number % 50)")], "ports": [["port": 5201]]],
        ]
    }
}
