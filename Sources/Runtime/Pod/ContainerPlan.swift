import Glibc
import Model
import ShimProtocol

/// Resolves a container of a pod into what its shim starts: environment, volumes, user, command.
struct ContainerPlan {
    let pod: Pod
    let address: IPv4Address?
    let hostAddress: IPv4Address
    let paths: ClusterPaths
    let node: String
    let client: any Client

    /// What is wrong with a container before it starts; `CreateContainerConfigError` to the user.
    struct ConfigurationError: Error, CustomStringConvertible { let description: String }

    /// containerd's default set, a bit each (linux/capability.h): chown, dac_override, fowner, fsetid, kill, setgid, setuid,
    /// setpcap, net_bind_service, net_raw, sys_chroot, mknod, audit_write, setfcap.
    private static let standardCapabilities: [Int] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31]
    private static let capabilityNames = [
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
        "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
        "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
        "PERFMON", "BPF", "CHECKPOINT_RESTORE",
    ]

    func spec(_ container: Container, image: Image, attempt: Int) async throws -> ContainerSpec {
        var spec = ContainerSpec()
        let layers = "\(paths.podState(pod.uid))/containers/\(container.name)/\(attempt)"
        spec.name = container.name
        spec.lower = image.root
        (spec.upper, spec.work) = ("\(layers)/upper", "\(layers)/work")
        spec.merged = "\(paths.podRun(pod.uid))/merged"
        for directory in [spec.upper, spec.work, spec.merged] { try Files.makeDirectory(directory) }

        var environment = try await self.environment(container, image)
        let expand = { (text: String) in Self.expand(text, environment.map { ($0.name, $0.value) }) }
        let command = container.command.map(expand), args = container.args.map(expand)
        spec.argv = command.isEmpty ? image.entrypoint + (args.isEmpty ? image.command : args) : command + args
        guard !spec.argv.isEmpty else { throw ConfigurationError(description: "no command specified") }
        if container.tty, !environment.contains(where: { $0.name == "TERM" }) { environment.append(("TERM", "xterm")) }
        spec.environment = environment.map { "\($0.name)=\($0.value)" }
        spec.workingDirectory = container.workingDir ?? image.workingDirectory
        spec.tty = container.tty
        spec.stdin = container.stdin
        spec.stdinOnce = container.stdinOnce
        spec.target = container.json["targetContainerName"].string ?? ""
        let logs = "\(paths.podLogs(pod, node: node))/\(container.name)"
        try Files.makeDirectory(logs)
        spec.logPath = "\(logs)/\(attempt).log"
        secure(&spec, container)
        spec.binds = try await binds(container)
        let words = TerminationMessage(pod: pod, container: container, attempt: attempt, node: node, paths: paths)
        try Files.write([], to: words.file, mode: 0o666)
        chmod(words.file, 0o666)
        spec.binds.append(BindMount(source: words.file, target: words.target, readOnly: false))
        return spec
    }

    private func secure(_ spec: inout ContainerSpec, _ container: Container) {
        let own = container.json["securityContext"], shared = pod.spec["securityContext"]
        func setting(_ name: String) -> JSON { own[name].isNull ? shared[name] : own[name] }
        spec.uid = setting("runAsUser").int ?? 0
        spec.gid = setting("runAsGroup").int ?? 0
        spec.privileged = own["privileged"].bool ?? false
        spec.readOnlyRoot = own["readOnlyRootFilesystem"].bool ?? false
        spec.noNewPrivileges = own["allowPrivilegeEscalation"].bool == false
        var capabilities = Self.standardCapabilities.reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
        func bits(_ names: JSON) -> UInt64 {
            names.items.compactMap(\.string).reduce(0) { bits, name in
                let short = name.hasPrefix("CAP_") ? String(name.dropFirst(4)) : name
                if short == "ALL" { return bits | (1 << UInt64(Self.capabilityNames.count)) - 1 }
                return Self.capabilityNames.firstIndex(of: short).map { bits | 1 << UInt64($0) } ?? bits
            }
        }
        capabilities = capabilities & ~bits(own["capabilities"]["drop"]) | bits(own["capabilities"]["add"])
        spec.capabilities = spec.privileged ? (1 << UInt64(Self.capabilityNames.count)) - 1 : capabilities
    }

    // MARK: Environment

    private func environment(_ container: Container, _ image: Image) async throws -> [(name: String, value: String)] {
        var variables: [(name: String, value: String)] = []
        var places: [String: Int] = [:]
        func set(_ name: String, _ value: String) {
            if let index = places[name] {
                variables[index].value = value
            } else {
                places[name] = variables.count
                variables.append((name, value))
            }
        }
        for line in image.environment {
            let sides = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            set(String(sides[0]), String(sides[1]))
        }
        set("HOSTNAME", Self.hostname(pod, node: node))
        if pod.spec["enableServiceLinks"].bool ?? true { for (name, value) in try await serviceLinks() { set(name, value) } }
        for source in container.json["envFrom"].items {
            let isSecret = !source["secretRef"].isNull
            let reference = isSecret ? source["secretRef"] : source["configMapRef"]
            let data = try await self.data(reference, isSecret: isSecret)
            for (key, value) in data.sorted(by: { $0.key < $1.key }) { set((source["prefix"].string ?? "") + key, String(decoding: value, as: UTF8.self)) }
        }
        for item in container.json["env"].items {
            let name = item["name"].string ?? ""
            if item["valueFrom"].isNull {
                set(name, Self.expand(item["value"].string ?? "", variables.map { ($0.name, $0.value) }))
            } else if let value = try await value(from: item["valueFrom"], container) {
                set(name, value)
            }
        }
        return variables
    }

    private func value(from source: JSON, _ container: Container) async throws -> String? {
        if let path = source["fieldRef"]["fieldPath"].string { return field(path) }
        if !source["resourceFieldRef"].isNull { return resource(source["resourceFieldRef"], of: container) }
        for (name, isSecret) in [("configMapKeyRef", false), ("secretKeyRef", true)] where !source[name].isNull {
            let reference = source[name], key = reference["key"].string ?? ""
            if let bytes = try await data(reference, isSecret: isSecret)[key] { return String(decoding: bytes, as: UTF8.self) }
            if reference["optional"].bool == true { return nil }
            throw ConfigurationError(
                description: "couldn't find key \(key) in \(isSecret ? "Secret" : "ConfigMap") \(pod.namespace)/\(reference["name"].string ?? "")")
        }
        return nil
    }

    private func data(_ reference: JSON, isSecret: Bool) async throws -> [String: [UInt8]] {
        let key = ObjectKey(pod.namespace, reference["name"].string ?? reference["secretName"].string ?? "")
        do {
            let object = try await client.get(isSecret ? .secrets : .configMaps, key)
            var result = object["binaryData"].stringMap.compactMapValues(Base64.decode)
            for (name, text) in object["data"].stringMap { result[name] = isSecret ? Base64.decode(text) ?? [] : Array(text.utf8) }
            return result
        } catch let error as StatusError where error.reason == "NotFound" {
            if reference["optional"].bool == true { return [:] }
            throw ConfigurationError(description: "\(isSecret ? "secret" : "configmap") \"\(key.name)\" not found")
        }
    }

    /// A container's request or limit, in units of the divisor, rounded up; without one, what the node has.
    private func resource(_ reference: JSON, of container: Container) -> String? {
        let owner = reference["containerName"].string.flatMap { name in pod.allContainers.first { $0.name == name } } ?? container
        let parts = (reference["resource"].string ?? "").split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return nil }
        let resources = owner.json["resources"]
        let given = resources[parts[0]][parts[1]].string ?? (parts[0] == "requests" ? resources["limits"][parts[1]].string : nil)
        let whole: Quantity =
            switch parts[1] {
            case "cpu": Quantity(Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
            case "memory": Quantity(Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE))))
            default: Quantity(0)
            }
        let amount = given.flatMap { Quantity($0) } ?? (parts[0] == "limits" ? whole : Quantity(0))
        let written = Quantity(reference["divisor"].string ?? "0") ?? Quantity(0)
        let divisor = written.nano == 0 ? Quantity(1) : written
        return "\((amount.nano + divisor.nano - 1) / divisor.nano)"
    }

    /// The downward API's fields.
    private func field(_ path: String) -> String? {
        switch path {
        case "metadata.name": return pod.name
        case "metadata.namespace": return pod.namespace
        case "metadata.uid": return pod.uid
        case "spec.nodeName": return node
        case "spec.serviceAccountName": return pod.spec["serviceAccountName"].string
        case "status.podIP", "status.podIPs": return address?.description
        case "status.hostIP", "status.hostIPs": return hostAddress.description
        default:
            for (prefix, map) in [("metadata.labels['", pod.labels), ("metadata.annotations['", pod.annotations)] where path.hasPrefix(prefix) {
                return map[String(path.dropFirst(prefix.count).dropLast(2))]
            }
            return nil
        }
    }

    /// The variables that name each Service of the namespace (kubernetes.io/docs/concepts/services-networking/service,
    /// "Environment variables").
    private func serviceLinks() async throws -> [(String, String)] {
        var links: [(String, String)] = []
        var services = try await client.list(Service.self, namespace: pod.namespace)
        if pod.namespace != "default", let api = try await client.find(Service.self, ObjectKey("default", "kubernetes")) { services.append(api) }
        for service in services {
            guard let ip = service.clusterIP, let first = service.ports.first else { continue }
            let prefix = service.name.uppercased().replacing("-", with: "_")
            links += [("\(prefix)_SERVICE_HOST", ip.description), ("\(prefix)_SERVICE_PORT", "\(first.port)")]
            for port in service.ports where !port.name.isEmpty {
                links.append(("\(prefix)_SERVICE_PORT_\(port.name.uppercased().replacing("-", with: "_"))", "\(port.port)"))
            }
            links.append(("\(prefix)_PORT", "\(first.proto.rawValue.lowercased())://\(ip):\(first.port)"))
            for port in service.ports {
                let base = "\(prefix)_PORT_\(port.port)_\(port.proto.rawValue)", proto = port.proto.rawValue.lowercased()
                links += [
                    (base, "\(proto)://\(ip):\(port.port)"), ("\(base)_PROTO", proto), ("\(base)_PORT", "\(port.port)"), ("\(base)_ADDR", ip.description),
                ]
            }
        }
        return links
    }

    /// `$(NAME)` becomes the variable's value, `$$(NAME)` stays `$(NAME)`, what is unknown stays as it is.
    static func expand(_ text: String, _ variables: [(String, String)]) -> String {
        var out = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            out += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            if rest.hasPrefix("$") {
                out += "$"
                rest = rest.dropFirst()
            } else if rest.hasPrefix("("), let end = rest.firstIndex(of: ")") {
                let name = rest[rest.index(after: rest.startIndex)..<end]
                out += variables.last { $0.0 == name }?.1 ?? "$(\(name))"
                rest = rest[rest.index(after: end)...]
            } else {
                out += "$"
            }
        }
        return out + rest
    }

    static func hostname(_ pod: Pod, node: String) -> String {
        if pod.isHostNetwork { return node }
        return String((pod.spec["hostname"].string ?? pod.name).prefix(63))
    }

    // MARK: Mounts

    /// Files that every container of the pod sees: hosts, resolver, host name.
    func writePodFiles(cluster: Cluster) throws {
        let state = paths.podState(pod.uid)
        try Files.makeDirectory(state, mode: 0o700)
        let hostname = Self.hostname(pod, node: node)
        try Files.write("\(hostname)\n", to: "\(state)/hostname")
        var hosts = """
            # Kubernetes-managed hosts file.
            127.0.0.1\tlocalhost
            ::1\tlocalhost ip6-localhost ip6-loopback
            fe00::0\tip6-localnet
            fe00::0\tip6-mcastprefix
            fe00::1\tip6-allnodes
            fe00::2\tip6-allrouters

            """
        if let address {
            let domain = pod.spec["subdomain"].string.map { "\(hostname).\($0).\(pod.namespace).svc.\(cluster.dnsDomain)\t" } ?? ""
            hosts += "\(address)\t\(domain)\(hostname)\n"
        }
        let aliases = pod.spec["hostAliases"].items
        if !aliases.isEmpty {
            hosts += "\n# Entries added by HostAliases.\n"
            for alias in aliases { hosts += "\(alias["ip"].string ?? "")\t\(alias["hostnames"].items.compactMap(\.string).joined(separator: "\t"))\n" }
        }
        try Files.write(hosts, to: "\(state)/hosts")
        try Files.write(resolver(cluster), to: "\(state)/resolv.conf")
    }

    private func resolver(_ cluster: Cluster) -> String {
        let policy = pod.spec["dnsPolicy"].string ?? "ClusterFirst"
        let config = pod.spec["dnsConfig"]
        var nameservers: [String] = [], searches: [String] = [], options: [String] = []
        if policy == "ClusterFirstWithHostNet" || (policy == "ClusterFirst" && !pod.isHostNetwork) {
            nameservers = [cluster.dnsServiceIP.description]
            searches = ["\(pod.namespace).svc.\(cluster.dnsDomain)", "svc.\(cluster.dnsDomain)", cluster.dnsDomain]
            options = ["ndots:5"]
        } else if policy != "None" {
            nameservers = [cluster.dnsServiceIP.description]
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

    private func binds(_ container: Container) async throws -> [BindMount] {
        let state = paths.podState(pod.uid)
        var binds = ["hosts", "hostname", "resolv.conf"].map { BindMount(source: "\(state)/\($0)", target: "/etc/\($0)", readOnly: false) }
        for mount in container.volumeMounts {
            let name = mount["name"].string ?? ""
            guard let volume = pod.spec["volumes"].items.first(where: { $0["name"].string == name }) else { continue }
            var (source, readOnly) = try await self.source(of: volume, name: name)
            if let sub = mount["subPath"].string, !sub.isEmpty {
                guard !sub.hasPrefix("/"), !sub.split(separator: "/").contains("..") else {
                    throw ConfigurationError(description: "subPath \"\(sub)\" must be a relative path without '..'")
                }
                source += "/\(sub)"
                if !Files.exists(source) { try Files.makeDirectory(source) }
            }
            readOnly = readOnly || (mount["readOnly"].bool ?? false)
            binds.append(BindMount(source: source, target: mount["mountPath"].string ?? "", readOnly: readOnly))
        }
        return binds
    }

    private func source(of volume: JSON, name: String) async throws -> (String, readOnly: Bool) {
        let directory = "\(paths.podState(pod.uid))/volumes/\(name)"
        func write(_ files: [String: [UInt8]], _ items: JSON, mode: Int) throws {
            try Files.makeDirectory(directory)
            let chosen =
                items.items.isEmpty
                ? files.map { ($0.key, $0.value) }
                : items.items.compactMap { item in files[item["key"].string ?? ""].map { (item["path"].string ?? "", $0) } }
            for (path, bytes) in chosen where !path.isEmpty && !path.split(separator: "/").contains("..") {
                if let cut = path.lastIndex(of: "/") { try Files.makeDirectory("\(directory)/\(path[..<cut])") }
                try Files.write(bytes, to: "\(directory)/\(path)", mode: mode_t(mode))
            }
        }
        let hostPath = volume["hostPath"]["path"].string
        if let hostPath {
            if !Files.exists(hostPath), volume["hostPath"]["type"].string == "DirectoryOrCreate" { try Files.makeDirectory(hostPath) }
            guard Files.exists(hostPath) else { throw ConfigurationError(description: "hostPath \(hostPath) does not exist on the host") }
            return (hostPath, false)
        }
        for (kind, isSecret) in [("configMap", false), ("secret", true)] where !volume[kind].isNull {
            try write(try await data(volume[kind], isSecret: isSecret), volume[kind]["items"], mode: volume[kind]["defaultMode"].int ?? 0o644)
            return (directory, true)
        }
        if !volume["downwardAPI"].isNull {
            var files: [String: [UInt8]] = [:]
            for item in volume["downwardAPI"]["items"].items {
                files[item["path"].string ?? ""] = Array(downward(item).utf8)
            }
            try write(files, .null, mode: 0o644)
            return (directory, true)
        }
        if !volume["projected"].isNull {
            for (path, bytes) in try await projected(volume["projected"]) {
                try write([path: bytes], .null, mode: volume["projected"]["defaultMode"].int ?? 0o644)
            }
            return (directory, true)
        }
        if !volume["emptyDir"].isNull {
            try Files.makeDirectory(directory)
            chmod(directory, 0o777)
            return (directory, false)
        }
        let kind = volume.object?.keys.first { $0 != "name" } ?? "nothing"
        throw ConfigurationError(description: "volume \"\(name)\" is of kind \(kind); minik has emptyDir, configMap, secret, downwardAPI, projected and hostPath")
    }

    /// The files of a projected volume: several sources in one directory.
    private func projected(_ volume: JSON) async throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        func take(_ data: [String: [UInt8]], _ items: JSON) {
            if items.items.isEmpty { return files.merge(data) { _, new in new } }
            for item in items.items { files[item["path"].string ?? ""] = data[item["key"].string ?? ""] }
        }
        for source in volume["sources"].items {
            if !source["serviceAccountToken"].isNull {
                let wish = source["serviceAccountToken"]
                let token = try await client.serviceAccountToken(
                    for: pod, audiences: wish["audience"].string.map { [$0] } ?? [], seconds: max(wish["expirationSeconds"].int ?? 3600, Self.tokenLife))
                files[wish["path"].string ?? "token"] = Array(token.utf8)
            }
            for (name, isSecret) in [("configMap", false), ("secret", true)] where !source[name].isNull {
                take(try await data(source[name], isSecret: isSecret), source[name]["items"])
            }
            for item in source["downwardAPI"]["items"].items {
                files[item["path"].string ?? ""] = Array(downward(item).utf8)
            }
        }
        return files
    }

    /// A year, as Kubernetes extends the tokens of pods whose clients may not read them again.
    private static let tokenLife = 365 * 86400

    /// One file of the downward API: a field, or a container's resource.
    private func downward(_ item: JSON) -> String {
        if !item["resourceFieldRef"].isNull {
            let name = item["resourceFieldRef"]["containerName"].string
            return pod.allContainers.first { $0.name == name }.flatMap { resource(item["resourceFieldRef"], of: $0) } ?? ""
        }
        let path = item["fieldRef"]["fieldPath"].string ?? ""
        let map = path == "metadata.labels" ? pod.labels : path == "metadata.annotations" ? pod.annotations : nil
        return map.map { $0.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: "\n") } ?? field(path) ?? ""
    }
}
