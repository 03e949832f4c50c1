import Model
import Proxy

/// The last changes of what decides who reaches whom, and what each of them did: kept while somebody looks, and no longer.
package struct MapHistory: Sendable {
    package struct Change: Sendable {
        package let number: Int
        /// nil: it was before anybody looked, and nobody wrote it down.
        package let time: Timestamp?
        /// `NetworkPolicy default/deny created`; the first is how things stood before all that is known.
        package let title: String
        package let reach: MapReach
        package let differences: [MapReach.Difference]
    }

    package static let most = 40

    package private(set) var changes: [Change] = []
    private var last: ClusterSnapshot?
    private var next = 0

    package init() {}

    /// Notes how things stand now; `reach` belongs to `snapshot`. What changed nothing that policies look at is no change.
    package mutating func note(_ snapshot: ClusterSnapshot, _ reach: MapReach, at time: Timestamp?) {
        defer { last = snapshot }
        guard let last, let before = changes.last else {
            return append("Before the first change that is known", reach, [], time)
        }
        let differences = before.reach.differences(to: reach), titles = Self.titles(last, snapshot)
        if titles.isEmpty, differences.isEmpty { return }
        append(titles.isEmpty ? "Pods or Services changed" : Self.list(titles), reach, differences, time)
    }

    private mutating func append(
        _ title: String, _ reach: MapReach, _ differences: [MapReach.Difference], _ time: Timestamp?
    ) {
        changes.append(Change(number: next, time: time, title: title, reach: reach, differences: differences))
        next += 1
        if changes.count > Self.most { changes.removeFirst(changes.count - Self.most) }
    }

    private static func list(_ titles: [String]) -> String {
        titles.count <= 3 ? titles.joined(separator: ", ") : titles.prefix(3).joined(separator: ", ") + " and \(titles.count - 3) more"
    }

    /// In words, policies first.
    static func titles(_ old: ClusterSnapshot, _ new: ClusterSnapshot) -> [String] {
        differences(old.policies, new.policies, "NetworkPolicy", \.spec)
            + differences(old.clusterPolicies, new.clusterPolicies, "ClusterNetworkPolicy", \.spec)
            + differences(old.namespaces, new.namespaces, "labels of Namespace") { JSON($0.labels) }
            + differences(old.pods.filter(\.isActive), new.pods.filter(\.isActive), "Pod") { [JSON($0.labels), JSON($0.ip?.description)] }
    }

    private static func differences<T: Object>(_ old: [T], _ new: [T], _ kind: String, _ part: (T) -> JSON) -> [String] {
        let before = Dictionary(old.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
        let after = Set(new.map(\.key))
        let changed = new.compactMap { object -> String? in
            guard let old = before[object.key] else { return "\(kind) \(object.key) created" }
            return part(old) == part(object) ? nil : "\(kind) \(object.key) changed"
        }
        return changed + old.filter { !after.contains($0.key) }.map { "\(kind) \($0.key) deleted" }
    }
}
