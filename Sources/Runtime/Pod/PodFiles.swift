import Host
import Model

/// The files that every container of a pod sees: its host name, hosts, and the resolver's configuration.
struct PodFiles {
    let pod: Pod
    /// One of each family.
    let addresses: [IPAddress]
    let paths: ClusterPaths
    let node: String
    let cluster: Cluster

    static func hostname(_ pod: Pod, node: String) -> String {
        if pod.isHostNetwork { return node }
        return String((pod.spec["hostname"].string ?? pod.name).prefix(63))
    }

    /// hostname.subdomain.namespace.svc.domain; nil without a subdomain.
    private func domainName(_ hostname: String) -> String? {
        pod.spec["subdomain"].string.map { "\(hostname).\($0).\(pod.namespace).svc.\(cluster.dnsDomain)" }
    }

    /// What the pod's kernel calls it: its host name, or with setHostnameAsFQDN its whole name.
    func kernelHostname() throws -> String {
        let short = Self.hostname(pod, node: node)
        guard pod.spec["setHostnameAsFQDN"].bool == true, !pod.isHostNetwork, let full = domainName(short) else { return short }
        guard full.utf8.count <= Self.longestHostname else {
            throw NameTooLong(
                description:
                    "Failed to construct FQDN from Pod hostname and cluster domain, FQDN \(full) is too long (64 characters is the max, \(full.utf8.count) characters requested)"
            )
        }
        return full
    }

    struct NameTooLong: Error, CustomStringConvertible { let description: String }
    private static let longestHostname = 64

    /// Files that every container of the pod sees: hosts, resolver, host name.
    func write() throws {
        let state = paths.podState(pod.uid)
        try Files.makeDirectory(state, mode: 0o700)
        let hostname = Self.hostname(pod, node: node)
        try Files.write("\(try kernelHostname())\n", to: "\(state)/hostname")
        var hosts = try pod.isHostNetwork ? hostNetworkHosts() : ownHosts(hostname)
        let aliases = pod.spec["hostAliases"].items
        if !aliases.isEmpty {
            hosts += "\n# Entries added by HostAliases.\n"
            for alias in aliases {
                hosts += "\(alias["ip"].string ?? "")\t\(alias["hostnames"].items.compactMap(\.string).joined(separator: "\t"))\n"
            }
        }
        try Files.write(hosts, to: "\(state)/hosts")
        try Files.write(resolver(), to: "\(state)/resolv.conf")
        if !addresses.isEmpty { try Files.write(addresses.map { "\($0)\n" }.joined(), to: Self.addressFile(pod.uid, paths)) }
    }

    private static func addressFile(_ uid: String, _ paths: ClusterPaths) -> String { "\(paths.podState(uid))/address" }

    /// The addresses that a pod has been given, by whatever daemon.
    static func addresses(of uid: String, _ paths: ClusterPaths) -> [IPAddress] {
        (Files.text(addressFile(uid, paths)) ?? "").split(separator: "\n").compactMap { IPAddress($0) }
    }

    /// The node's own, with a line that says whose it is.
    private func hostNetworkHosts() throws -> String {
        let own = try NodeRoot(node, paths: paths).text("/etc/hosts") ?? ""
        return "# Kubernetes-managed hosts file (host network).\n" + own
    }

    private func ownHosts(_ hostname: String) -> String {
        let hosts = """
            # Kubernetes-managed hosts file.
            127.0.0.1\tlocalhost
            ::1\tlocalhost ip6-localhost ip6-loopback
            fe00::0\tip6-localnet
            fe00::0\tip6-mcastprefix
            fe00::1\tip6-allnodes
            fe00::2\tip6-allrouters

            """
        let domain = domainName(hostname).map { "\($0)\t" } ?? ""
        return hosts + addresses.map { "\($0)\t\(domain)\(hostname)\n" }.joined()
    }

    private func resolver() -> String {
        let policy = pod.spec["dnsPolicy"].string ?? "ClusterFirst"
        let config = pod.spec["dnsConfig"]
        let servers = cluster.dnsServers.map(\.description)
        var nameservers: [String] = [], searches: [String] = [], options: [String] = []
        if policy == "ClusterFirstWithHostNet" || (policy == "ClusterFirst" && !pod.isHostNetwork) {
            nameservers = servers
            searches = ["\(pod.namespace).svc.\(cluster.dnsDomain)", "svc.\(cluster.dnsDomain)", cluster.dnsDomain]
            options = ["ndots:5"]
        } else if policy != "None" {
            nameservers = servers
            searches = [cluster.dnsDomain]
        }
        nameservers += config["nameservers"].items.compactMap(\.string)
        searches += config["searches"].items.compactMap(\.string)
        for option in config["options"].items {
            let name = option["name"].string ?? ""
            options.removeAll { $0 == name || $0.hasPrefix("\(name):") }
            options.append(option["value"].string.map { "\(name):\($0)" } ?? name)
        }
        var lines: [String] = []
        if !searches.isEmpty { lines.append("search \(searches.joined(separator: " "))") }
        lines += nameservers.map { "nameserver \($0)" }
        if !options.isEmpty { lines.append("options \(options.joined(separator: " "))") }
        return lines.joined(separator: "\n") + "\n"
    }
}
