import Glibc
import Host
import Model
import Netlink

/// This machine as a router, for clusters with `internet: true`: what it was set to before is written down first, and set again when the
/// last of them goes. What was written down before the machine's last start means nothing any more.
package struct MachineForwarding {
    private let folder: String
    private let cluster: String
    private var record: String { "\(folder)/settings.json" }

    package init(_ paths: ClusterPaths) {
        folder = paths.internet
        cluster = paths.cluster
    }

    /// Writes down what has to be set, and how it was.
    package func note(_ families: [IPFamily]) throws {
        try Files.makeDirectory("\(folder)/clusters", mode: 0o700)
        try Files.write("", to: "\(folder)/clusters/\(cluster)", mode: 0o600)
        let machine = try NetworkNamespace.current()
        var before = noted()
        for (key, value) in try settings(families) {
            // What another cluster has set meanwhile was not so before.
            if before[key] == nil, let now = try machine.sysctl(key), now != value { before[key] = now }
        }
        let json: JSON = ["boot": .string(Self.boot), "settings": JSON(before)]
        try Files.write(json.text(indented: true) + "\n", to: record, mode: 0o600)
    }

    /// Has the machine send on packets, after `note`; in words, what was not set so.
    package func repair(_ families: [IPFamily]) throws -> [String] {
        let machine = try NetworkNamespace.current()
        var found: [String] = []
        for (key, value) in try settings(families) where try machine.sysctl(key) != value {
            try machine.set(sysctl: key, value)
            found.append("sysctl \(key)=\(value) of this machine")
        }
        return found
    }

    /// Whether the machine sent on nothing of a family before minik had it do so.
    package func wasOff(_ family: IPFamily) -> Bool { noted()[Self.forwarding(family)] == "0" }

    /// The cluster needs it no more.
    package func end() throws {
        unlink("\(folder)/clusters/\(cluster)")
        guard Files.exists(folder), Files.list("\(folder)/clusters").isEmpty else { return }
        let machine = try NetworkNamespace.current()
        for (key, value) in noted() where try machine.sysctl(key) != nil { try machine.set(sysctl: key, value) }
        Files.removeTree(folder)
    }

    private static func forwarding(_ family: IPFamily) -> String {
        family == .ipv4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding"
    }

    private func settings(_ families: [IPFamily]) throws -> [(String, String)] {
        var settings = families.map { (Self.forwarding($0), "1") }
        guard families.contains(.ipv6) else { return settings }
        // A router takes no router's word for its own way out, unless it is told to. (Documentation/networking/ip-sysctl.rst, accept_ra)
        var socket = try NetlinkSocket(in: NetworkNamespace.current())
        let devices = Set(try socket.routes(.ipv6).filter { $0.destination.prefixLength == 0 }.map(\.device))
        let machine = try NetworkNamespace.current()
        for link in try socket.links() where devices.contains(link.index) {
            // As sysctl(8) has it: a dot of a device's name is written as a slash.
            let key = "net.ipv6.conf.\(link.name.replacing(".", with: "/")).accept_ra"
            if try machine.sysctl(key) == "1" { settings.insert((key, "2"), at: 0) }
        }
        return settings
    }

    private func noted() -> [String: String] {
        guard let text = Files.text(record), let json = try? JSON(parsing: text), json["boot"].string == Self.boot else { return [:] }
        return json["settings"].stringMap
    }

    private static var boot: String { Files.text("/proc/sys/kernel/random/boot_id")?.trimmed ?? "" }
}
