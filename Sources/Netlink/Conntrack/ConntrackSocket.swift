import CMnl
import Glibc
import Model
import Rules

/// The connections that one network namespace tracks (nf_conntrack_netlink).
package struct ConntrackSocket: ~Copyable {
    private var socket: NetlinkSocket

    package init(in namespace: borrowing NetworkNamespace) throws(NetlinkError) {
        socket = try NetlinkSocket(NETLINK_NETFILTER, in: namespace)
    }

    private static func message(_ type: cntl_msg_types, _ flags: Int32, _ family: IPFamily) -> NetlinkMessage {
        NetlinkMessage(
            Int(NFNL_SUBSYS_CTNETLINK) << 8 | Int(type.rawValue), flags,
            nfgenmsg(nfgen_family: UInt8(family.number), version: UInt8(NFNETLINK_V0), res_id: 0))
    }

    /// `conntrack -L -f ipv4`, or `-f ipv6`
    package mutating func list(_ family: IPFamily = .ipv4) throws(NetlinkError) -> [TrackedConnection] {
        var found: [TrackedConnection] = []
        try socket.run(Self.message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, family), { "conntrack -L" }) { header in
            if let connection = TrackedConnection(header) { found.append(connection) }
        }
        return found
    }

    /// `conntrack -L`, each connection as it was sent and as it is answered.
    package mutating func tuples(_ family: IPFamily) throws(NetlinkError) -> [(original: ConnectionTuple, reply: ConnectionTuple)] {
        var found: [(ConnectionTuple, ConnectionTuple)] = []
        try socket.run(Self.message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, family), { "conntrack -L" }) { header in
            if let (original, reply, _) = TrackedConnection.tuples(header) { found.append((original, reply)) }
        }
        return found
    }

    /// `conntrack -L -o extended`, each connection as it was sent and answered, and the seconds after which it is forgotten if nothing
    /// more comes.
    package mutating func remaining(_ family: IPFamily) throws(NetlinkError) -> [(
        original: ConnectionTuple, reply: ConnectionTuple, seconds: UInt32
    )] {
        var found: [(ConnectionTuple, ConnectionTuple, UInt32)] = []
        try socket.run(Self.message(IPCTNL_MSG_CT_GET, NLM_F_DUMP, family), { "conntrack -L" }) { header in
            guard let (original, reply, _) = TrackedConnection.tuples(header) else { return }
            found.append((original, reply, TrackedConnection.seconds(header)))
        }
        return found
    }

    /// `conntrack -D` of one connection; nothing to delete is no error.
    package mutating func delete(_ connection: TrackedConnection) throws(NetlinkError) {
        let message = Self.message(IPCTNL_MSG_CT_DELETE, NLM_F_ACK, connection.packet.source.family)
        message.put(UInt32(CTA_TUPLE_ORIG.rawValue) | UInt32(NLA_F_NESTED), connection.tuple)
        let packet = connection.packet
        do { try socket.execute(message, "conntrack -D -s \(packet.source) -r \(packet.destination) -p \(packet.proto)") } catch
            where error.isNotFound
        {}
    }
}

/// Hears of the connections that one network namespace begins to track, those too that a reset ends at once.
package final class ConntrackEvents: Sendable {
    private let events: NetfilterEvents

    package init(in namespace: borrowing NetworkNamespace) throws(NetlinkError) {
        events = try NetfilterEvents(NFNLGRP_CONNTRACK_NEW, "conntrack -E -e NEW", in: namespace)
    }

    /// Everything that has been told so far, each connection as it was sent and as it is answered.
    package func read() -> [(original: ConnectionTuple, reply: ConnectionTuple)] {
        var found: [(ConnectionTuple, ConnectionTuple)] = []
        events.read { header in
            guard Int32(header.pointee.nlmsg_type) == Int32(NFNL_SUBSYS_CTNETLINK) << 8 | Int32(IPCTNL_MSG_CT_NEW.rawValue),
                let (original, reply, _) = TrackedConnection.tuples(header)
            else { return }
            found.append((original, reply))
        }
        return found
    }
}

extension TrackedConnection {
    fileprivate init?(_ header: UnsafePointer<nlmsghdr>) {
        guard let (original, reply, raw) = Self.tuples(header) else { return nil }
        // Whoever answers is where the packets really go.
        var packet = Packet(from: original.source, to: reply.source, proto: original.proto, port: reply.sourcePort)
        packet.isDestinationTranslated = original.destination != reply.source || original.destinationPort != reply.sourcePort
        let sent = Packet(from: original.source, to: original.destination, proto: original.proto, port: original.destinationPort)
        self.init(packet: packet, sent: sent, tuple: raw)
    }

    /// CTA_TIMEOUT
    fileprivate static func seconds(_ header: UnsafePointer<nlmsghdr>) -> UInt32 {
        var seconds: UInt32 = 0
        guard let payload = mnl_nlmsg_get_payload(header) else { return seconds }
        let skip = MemoryLayout<nfgenmsg>.size
        forEachAttribute(payload + skip, Int(header.pointee.nlmsg_len) - MemoryLayout<nlmsghdr>.size - skip) { type, value in
            guard type == CTA_TIMEOUT.rawValue, value.count >= MemoryLayout<UInt32>.size else { return }
            seconds = UInt32(bigEndian: value.loadUnaligned(as: UInt32.self))
        }
        return seconds
    }

    /// Both ways of a connection, and what names it to the kernel.
    fileprivate static func tuples(_ header: UnsafePointer<nlmsghdr>) -> (ConnectionTuple, ConnectionTuple, [UInt8])? {
        var original = ConnectionTuple(), reply = ConnectionTuple(), raw: [UInt8] = []
        guard let payload = mnl_nlmsg_get_payload(header) else { return nil }
        let skip = MemoryLayout<nfgenmsg>.size
        forEachAttribute(payload + skip, Int(header.pointee.nlmsg_len) - MemoryLayout<nlmsghdr>.size - skip) { type, value in
            switch type {
            case CTA_TUPLE_ORIG.rawValue:
                original = ConnectionTuple(value)
                raw = Array(value)
            case CTA_TUPLE_REPLY.rawValue: reply = ConnectionTuple(value)
            default: break
            }
        }
        return raw.isEmpty ? nil : (original, reply, raw)
    }
}

/// One way of a tracked connection.
package struct ConnectionTuple: Hashable, Sendable {
    package var source = IPAddress.unspecified(.ipv4), destination = IPAddress.unspecified(.ipv4)
    package var proto: UInt8 = 0
    package var sourcePort: UInt16 = 0, destinationPort: UInt16 = 0

    package init() {}

    fileprivate init(_ bytes: UnsafeRawBufferPointer) {
        Self.each(bytes) { type, value in
            switch type {
            case CTA_TUPLE_IP.rawValue:
                Self.each(value) { type, value in
                    guard let address = IPAddress(bytes: value) else { return }
                    if [CTA_IP_V4_SRC.rawValue, CTA_IP_V6_SRC.rawValue].contains(type) { source = address }
                    if [CTA_IP_V4_DST.rawValue, CTA_IP_V6_DST.rawValue].contains(type) { destination = address }
                }
            case CTA_TUPLE_PROTO.rawValue:
                Self.each(value) { type, value in
                    if type == CTA_PROTO_NUM.rawValue { proto = value.first ?? 0 }
                    if type == CTA_PROTO_SRC_PORT.rawValue { sourcePort = Self.port(value) }
                    if type == CTA_PROTO_DST_PORT.rawValue { destinationPort = Self.port(value) }
                }
            default: break
            }
        }
    }

    private static func each(_ bytes: UnsafeRawBufferPointer, _ body: (UInt32, UnsafeRawBufferPointer) -> Void) {
        guard let start = bytes.baseAddress else { return }
        forEachAttribute(UnsafeMutableRawPointer(mutating: start), bytes.count, body)
    }

    private static func port(_ value: UnsafeRawBufferPointer) -> UInt16 { value.prefix(2).reduce(0) { $0 << 8 | UInt16($1) } }

    /// The way of a packet, of one with ports.
    package init(_ datagram: Datagram) {
        (source, destination, proto) = (datagram.source, datagram.destination, datagram.proto)
        (sourcePort, destinationPort) = (datagram.sourcePort, datagram.destinationPort)
    }

    package var reversed: ConnectionTuple {
        var other = self
        (other.source, other.destination) = (destination, source)
        (other.sourcePort, other.destinationPort) = (destinationPort, sourcePort)
        return other
    }

    /// `10.244.1.3:61001 > 10.96.0.10:80`
    package var text: String {
        func place(_ address: IPAddress, _ port: UInt16) -> String { port == 0 ? "\(address)" : address.authority(port: Int(port)) }
        return "\(place(source, sourcePort)) > \(place(destination, destinationPort))"
    }
}

/// The connections of one family in one network namespace, for whoever must not touch a socket.
package actor KernelConnections: ConnectionTracking {
    /// A list of all connections may be long.
    private let executor = QueueExecutor("conntrack")
    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let path: String
    private let family: IPFamily
    private var socket: ConntrackSocket

    package init(namespace path: String, _ family: IPFamily = .ipv4) throws(NetlinkError) {
        self.path = path
        self.family = family
        socket = try ConntrackSocket(in: NetworkNamespace(path: path))
    }

    /// Turns to the namespace that now has the name.
    package func reopen() throws(NetlinkError) { socket = try ConntrackSocket(in: NetworkNamespace(path: path)) }

    package func connections() async throws -> [TrackedConnection] {
        for _ in 0..<4 {
            do { return try socket.list(family) } catch {
                if error.errno != EINTR { throw error }  // it changed while it was told: ask again
            }
        }
        return try socket.list(family)
    }

    package func forget(_ connections: [TrackedConnection]) async throws {
        for connection in connections { try socket.delete(connection) }
    }
}
