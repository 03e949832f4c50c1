import Model

/// The addresses that a node gives its pods, of blocks that are its own: who has what stands in the API.
/// (projectcalico/calico libcalico-go/lib/ipam)
package actor CalicoAddresses {
    private let client: any Client
    private let node: String
    private let now: @Sendable () -> Timestamp
    /// One at a time: whoever changes a block has to know it as it is.
    private let turn = Turnstile()
    private static let tries = 8

    package init(_ client: any Client, node: String, now: @escaping @Sendable () -> Timestamp = { .now() }) {
        self.client = client
        self.node = node
        self.now = now
    }

    /// An address for the handle: the one that it has, or one of this node's blocks, or of a new one.
    package func assign(_ handle: String, _ facts: [String: String]) async throws -> IPAddress {
        try await turn.withTurn {
            let facts = facts.merging(["node": node, "timestamp": now().description]) { own, _ in own }
            for block in try await blocks() {
                if let address = try await change(block.name, { $0.assign(handle, facts) }) {
                    try await note(handle, block.range)
                    return address
                }
            }
            while let range = try await claim() {
                if let address = try await change(CalicoBlock.name(range), { $0.assign(handle, facts) }) {
                    try await note(handle, range)
                    return address
                }
            }
            throw ProgramFailure(
                "failed to request IPv4 addresses: Assigned 0 out of 1 requested IPv4 addresses; no block of an IPPool is free for node "
                    + "\(node), and minik's calico-node takes none of other nodes' blocks: kubectl get ippools,blockaffinities")
        }
    }

    /// Tells of all blocks that are this node's: one may have been taken and not told of.
    package func tellAll() async throws { for block in try await blocks() { try await tell(block.range) } }

    /// What the handle has is free; nothing is no error.
    package func free(_ handle: String) async throws {
        try await turn.withTurn {
            for block in try await blocks() where !block.addresses(of: handle).isEmpty {
                _ = try await change(block.name) { $0.release(handle) }
            }
            do { try await client.delete(.calicoHandles, ObjectKey("", Self.name(handle))) } catch let error as StatusError
                where error.reason == .notFound
            {}
        }
    }

    /// This node's blocks, as they stand.
    private func blocks() async throws -> [CalicoBlock] {
        try await client.list(.calicoBlocks, namespace: nil, selector: nil).items.compactMap { CalicoBlock($0) }
            .filter { $0.node == node }.sorted { $0.range.network < $1.range.network }
    }

    /// Changes a block as it stands, again when somebody else was faster. nil: it is gone.
    private func change<R>(_ name: String, _ body: (inout CalicoBlock) -> R?) async throws -> R? {
        for _ in 0..<Self.tries {
            guard let found = try await client.find(.calicoBlocks, ObjectKey("", name)), var block = CalicoBlock(found) else { return nil }
            let result = body(&block)
            if block.json == found { return result }
            do {
                _ = try await client.update(.calicoBlocks, block.json)
                return result
            } catch let error as StatusError where error.reason == .conflict {}
        }
        throw StatusError.conflict(.calicoBlocks, name)
    }

    /// Makes a block this node's; nil when none is left.
    private func claim() async throws -> IPNetwork? {
        let pools = try await client.list(.calicoPools, namespace: nil, selector: nil).items.compactMap { CalicoPool($0) }
        let taken = Set(
            try await client.list(.calicoAffinities, namespace: nil, selector: nil).items.compactMap {
                $0["spec"]["cidr"].string.flatMap { IPNetwork($0) }
            })
        for pool in pools where pool.isOpen {
            for range in CalicoBlock.candidates(pool, for: node) where !taken.contains(where: { $0.overlaps(range) }) {
                do { _ = try await client.create(.calicoBlocks, CalicoBlock(range, of: node).json) } catch let error as StatusError
                    where error.reason == .alreadyExists
                { continue }
                try await tell(range)
                return range
            }
        }
        return nil
    }

    /// Others lead to it from now on.
    private func tell(_ range: IPNetwork) async throws {
        let name = "\(node)-\(CalicoBlock.name(range))"
        let spec: JSON = ["cidr": .string(range.description), "node": .string(node), "state": "confirmed", "deleted": "false"]
        do { _ = try await client.create(.calicoAffinities, Resource.calicoAffinities.object(name, spec)) } catch let error as StatusError
            where error.reason == .alreadyExists
        {}
    }

    private func note(_ handle: String, _ range: IPNetwork) async throws {
        let spec: JSON = ["handleID": .string(handle), "block": [range.description: 1], "deleted": false]
        do { _ = try await client.create(.calicoHandles, Resource.calicoHandles.object(Self.name(handle), spec)) } catch let error
            as StatusError where error.reason == .alreadyExists
        {}
    }

    /// An object's: without what no object's name may have.
    static func name(_ handle: String) -> String {
        String(handle.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") ? $0 : "-" })
    }
}
