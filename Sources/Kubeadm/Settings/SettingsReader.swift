import API
import Glibc
import Host
import Model
import Runtime
import YAML

/// Makes settings of flags and files, and judges them. (k8s.io/kubernetes/cmd/kubeadm/app/apis/kubeadm/validation)
struct SettingsReader {
    let machine: Machine
    let console: Console

    // MARK: Versions

    func release(_ text: String?) throws -> Release {
        guard let text, !text.isEmpty, !["stable-1", "stable", "latest"].contains(text) else {
            let address = "https://dl.k8s.io/release/\(text ?? "stable-1").txt"
            console.warn(
                "could not fetch a Kubernetes version from the internet: unable to get URL \"\(address)\": no internet", "version.go:109")
            console.warn("falling back to the local client version: \(machine.version)", "version.go:110")
            return Release(machine.version)
        }
        let digits = text.hasPrefix("v") ? text.dropFirst() : text[...]
        guard digits.split(separator: ".").count == 3, let version = KubernetesVersion(text) else {
            throw KubeadmError("version \"\(text)\" doesn't match patterns for neither semantic version nor labels (stable, latest, ...)")
        }
        guard version >= .oldest else {
            throw KubeadmError(
                "this version of kubeadm only supports deploying clusters with the control plane version >= \("\(KubernetesVersion.oldest)".dropFirst()). Current version: \(version)"
            )
        }
        guard version <= KubeadmTool.newest else {
            throw KubeadmError(
                "Kubernetes version is greater than kubeadm version: minik serves releases up to v\(KubernetesVersion.current.major).\(KubernetesVersion.current.minor); asked for: \(version)"
            )
        }
        return Release(version)
    }

    // MARK: Flags

    /// Flags that stand beside a file.
    private static let beside: Set<String> = [
        "ignore-preflight-errors", "dry-run", "kubeconfig", "kubeconfig-dir", "node-name", "upload-certs", "print-join-command", "rootfs",
        "v", "skip-phases", "skip-token-print", "skip-certificate-key-print", "cri-socket", "yes", "output", "config", "help", "force",
        "control-plane", "allow-experimental-api",
    ]

    static func checkMix(_ arguments: Arguments) throws {
        guard arguments["config"] != nil else { return }
        let others = arguments.names.filter { !beside.contains($0) }
        guard others.isEmpty else { throw KubeadmError("can not mix '--config' with arguments [\(others.joined(separator: ","))]") }
    }

    /// Of `init`, and of what prints its defaults.
    func settings(_ arguments: Arguments, address: String? = nil) throws -> ClusterSettings {
        try Self.checkMix(arguments)
        let file = try arguments["config"].map { try ConfigurationFile(path: $0, for: .initialize, Release(machine.version), console) }
        let release = try release(arguments["kubernetes-version"] ?? file?.version)
        var settings = ClusterSettings(release)
        settings.node.name = machine.hostname.lowercased()
        settings.advertiseAddress = address ?? machine.address
        if let file {
            try file.apply(to: &settings)
            guard file.cluster["etcd"]["external"].isNull else {
                throw KubeadmError(
                    "etcd.external: Forbidden: minik's control plane keeps what it is told in its own etcd", isValidation: true)
            }
            file.warnOfUnfollowed(
                for: ["InitConfiguration", "ClusterConfiguration", "KubeletConfiguration", "KubeProxyConfiguration"], console)
        }
        if let name = arguments["node-name"] { settings.node.name = name.lowercased() }
        if let address = arguments["apiserver-advertise-address"] { settings.advertiseAddress = address }
        if let port = arguments["apiserver-bind-port"].flatMap({ Int($0) }) { settings.bindPort = port }
        if let folder = arguments["cert-dir"] { settings.certificatesFolder = folder }
        if let names = arguments.lists["apiserver-cert-extra-sans"] { settings.extraNames += names }
        if let range = arguments["service-cidr"] { settings.serviceSubnet = range }
        if let range = arguments["pod-network-cidr"] { settings.podSubnet = range }
        if let domain = arguments["service-dns-domain"] { settings.domain = domain }
        if let repository = arguments["image-repository"] { settings.repository = repository }
        if let endpoint = arguments["control-plane-endpoint"] { settings.endpoint = endpoint }
        if let socket = arguments["cri-socket"] { settings.node.criSocket = socket }
        if let text = arguments["token"] {
            guard let token = BootstrapToken(text) else { throw Self.badToken(text) }
            settings.tokens[0].token = token
        }
        if let life = arguments["token-ttl"].flatMap({ GoDuration($0) }) { settings.tokens[0].life = max(0, life.seconds) }
        try SettingsValidation(settings: settings, machine: machine).check()
        return settings
    }

    static func badToken(_ text: String) -> KubeadmError {
        KubeadmError("the bootstrap token \"\(text)\" was not of the form \"\\\\A([a-z0-9]{6})\\\\.([a-z0-9]{16})\\\\z\"")
    }
}

/// What settings may not be, in the release's words.
struct SettingsValidation {
    let settings: ClusterSettings
    let machine: Machine
    private var isOld: Bool { settings.release.isOld }

    func check() throws {
        guard let address = IPAddress(settings.advertiseAddress) else {
            throw KubeadmError(
                "couldn't use \"\(settings.advertiseAddress)\" as \"apiserver-advertise-address\", must be ipv4 or ipv6 address")
        }
        if address.description.hasPrefix("127.") { throw KubeadmError("unable to select an IP from lo network interface") }
        var causes: [String] = []
        if !(1...65535).contains(settings.bindPort) {
            causes.append("localAPIEndpoint.bindPort: Invalid value: \(settings.bindPort): port number is not valid")
        }
        if !settings.certificatesFolder.hasPrefix("/") {
            causes.append("certificatesDir: Invalid value: \"\(settings.certificatesFolder)\": path is not absolute")
        }
        if !Names.isSubdomain(settings.domain) {
            causes.append("\(named("dnsDomain")): Invalid value: \"\(settings.domain)\": \(NodeSettings.subdomainRule)")
        }
        causes += service + pod + settings.node.causes(machine.hostname)
        if !settings.endpoint.isEmpty { causes += endpoint }
        guard !causes.isEmpty else { return }
        throw KubeadmError(causes.count == 1 ? causes[0] : "[\(causes.joined(separator: ", "))]", isValidation: true)
    }

    private func named(_ field: String) -> String { isOld ? field : "networking.\(field)" }

    private static let leastServices = 10, leastPods = 14, widestService = 12

    private func count(_ text: String, _ field: String, least: Int) -> (network: IPNetwork?, causes: [String]) {
        let here = "\(named(field)): Invalid value: \"\(text)\": "
        let parts = text.split(separator: ",").map(String.init)
        guard parts.count == 1 else {
            return (
                nil,
                [
                    here
                        + (isOld
                            ? "only one CIDR allowed for single-stack networking"
                            : "expected one (IPv4 or IPv6) CIDR or two CIDRs from each family for dual-stack networking")
                ]
            )
        }
        guard let network = IPNetwork(loosely: text), network.family == .ipv4 else { return (nil, [here + "couldn't parse subnet"]) }
        guard network.size < least else { return (network, []) }
        let words = isOld ? "subnet is too small" : "subnet with \(network.size) address(es) is too small, the minimum is \(least)"
        return (network, [here + words])
    }

    private var service: [String] {
        let (network, causes) = count(settings.serviceSubnet, "serviceSubnet", least: Self.leastServices)
        guard let network, network.prefixLength < Self.widestService else { return causes }
        return causes + [
            "\(named("serviceSubnet")): Invalid value: \"\(settings.serviceSubnet)\": specified service subnet is too large; for 32-bit addresses, the mask must be >= 12"
        ]
    }

    private var pod: [String] {
        guard !settings.podSubnet.isEmpty else { return [] }
        let (network, causes) = count(settings.podSubnet, "podSubnet", least: Self.leastPods)
        guard let network, network.prefixLength > settings.nodeMask else { return causes }
        let here = "\(named("podSubnet")): Invalid value: \"\(settings.podSubnet)\": "
        return causes + [
            here
                + (isOld
                    ? "pod subnet size is smaller than the node subnet size"
                    : "the size of pod subnet with mask \(network.prefixLength) is smaller than the size of node subnet with mask \(settings.nodeMask)")
        ]
    }

    private var endpoint: [String] {
        let parts = settings.endpoint.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let host = parts[0],
            isHost =
                IPAddress(host) != nil
                || host.utf8.allSatisfy {
                    (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || "-.".utf8.contains($0)
                }
        guard isHost, !host.isEmpty else {
            return ["hostport \(settings.endpoint): host '\(host)' must be a valid IP address or a valid RFC-1123 DNS subdomain"]
        }
        if parts.count > 1, !(Int(parts[1]).map { (1...65535).contains($0) } ?? false) {
            return ["hostport \(settings.endpoint): port \(parts[1]) must be a valid number between 1 and 65535, inclusive"]
        }
        return []
    }
}
