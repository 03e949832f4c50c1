import Glibc
import Model
import Netlink

/// How a node's link is made to behave: by the same queueing discipline at both of its ends, the node's eth0 for what the node sends, its
/// port on the LAN for what it gets.
package struct LinkShape {
    /// nil: a plain link.
    package let qdisc: Qdisc?

    package init(_ link: Cluster.NodeLink) {
        guard link.isShaped else {
            qdisc = nil
            return
        }
        var rest = link
        rest.rate = nil
        // A rate alone needs no emulation, which not every kernel has.
        if let rate = link.rate, !rest.isShaped {
            qdisc = .tbf(TokenBucket(rate: rate))
        } else {
            qdisc = .netem(
                Netem(
                    delay: link.delay, jitter: link.jitter, loss: link.loss, corrupt: link.corrupt, reorder: link.reorder, rate: link.rate))
        }
    }

    /// The kernel has no such discipline.
    package struct Unsupported: Error, CustomStringConvertible {
        package let kind: String
        package let reason: NetlinkError
        package var description: String { "this kernel has no queueing discipline \(kind) (sch_\(kind)): \(reason)" }
    }

    /// Makes what is missing at either end; in words, what was. Of a plain link nothing is missing: what else is there somebody has made.
    package func repair(_ lan: inout NetlinkSocket, port: String, _ node: inout NetlinkSocket) throws -> [String] {
        guard let qdisc else { return [] }
        var found: [String] = []
        let outer = try lan.index(of: port), inner = try node.index(of: "eth0")
        if try node.rootQdisc(dev: inner) != qdisc {
            try set(qdisc, &node, inner)
            found.append("qdisc \(qdisc.kind) on eth0")
        }
        if try lan.rootQdisc(dev: outer) != qdisc {
            try set(qdisc, &lan, outer)
            found.append("qdisc \(qdisc.kind) on \(port) of the nodes' LAN")
        }
        return found
    }

    /// Sets both ends, or none.
    package func apply(_ lan: inout NetlinkSocket, port: String, _ node: inout NetlinkSocket) throws {
        let outer = try lan.index(of: port), inner = try node.index(of: "eth0")
        guard let qdisc else {
            try node.deleteRootQdisc(dev: inner)
            return try lan.deleteRootQdisc(dev: outer)
        }
        let before = try node.rootQdisc(dev: inner)
        try set(qdisc, &node, inner)
        do { try set(qdisc, &lan, outer) } catch {
            if let before { try node.setRootQdisc(before, dev: inner) } else { try node.deleteRootQdisc(dev: inner) }
            throw error
        }
    }

    /// Throws `Unsupported` where this namespace's kernel could not give the device such a discipline; leaves it there.
    package func probe(_ socket: inout NetlinkSocket, dev index: Int32) throws {
        if let qdisc { try set(qdisc, &socket, index) }
    }

    private func set(_ qdisc: Qdisc, _ socket: inout NetlinkSocket, _ index: Int32) throws {
        do { try socket.setRootQdisc(qdisc, dev: index) } catch {
            // "Specified qdisc kind is unknown.", "Specified qdisc not found."
            guard error.errno == ENOENT else { throw error }
            throw Unsupported(kind: qdisc.kind, reason: error)
        }
    }
}
