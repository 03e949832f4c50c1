import Model

// One message is one SOCK_SEQPACKET packet holding one JSON document; descriptors ride along (SCM_RIGHTS). Every packet says which
// version of the protocol its sender speaks: shims outlive the daemon that started them.

/// The largest packet either side sends.
package let maximumShimPacket = 192 * 1024

/// The versions of what daemon and shim say to each other.
package enum ShimVersion {
    /// What this build speaks. 1 said no version, knew no devices, control groups or keyrings, and hung up on what it did not know;
    /// 2 gave each container a PID namespace of its own; 3 took a node's paths for the machine's.
    package static let current = 4
    /// The first whose containers are confined: an older shim is asked for everything but to start another one.
    package static let confining = 2
    /// The first whose containers share a PID namespace where they should.
    package static let sharing = 3
    /// The first that mounts images for volumes, and makes the directories that images call volumes.
    package static let mounting = 4
}

/// A packet that is not what its sender can have meant.
package struct PacketError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

extension JSON {
    /// A member that a packet cannot do without: absent, or of another type, is no default.
    func required<T>(_ name: String, _ type: KeyPath<JSON, T?>) throws(PacketError) -> T {
        guard let value = self[name][keyPath: type] else { throw PacketError("\(name) is missing, or is not what it should be") }
        return value
    }

    /// The same for a list.
    func list<T>(_ name: String, _ type: KeyPath<JSON, T?>) throws(PacketError) -> [T] {
        var values: [T] = []
        for item in try required(name, \.array) {
            guard let value = item[keyPath: type] else { throw PacketError("\(name) holds what it should not") }
            values.append(value)
        }
        return values
    }

    func time(_ name: String) throws(PacketError) -> Timestamp {
        guard let time = Timestamp(try required(name, \.string)) else { throw PacketError("\(name) is no time") }
        return time
    }

    /// A packet's version: what its sender speaks.
    package var packetVersion: Int { self["version"].int ?? 1 }
}
