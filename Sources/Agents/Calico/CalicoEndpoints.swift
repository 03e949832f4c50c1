import Model
import Proxy
import Runtime

/// The pods of a node as its plugins bring them: each has its policies before it has its link, and an address of the pools where the
/// plugin asks for one.
actor CalicoEndpoints {
    private let node: String
    private let client: any Client
    private let policies: PolicyProxy
    private let addresses: CalicoAddresses
    private let health: FelixHealth
    /// By what the plugin calls it, for a static pod has another uid in the API.
    private var admitted: [CalicoWorkload: Pod] = [:]

    init(node: String, client: any Client, policies: PolicyProxy, addresses: CalicoAddresses, health: FelixHealth) {
        (self.node, self.client, self.policies, self.addresses, self.health) = (node, client, policies, addresses, health)
    }

    func answer(_ question: CalicoQuestion) async -> CalicoAnswer {
        var answer = CalicoAnswer()
        do {
            switch question {
            case .ranges: answer.ranges = try await ranges()
            case .admit(let workload, let addresses): try await admit(workload, addresses)
            case .release(let workload): if let pod = admitted.removeValue(forKey: workload) { await policies.release(pod) }
            case .assign(let handle, let workload):
                let facts = ["namespace": workload.namespace, "pod": workload.name]
                answer.addresses = [try await addresses.assign(handle, facts)]
            case .free(let handle): try await addresses.free(handle)
            case .health: answer.isReady = health.isReady
            }
        } catch { answer.refusal = "\(error)" }
        return answer
    }

    private func ranges() async throws -> [IPNetwork] {
        let found = FlannelLease.subnets(of: try await client.get(Node.self, ObjectKey("", node))).filter { $0.family == .ipv4 }
        guard !found.isEmpty else { throw ProgramFailure("no podCidr for node \(node)") }
        return found
    }

    private func admit(_ workload: CalicoWorkload, _ addresses: [IPAddress]) async throws {
        let pod = try await client.get(Pod.self, workload.key)
        try await policies.admit(pod, addresses: addresses)
        admitted[workload] = pod
    }
}
