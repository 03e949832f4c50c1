import Model

/// How the endpoints of a Service with the same ports are laid into slices: those that stand change as little as can be, since every
/// node hears of each change. (k8s.io/endpointslice/reconciler.go, reconcileByPortMapping)
struct SlicePacking {
    struct Slice: Equatable {
        let name: String
        var endpoints: [JSON]
    }

    /// Slices that stand and still hold something.
    private(set) var kept: [Slice] = []
    /// What new slices are made for.
    private(set) var new: [[JSON]] = []

    /// `wanted`: the endpoints as they are to be; `held`: the slices as they are; `isRelabelled`: a slice is written anew anyhow.
    init(_ wanted: [JSON], into held: [Slice], most: Int, isRelabelled: (String) -> Bool = { _ in false }) {
        var waiting = Dictionary(wanted.map { (Self.identity($0), $0) }, uniquingKeysWith: { first, _ in first })
        var changed: Set<Int> = []
        for slice in held {
            let endpoints = slice.endpoints.compactMap { waiting.removeValue(forKey: Self.identity($0)) }
            if endpoints.isEmpty { continue }
            if endpoints != slice.endpoints || isRelabelled(slice.name) { changed.insert(kept.count) }
            kept.append(Slice(name: slice.name, endpoints: endpoints))
        }
        var rest = wanted.filter { waiting.removeValue(forKey: Self.identity($0)) != nil }[...]
        // What is written anyhow is filled first, the fullest of it before the others.
        for index in changed.sorted(by: { (kept[$1].endpoints.count, $0) < (kept[$0].endpoints.count, $1) }) {
            fill(index, from: &rest, most)
        }
        while !rest.isEmpty {
            // Where all that is left has room, and least stays free.
            let fitting = kept.indices.filter { !changed.contains($0) && kept[$0].endpoints.count + rest.count <= most }
            if rest.count < most, let fullest = fitting.max(by: { kept[$0].endpoints.count < kept[$1].endpoints.count }) {
                changed.insert(fullest)
                fill(fullest, from: &rest, most)
            } else {
                new.append(Array(rest.prefix(most)))
                rest = rest.dropFirst(most)
            }
        }
    }

    private mutating func fill(_ index: Int, from rest: inout ArraySlice<JSON>, _ most: Int) {
        let room = max(0, most - kept[index].endpoints.count)
        kept[index].endpoints += rest.prefix(room)
        rest = rest.dropFirst(room)
    }

    /// The same endpoint, whatever has become of it.
    private static func identity(_ endpoint: JSON) -> JSON { [endpoint["addresses"], endpoint["targetRef"]["uid"], endpoint["hostname"]] }
}
