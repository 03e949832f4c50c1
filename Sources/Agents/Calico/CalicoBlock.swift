import Model

/// A block of addresses that is one node's, and who has which of them. (projectcalico/calico libcalico-go/lib/ipam, IPAMBlock)
package struct CalicoBlock: Sendable, Hashable {
    package let range: IPNetwork
    package let node: String
    /// Of each address the number of its holder among `holders`; nil is free.
    private var allocations: [Int?]
    /// The free ones in the order in which they are given: what was given back comes last.
    private var free: [Int]
    private var holders: [JSON]
    /// As it was read, with its resourceVersion.
    private var object: JSON

    package init(_ range: IPNetwork, of node: String) {
        self.range = range
        self.node = node
        allocations = Array(repeating: nil, count: range.size)
        free = Array(0..<range.size)
        holders = []
        object = Resource.calicoBlocks.object(Self.name(range), .emptyObject)
    }

    /// nil: it is no such object, or not whole.
    package init?(_ object: JSON) {
        let spec = object["spec"]
        guard let range = spec["cidr"].string.flatMap({ IPNetwork($0) }), range.prefixLength >= 16,
            let node = spec["affinity"].string.flatMap({ $0.hasPrefix("host:") ? String($0.dropFirst("host:".count)) : nil })
        else { return nil }
        let holders = spec["attributes"].items, allocations = spec["allocations"].items.map(\.int)
        let free = spec["unallocated"].items.compactMap(\.int)
        guard allocations.count == range.size, allocations.allSatisfy({ $0.map(holders.indices.contains) ?? true }),
            free.allSatisfy({ allocations.indices.contains($0) && allocations[$0] == nil })
        else { return nil }
        self.range = range
        self.node = node
        self.holders = holders
        self.allocations = allocations
        self.free = free
        self.object = object
    }

    /// `10-244-1-64-26`
    package static func name(_ range: IPNetwork) -> String {
        "\(range.network)-\(range.prefixLength)".replacing(".", with: "-").replacing(":", with: "-")
    }

    package var name: String { object.metadata.name }
    package var json: JSON {
        var json = object
        json["spec"] = [
            "cidr": .string(range.description), "affinity": .string("host:\(node)"), "strictAffinity": false, "deleted": false,
            "allocations": .array(allocations.map { JSON($0) }), "unallocated": .array(free.map(JSON.int)), "attributes": .array(holders),
        ]
        return json
    }

    /// Gives the handle an address; nil when there is none left. Who has one already gets no other.
    package mutating func assign(_ handle: String, _ facts: [String: String]) -> IPAddress? {
        if let address = addresses(of: handle).first { return address }
        guard !free.isEmpty else { return nil }
        let index = free.removeFirst()
        holders.append(["handle_id": .string(handle), "secondary": JSON(facts)])
        allocations[index] = holders.count - 1
        return range[index]
    }

    /// Takes back what the handle has.
    package mutating func release(_ handle: String) {
        guard let holder = holders.firstIndex(where: { $0["handle_id"].string == handle }) else { return }
        for index in allocations.indices {
            guard let own = allocations[index] else { continue }
            if own == holder {
                allocations[index] = nil
                free.append(index)
            } else if own > holder {
                allocations[index] = own - 1
            }
        }
        holders.remove(at: holder)
    }

    package func addresses(of handle: String) -> [IPAddress] {
        guard let holder = holders.firstIndex(where: { $0["handle_id"].string == handle }) else { return [] }
        return allocations.indices.filter { allocations[$0] == holder }.map { range[$0] }
    }

    /// Who has addresses of it.
    package var handles: [String] { holders.compactMap { $0["handle_id"].string } }

    /// The blocks of a pool in the order in which a node looks for one of its own: each begins elsewhere, so that they seldom meet.
    package static func candidates(_ pool: CalicoPool, for node: String) -> some Sequence<IPNetwork> {
        let count = 1 << min(20, pool.blockLength - pool.range.prefixLength)
        // FNV-1a
        let hash = node.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        let start = Int(hash) % count
        return (0..<count).lazy.compactMap { pool.range.subnet((start + $0) % count, length: pool.blockLength) }
    }
}
