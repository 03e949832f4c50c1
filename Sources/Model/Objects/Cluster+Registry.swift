extension Cluster {
    /// How the cluster's nodes speak to one registry of images.
    package struct Registry: Sendable, Hashable {
        /// As images name it: HOST or HOST:PORT.
        package var host: String
        /// Asked before it, in order: HOST[:PORT][/PATH], with `http://` where that is how it speaks.
        package var mirrors: [String]
        /// Plain HTTP, and certificates that nobody vouches for, are taken.
        package var isInsecure: Bool
        /// Of the authority whose word on its certificate counts, beside the machine's own.
        package var caFile: String?

        package init(host: String, mirrors: [String] = [], isInsecure: Bool = false, caFile: String? = nil) {
            self.host = host
            self.mirrors = mirrors
            self.isInsecure = isInsecure
            self.caFile = caFile
        }

        /// A mirror without the word for how it speaks.
        package static func place(_ mirror: String) -> String {
            for scheme in ["https://", "http://"] where mirror.hasPrefix(scheme) { return String(mirror.dropFirst(scheme.count)) }
            return mirror
        }

        package var json: JSON {
            [
                "host": .string(host), "mirrors": mirrors.isEmpty ? .null : .array(mirrors.map(JSON.string)),
                "insecure": isInsecure ? true : .null, "caFile": JSON(caFile),
            ]
        }
    }

    /// Everything but what may change while it runs: where images, and other names, come from; how its links behave.
    package var shape: Cluster {
        var shape = self
        (shape.registries, shape.images, shape.forward, shape.repair, shape.links) = ([], [], [], .automatic, [])
        guard bootstrap == .kubeadm else { return shape }
        // Its ranges, and its domain, are told to kubeadm, later.
        shape.dnsDomain = Cluster.standardDomain
        let standard = ClusterNetworks.standard(.ipv4)
        shape.nodePortRange = Cluster().nodePortRange
        return shape.with(pods: standard.pods, services: standard.services)
    }
}
