import Model
import Synchronization

/// The Services whose endpoints have hints for zones now: what changes of that is told once, in an event.
/// (k8s.io/endpointslice/reconciler.go)
final class HintedServices: Sendable {
    struct Event: Equatable {
        let type: String
        let reason: String
        let message: String

        static func enabled(_ family: IPFamily) -> Event {
            Event(type: "Normal", reason: "TopologyAwareHintsEnabled", message: words("Topology Aware Hints has been enabled", family))
        }
        static func disabled(_ why: String, _ family: IPFamily) -> Event {
            Event(type: "Warning", reason: "TopologyAwareHintsDisabled", message: words(why, family))
        }
        private static func words(_ message: String, _ family: IPFamily) -> String { "\(message), addressType: \(family.rawValue)" }
    }

    private let families = Mutex<[ObjectKey: Set<IPFamily>]>([:])

    func forget(_ key: ObjectKey) { families.withLock { $0[key] = nil } }

    /// Puts hints into a Service's slices of one family, by name, if it wants them; `old`: those that stand.
    func hint(
        _ slices: inout [String: JSON], of service: Service, _ family: IPFamily, beside old: [EndpointSlice], _ shares: ZoneShares
    ) -> [Event] {
        guard ZoneHints.areWanted(by: service) else {
            return note(service.key, family, isHinted: false) ? [.disabled("Topology Aware Hints has been disabled", family)] : []
        }
        let names = slices.keys.sorted()
        let standing = Dictionary(old.map { ($0.name, $0.json) }, uniquingKeysWith: { first, _ in first })
        do {
            let hinted = try ZoneHints.assign(
                names.map { name in
                    let isSame = standing[name]?["ports"] == slices[name]?["ports"]
                    return ZoneHints.Slice(
                        slices[name]?["endpoints"].items ?? [], current: isSame ? standing[name]?["endpoints"].items ?? [] : [])
                }, shares)
            for (name, slice) in zip(names, hinted) where !slice.endpoints.isEmpty { slices[name]?["endpoints"] = .array(slice.endpoints) }
            return note(service.key, family, isHinted: true) ? [.enabled(family)] : []
        } catch {
            _ = note(service.key, family, isHinted: false)
            return [.disabled(error.message, family)]
        }
    }

    /// Whether that is news.
    private func note(_ key: ObjectKey, _ family: IPFamily, isHinted: Bool) -> Bool {
        families.withLock { families in
            if isHinted { return families[key, default: []].insert(family).inserted }
            let was = families[key]?.remove(family) != nil
            if families[key]?.isEmpty == true { families[key] = nil }
            return was
        }
    }
}
