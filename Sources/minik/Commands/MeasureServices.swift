import API
import ArgumentParser
import Glibc
import Model
import Netlink
import Proxy
import Rules
import Store

/// For the benchmark: Services on their way from the API's store into one kernel, all at once and then one more at a time. The table stays
/// there when it ends.
struct MeasureServices: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure-services", abstract: "Print what Services cost on their way to a kernel.", shouldDisplay: false)
    @Option(help: "The network namespace whose kernel gets the table.") var namespace: String
    @Option(help: "The node's address there.") var address = "192.168.200.1"
    @Option(help: "Services, each with two endpoints.") var services = 10_000
    @Option(help: "How many more are measured, one after the other.") var more = 20

    func run() async throws {
        guard let address = IPAddress(address) else { throw ValidationError("\"\(address)\" is no address.") }
        let api = APIServer(store: try ObjectStore(), cluster: Cluster())
        for name in ["default", "kube-system"] { _ = try await api.create(.namespaces, ["metadata": ["name": .string(name)]]) }
        for number in 0..<services { try await Self.create(number, api) }
        let kernel = Told(try KernelRulesets(namespace: namespace))
        let view = NodeView(
            name: "n0", address: address, clusterCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 16), serviceCIDR: Cluster().serviceSubnet,
            podCIDR: IPNetwork(IPAddress(ipv4: 0x0AF4_0000), 24))
        let proxy = ServiceProxy(node: view, client: api, target: kernel, connections: Unconnected(), report: { print($0) })
        let (ready, isReady) = AsyncStream.makeStream(of: Void.self)
        let clock = ContinuousClock(), start = clock.now, before = Self.processorSeconds()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await proxy.run { isReady.finish() } }
            group.addTask {
                for await _ in ready {}
                let all: JSON = [
                    "seconds": .double(Self.seconds(clock.now - start)), "processor": .double(Self.processorSeconds() - before),
                    "bytes": .int(await kernel.bytes),
                ]
                let (service, endpoint) = try await self.more(api, kernel)
                let first = try await api.get(.services, ObjectKey("default", "service0"))
                print(
                    ([
                        "services": .int(self.services), "all": all, "service": service, "endpoint": endpoint,
                        "first": first["spec"]["clusterIP"],
                    ] as JSON).text())
            }
            try await group.next()
            group.cancelAll()
        }
    }

    /// One more Service, one more endpoint of one: what passes from the write's answer until the kernel has it.
    private func more(_ api: APIServer, _ kernel: Told) async throws -> (service: JSON, endpoint: JSON) {
        let service = try await each(kernel) { number in
            let name = "service\(services + number)"
            try await Self.create(services + number, api)
            return name
        }
        let endpoint = try await each(kernel) { number in
            let name = "service\(number)"
            var slice = try await api.get(.endpointSlices, ObjectKey("default", "\(name)-a"))
            slice["endpoints"] = .array((0..<3).map(Self.endpoint))
            _ = try await api.update(.endpointSlices, slice)
            return name
        }
        return (service, endpoint)
    }

    private func each(_ kernel: Told, _ change: (Int) async throws -> String) async throws -> JSON {
        var took: [Double] = [], spent: [Double] = [], bytes: [Double] = []
        for number in 0..<more {
            // What comes one upon the other may be gathered.
            try await Task.sleep(for: .milliseconds(100))
            await kernel.forget()
            let held = await kernel.bytes, before = Self.processorSeconds()
            let name = try await change(number), answered = ContinuousClock.now
            let there = try await kernel.wait(for: "default/\(name)")
            took.append(max(0, Self.seconds(there - answered)))
            spent.append(Self.processorSeconds() - before)
            bytes.append(Double(await kernel.bytes - held))
        }
        func median(_ values: [Double]) -> JSON { .double(values.sorted()[values.count / 2]) }
        return ["seconds": median(took), "most": .double(took.max() ?? 0), "processor": median(spent), "bytes": median(bytes)]
    }

    private static func create(_ number: Int, _ api: APIServer) async throws {
        let name = "service\(number)"
        _ = try await api.create(
            .services, ["metadata": ["name": .string(name), "namespace": "default"], "spec": ["ports": [["port": 80]]]])
        _ = try await api.create(
            .endpointSlices,
            [
                "metadata": [
                    "name": .string("\(name)-a"), "namespace": "default", "labels": ["kubernetes.io/service-name": .string(name)],
                ],
                "addressType": "IPv4", "ports": [["name": "", "port": 7000, "protocol": "TCP"]],
                "endpoints": .array((0..<2).map(endpoint)),
            ])
    }

    private static func endpoint(_ number: Int) -> JSON {
        ["addresses": [.string("10.244.1.\(number + 2)")], "conditions": ["ready": true], "nodeName": "n1"]
    }

    private static func seconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    private static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// A kernel, and when it has had what.
    private actor Told: RulesetTarget {
        private let kernel: KernelRulesets
        private(set) var bytes = 0
        private var since: [String: ContinuousClock.Instant] = [:]
        private var waiting: [String: CheckedContinuation<Void, Never>] = [:]

        init(_ kernel: KernelRulesets) { self.kernel = kernel }

        func apply(_ changes: [Change], table: TableID) async throws {
            try await kernel.apply(changes, table: table)
            let now = ContinuousClock.now
            bytes += NFTablesSocket.encodedSize(changes)
            for case .addElement("service-endpoints", _, _, let data) in changes {
                guard let name = data.comment else { continue }
                since[name] = now
                waiting.removeValue(forKey: name)?.resume()
            }
        }

        func read(_ table: TableID) async throws -> Ruleset? { try await kernel.read(table) }

        func forget() { since = [:] }

        /// When elements of a Service came, since `forget`.
        func wait(for name: String) async throws -> ContinuousClock.Instant {
            if since[name] == nil { await withCheckedContinuation { waiting[name] = $0 } }
            return since[name] ?? .now
        }
    }

    private struct Unconnected: ConnectionTracking {
        func connections() -> [TrackedConnection] { [] }
        func forget(_ connections: [TrackedConnection]) {}
    }
}
