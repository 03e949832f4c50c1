import Model

/// Which zone each endpoint of a Service with `service.kubernetes.io/topology-mode: Auto` is meant for: each zone gets as many as it has of
/// the nodes' processors, its own where it can be.
/// (kubernetes.io/docs/concepts/services-networking/topology-aware-routing; k8s.io/endpointslice/topologycache, KEP-2433)
package struct ZoneHints {
    /// Why there are none: what the event says.
    package struct Refusal: Error, Equatable {
        package let message: String
        package init(message: String) { self.message = message }
    }

    /// The endpoints of one slice as they are to be, and as they stand with the same ports.
    package struct Slice {
        package var endpoints: [JSON]
        let current: [JSON]

        package init(_ endpoints: [JSON], current: [JSON] = []) {
            self.endpoints = endpoints
            self.current = current
        }

        /// Nothing but its hints may differ.
        fileprivate var isUnchanged: Bool { !current.isEmpty && endpoints == current.map { ZoneHints.hint($0, nil) } }
    }

    private struct Allocation {
        let minimum: Int
        let desired: Double
        var maximum = 0
    }

    /// By how much a zone's endpoints may have to take more than their part.
    private static let overload = 0.2
    private static let annotations = ["service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"]

    /// The older annotation, where it is there, decides.
    static func areWanted(by service: Service) -> Bool {
        let value = annotations.lazy.compactMap { service.annotations[$0] }.first
        return value == "Auto" || value == "auto"
    }

    /// Zone -> the numbers of endpoints that it may and should get.
    private let allocations: [String: Allocation]

    private init(_ shares: ZoneShares, endpoints count: Int) throws(Refusal) {
        guard let zones = shares.ofZones else {
            throw Refusal(message: "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes")
        }
        let counts = "(\(count) endpoints, \(zones.count) zones)"
        guard zones.count <= count else { throw Refusal(message: "Insufficient number of endpoints \(counts)") }
        var allocations = zones.mapValues { share in
            let desired = share * Double(count), minimum = Int((desired * (1 / (1 + Self.overload))).rounded(.up))
            return Allocation(minimum: minimum, desired: max(desired, Double(minimum)))
        }
        let spare = count - allocations.values.reduce(0) { $0 + $1.minimum }
        guard spare >= 0 else {
            throw Refusal(
                message: "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold \(counts)")
        }
        for (zone, allocation) in allocations { allocations[zone]?.maximum = allocation.minimum + spare }
        self.allocations = allocations
    }

    /// Gives every ready endpoint of one family a hint. Slices that stand keep theirs, as long as no zone gets too many by them.
    package static func assign(_ slices: [Slice], _ shares: ZoneShares) throws(Refusal) -> [Slice] {
        let hints = try ZoneHints(shares, endpoints: slices.reduce(0) { $0 + $1.endpoints.count(where: isReady) })
        var slices = slices, given: [String: Int] = [:], free: [Int] = []
        for (index, slice) in slices.enumerated() {
            if slice.isUnchanged, let kept = hints.kept(slice.current, beside: given) {
                slices[index].endpoints = slice.current
                given.merge(kept, uniquingKeysWith: +)
            } else {
                free.append(index)
            }
        }
        for index in free {
            for (place, endpoint) in slices[index].endpoints.enumerated() where isReady(endpoint) {
                guard let zone = endpoint["zone"].string, !zone.isEmpty else {
                    throw Refusal(message: "One or more endpoints do not have a zone specified")
                }
                given[zone, default: 0] += 1
                slices[index].endpoints[place] = hint(endpoint, zone)
            }
        }
        hints.redistribute(&slices, free, given)
        return slices
    }

    private static func isReady(_ endpoint: JSON) -> Bool { endpoint["conditions"]["ready"].bool ?? false }

    private static func hint(_ endpoint: JSON, _ zone: String?) -> JSON {
        var endpoint = endpoint
        endpoint["hints"] = zone.map { ["forZones": [["name": .string($0)]]] } ?? .null
        return endpoint
    }

    /// How many endpoints of a slice that stands are meant for each zone; nil: they cannot stay so.
    private func kept(_ endpoints: [JSON], beside given: [String: Int]) -> [String: Int]? {
        var counts: [String: Int] = [:]
        for endpoint in endpoints where Self.isReady(endpoint) {
            let zones = endpoint["hints"]["forZones"].items.compactMap { $0["name"].string }
            if zones.isEmpty { return nil }
            for zone in zones { counts[zone, default: 0] += 1 }
        }
        for (zone, count) in counts {
            guard let allocation = allocations[zone], count + given[zone, default: 0] <= allocation.maximum else { return nil }
        }
        return counts
    }

    /// Lends endpoints of zones that have more than their part to those that have less.
    private func redistribute(_ slices: inout [Slice], _ free: [Int], _ given: [String: Int]) {
        var (giving, receiving) = exchange(given)
        for index in free {
            for (place, endpoint) in slices[index].endpoints.enumerated() where Self.isReady(endpoint) {
                guard let zone = endpoint["zone"].string, giving[zone, default: 0] > 0,
                    let taker = receiving.filter({ $0.value > 0 }).keys.min()
                else { continue }
                giving[zone, default: 0] -= 1
                receiving[taker, default: 0] -= 1
                slices[index].endpoints[place] = Self.hint(endpoint, taker)
            }
        }
    }

    /// How many whole endpoints each zone gives, and how many each gets: the neediest from the richest, while that makes both better.
    private func exchange(_ given: [String: Int]) -> (giving: [String: Int], receiving: [String: Int]) {
        var surplus: [String: Double] = [:], need: [String: Double] = [:]
        for (zone, allocation) in allocations {
            let difference = Double(given[zone, default: 0]) - allocation.desired
            if difference > 0 { surplus[zone] = difference } else if difference < 0 { need[zone] = -difference }
        }
        func most(_ zones: [String: Double]) -> (key: String, value: Double)? {
            zones.filter { $0.value > 0 }.max { ($0.value, $1.key) < ($1.value, $0.key) }
        }
        var giving: [String: Int] = [:], receiving: [String: Int] = [:]
        while let from = most(surplus), let to = most(need), from.value >= 0.5, to.value >= 0.5, max(from.value, to.value) >= 1 {
            giving[from.key, default: 0] += 1
            surplus[from.key] = from.value - 1
            receiving[to.key, default: 0] += 1
            need[to.key] = to.value - 1
        }
        return (giving, receiving)
    }
}
