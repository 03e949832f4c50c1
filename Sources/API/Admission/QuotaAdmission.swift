import Model
import Store

/// Refuses what would exceed a ResourceQuota. (kubernetes.io/docs/concepts/policy/resource-quotas)
struct QuotaAdmission {
    let store: ObjectStore
    /// The kinds there are.
    let resources: [Resource]

    /// `old` is what the object was; what it took already is its own.
    func admit(_ object: JSON, old: JSON?, _ resource: Resource) async throws {
        let namespace = object["metadata"]["namespace"].string ?? ""
        for quota in try await store.list(.resourceQuotas, namespace: namespace).items {
            guard ResourceUsage.matches(quota, object, resource) else { continue }
            let hard = quota["spec"]["hard"].stringMap
            var wanted = ResourceUsage.of(object, resource).filter { hard[$0.key] != nil }
            if let old, ResourceUsage.matches(quota, old, resource) {
                // Of a change, what it takes more.
                let held = ResourceUsage.of(old, resource)
                wanted = wanted.reduce(into: [:]) { more, amount in
                    let before = held[amount.key] ?? Quantity(0)
                    if amount.value > before { more[amount.key] = amount.value - before }
                }
            }
            if resource == .pods, old == nil { try requireRequests(object, quota, hard) }
            guard !wanted.isEmpty else { continue }
            let used = try await ResourceUsage.used(by: quota, among: resources) { try await store.list($0, namespace: namespace).items }
            let exceeded = wanted.filter { name, value in
                guard let limit = hard[name].flatMap({ Quantity($0) }) else { return false }
                return (used[name] ?? Quantity(0)) + value > limit
            }
            guard exceeded.isEmpty else {
                func text(_ values: (String) -> String?) -> String {
                    exceeded.keys.sorted().map { "\($0)=\(values($0) ?? "0")" }.joined(separator: ",")
                }
                throw StatusError.forbidden(
                    resource, object["metadata"]["name"].string ?? "",
                    "exceeded quota: \(quota["metadata"]["name"].string ?? ""), requested: \(text { wanted[$0]?.description }), used: \(text { used[$0]?.description }), limited: \(text { hard[$0] })"
                )
            }
        }
    }

    /// Under a quota of CPU or memory every container must say what it takes.
    private func requireRequests(_ pod: JSON, _ quota: JSON, _ hard: [String: String]) throws {
        let names = hard.keys.filter { ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"].contains($0) }
            .sorted()
        let missing = names.filter { name in
            let half = name.hasPrefix("limits.") ? "limits" : "requests"
            let resource = name.split(separator: ".").last.map(String.init) ?? name
            return pod["spec"]["containers"].items.contains {
                $0["resources"][half][resource].isNull && (half == "limits" || $0["resources"]["limits"][resource].isNull)
            }
        }
        guard missing.isEmpty else {
            let containers = pod["spec"]["containers"].items.compactMap { $0["name"].string }.joined(separator: ",")
            throw StatusError.forbidden(
                .pods, pod["metadata"]["name"].string ?? "",
                "failed quota: \(quota["metadata"]["name"].string ?? ""): must specify \(missing.map { "\($0) for: \(containers)" }.joined(separator: "; "))"
            )
        }
    }
}
