import Host
import Model

/// The addresses of a node's pods as host-local keeps them: a file for each, named like the address, with the container and its interface
/// in it. Who finds a file there does not ask whether anybody still has the address.
/// (containernetworking/plugins plugins/ipam/host-local/backend/disk)
package struct HostLocalLeases: Sendable {
    package static let folder = "/var/lib/cni/networks/cbr0"

    /// The files of a node, as far as leases need them.
    package struct Ground: Sendable {
        package let texts: @Sendable (_ folder: String) throws -> [String: String]
        package let text: @Sendable (_ path: String) throws -> String?
        /// Makes a file that is not there yet; false when it is.
        package let create: @Sendable (_ text: String, _ path: String) throws -> Bool
        package let write: @Sendable (_ text: String, _ path: String) throws -> Void
        package let remove: @Sendable (_ path: String) throws -> Void

        package init(
            texts: @escaping @Sendable (String) throws -> [String: String], text: @escaping @Sendable (String) throws -> String?,
            create: @escaping @Sendable (String, String) throws -> Bool, write: @escaping @Sendable (String, String) throws -> Void,
            remove: @escaping @Sendable (String) throws -> Void
        ) {
            (self.texts, self.text, self.create, self.write, self.remove) = (texts, text, create, write, remove)
        }

        init(_ root: NodeRoot) {
            self.init(
                texts: { try root.texts(in: $0) }, text: { root.text($0) }, create: { try root.create($0, at: $1) },
                write: { try root.write($0, to: $1) }, remove: { try root.remove($0) })
        }
    }

    /// Which addresses a container has, so that not every file is read for each that goes: those of before are read once.
    private var known: [String: [IPAddress]]?

    package init() {}

    package struct Exhausted: Error, CustomStringConvertible {
        let index: Int
        let range: LeaseRange
        package var description: String { "failed to allocate for range \(index): no IP addresses available in range set: \(range)" }
    }

    /// An address of each range for a container. What an earlier try has left to it is given back first, as a kubelet does.
    package mutating func take(_ ranges: [LeaseRange], for container: String, in ground: Ground) throws -> [IPAddress] {
        try giveBack(container, in: ground)
        var addresses: [IPAddress] = []
        for (index, range) in ranges.enumerated() {
            let mark = "\(Self.folder)/last_reserved_ip.\(index)"
            let previous = try ground.text(mark).flatMap { IPAddress($0.trimmed) }
            guard let address = try range.take(after: previous, { try ground.create(Self.lease(container), path($0)) }) else {
                try giveBack(container, in: ground)
                throw Exhausted(index: index, range: range)
            }
            addresses.append(address)
            known?[container] = addresses
            try ground.write(address.description, mark)
        }
        return addresses
    }

    /// Keeps what a running pod has.
    package mutating func keep(_ addresses: [IPAddress], for container: String, in ground: Ground) throws {
        for address in addresses { _ = try ground.create(Self.lease(container), path(address)) }
        known?[container] = addresses
    }

    package mutating func giveBack(_ container: String, in ground: Ground) throws {
        let known = try known ?? read(ground)
        self.known = known
        // Somebody may have given an address to another meanwhile.
        for address in known[container] ?? [] where try ground.text(path(address)).map({ Self.holder($0) }) == container {
            try ground.remove(path(address))
        }
        self.known?[container] = nil
    }

    private func read(_ ground: Ground) throws -> [String: [IPAddress]] {
        try ground.texts(Self.folder).reduce(into: [:]) { found, file in
            if let address = IPAddress(file.key) { found[Self.holder(file.value), default: []].append(address) }
        }
    }

    private func path(_ address: IPAddress) -> String { "\(Self.folder)/\(address)" }

    private static func lease(_ container: String) -> String { "\(container)\r\n\(CNIAttachment.interface)" }

    private static func holder(_ lease: String) -> String {
        lease.split(whereSeparator: \.isNewline).first.map { String($0).trimmed } ?? ""
    }
}
