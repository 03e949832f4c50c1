import Host

/// How many neighbours the kernel remembers: one number for all network namespaces of the machine. (arp(7), gc_thresh3)
///
/// Pods of a bridge are neighbours of one another, so that a few dozen pods of a node that all talk with one another fill the kernel's own
/// limit of 1,024; from then on packets are lost, the machine's own too.
package enum NeighbourLimit {
    /// Some two hundred and fifty pods a node, each with all the others.
    private static let wanted = 65536

    /// Raises it where it is lower. In words, what could not be; a network namespace that is not the machine's first has no such file.
    /// `sysctl net.ipv4.neigh.default.gc_thresh3=65536`
    package static func raise(in folder: String = "/proc/sys/net") -> [String] {
        // The one before it is where the kernel begins to throw out who was silent for five seconds.
        [("gc_thresh3", wanted), ("gc_thresh2", wanted / 2)].flatMap { name, wanted in
            ["ipv4", "ipv6"].compactMap { family in
                let path = "\(folder)/\(family)/neigh/default/\(name)"
                guard let limit = Files.text(path).flatMap({ Int($0.trimmed) }), limit < wanted else { return nil }
                do { try Files.tell("\(wanted)", to: path) } catch { return "\(error)" }
                return nil
            }
        }
    }
}
