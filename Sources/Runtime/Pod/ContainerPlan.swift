import Glibc
import Host
import Model
import ShimProtocol

/// Resolves a container of a pod into what its shim starts: environment, volumes, user, command.
struct ContainerPlan {
    let pod: Pod
    let paths: ClusterPaths
    let node: String
    let client: any Client
    let fields: DownwardAPI
    let volumes: PodVolumes
    /// Who limits its devices; nil where nobody can.
    let deviceControl: Cgroups.DeviceControl?
    /// The pod's host name as its processes see it.
    let hostname: @Sendable () throws -> String

    init(
        pod: Pod, addresses: [IPAddress], hostAddresses: [IPAddress], paths: ClusterPaths, node: String, client: any Client,
        seen: Timestamp,
        deviceControl: Cgroups.DeviceControl?, isStanding: @escaping @Sendable (_ uid: String) -> Bool,
        hostname: @escaping @Sendable () throws -> String
    ) {
        self.hostname = hostname
        self.deviceControl = deviceControl
        self.pod = pod
        self.paths = paths
        self.node = node
        self.client = client
        fields = DownwardAPI(pod: pod, addresses: addresses, hostAddresses: hostAddresses, node: node, seen: seen)
        volumes = PodVolumes(pod: pod, paths: paths, node: node, client: client, fields: fields, isStanding: isStanding)
    }

    /// What is wrong with a container before it starts; `CreateContainerConfigError` to the user.
    struct ConfigurationError: Error, CustomStringConvertible { let description: String }
    /// What is wrong with what it is to be made of; `CreateContainerError` to the user.
    struct CreationError: Error, CustomStringConvertible { let description: String }

    /// containerd's default set, a bit each (linux/capability.h): chown, dac_override, fowner, fsetid, kill, setgid, setuid,
    /// setpcap, net_bind_service, net_raw, sys_chroot, mknod, audit_write, setfcap.
    private static let standardCapabilities: [Int] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31]
    /// CAP_MKNOD.
    private static let makeDevices: UInt64 = 1 << 27
    private static let capabilityNames = [
        "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
        "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
        "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
        "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
        "PERFMON", "BPF", "CHECKPOINT_RESTORE",
    ]

    /// `shown`: the images of its volumes, by those.
    func spec(_ container: Container, image: Image, shown: [String: Image], attempt: Int) async throws -> ContainerSpec {
        var spec = ContainerSpec()
        let layers = "\(paths.podState(pod.uid))/containers/\(container.name)/\(attempt)"
        spec.name = container.name
        // As overlayfs wants them: the topmost first.
        spec.lower = image.layers.reversed().joined(separator: ":")
        (spec.upper, spec.work) = ("\(layers)/upper", "\(layers)/work")
        spec.merged = "\(paths.podRun(pod.uid))/merged"
        // What a start that failed left of it could not be mounted again.
        Files.removeTree(layers)
        for directory in [spec.upper, spec.work, spec.merged] { try Files.makeDirectory(directory) }

        let user = ContainerUser(pod: pod, container: container, image: image)
        if let problem = user.problem { throw CreationError(description: "failed to create containerd container: \(problem)") }
        var environment = try await self.environment(container, image)
        if !environment.contains(where: { $0.name == "HOME" }) { environment.append(("HOME", user.home)) }
        let expand = { (text: String) in Self.expand(text, environment.map { ($0.name, $0.value) }) }
        let command = container.command.map(expand), args = container.args.map(expand)
        spec.process.argv =
            command.isEmpty ? image.configuration.entrypoint + (args.isEmpty ? image.configuration.command : args) : command + args
        guard !spec.process.argv.isEmpty else { throw ConfigurationError(description: "no command specified") }
        if container.tty, !environment.contains(where: { $0.name == "TERM" }) { environment.append(("TERM", "xterm")) }
        spec.process.environment = environment.map { "\($0.name)=\($0.value)" }
        spec.process.workingDirectory = container.workingDir ?? image.configuration.workingDirectory
        spec.process.tty = container.tty
        spec.stdin = container.stdin
        spec.stdinOnce = container.stdinOnce
        spec.processes = pod.processes
        spec.target = container.json["targetContainerName"].string ?? ""
        spec.logPath = try ContainerLogFiles(pod: pod, node: node, paths: paths).begin(container.name, life: attempt)
        try secure(&spec, container, user, image)
        try confine(&spec, attempt)
        spec.directories = image.configuration.volumes.map { $0.hasPrefix("/") ? $0 : "/\($0)" }
        let images = try shown.mapValues(imageMount)
        spec.images = Set(images.values).sorted { $0.target < $1.target }
        spec.binds = try binds(container, environment, images, await volumes.claimed())
        spec.lower += ":\(try MountPoints(of: spec.binds, withKernel: true, isDirectory: volumes.isDirectory).layer(in: paths.mountPoints))"
        let words = TerminationMessage(pod: pod, container: container, attempt: attempt, node: node, paths: paths)
        try Files.write([], to: words.file, mode: 0o666)
        chmod(words.file, 0o666)
        spec.binds.append(BindMount(source: words.file, target: words.target, readOnly: false))
        return spec
    }

    /// A pod that names a group without a user gets no sandbox, as with containerd.
    func checkUser() throws {
        let context = pod.spec["securityContext"]
        guard let group = context["runAsGroup"].int, context["runAsUser"].isNull else { return }
        throw ConfigurationError(
            description:
                "rpc error: code = Unknown desc = failed to generate sandbox container spec options: failed to generate user string: "
                + "user group \"\(group)\" is specified without user")
    }

    private func secure(_ spec: inout ContainerSpec, _ container: Container, _ user: ContainerUser, _ image: Image) throws {
        let own = container.json["securityContext"]
        (spec.process.uid, spec.process.gid, spec.process.groups) = (user.uid, user.gid, user.groups)
        try checkNonRoot(container, user, image)
        spec.process.privileged = own["privileged"].bool ?? false
        spec.readOnlyRoot = own["readOnlyRootFilesystem"].bool ?? false
        spec.process.noNewPrivileges = own["allowPrivilegeEscalation"].bool == false
        var capabilities = Self.standardCapabilities.reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
        func bits(_ names: JSON) -> UInt64 {
            names.items.compactMap(\.string).reduce(0) { bits, name in
                let short = name.hasPrefix("CAP_") ? String(name.dropFirst(4)) : name
                if short == "ALL" { return bits | (1 << UInt64(Self.capabilityNames.count)) - 1 }
                return Self.capabilityNames.firstIndex(of: short).map { bits | 1 << UInt64($0) } ?? bits
            }
        }
        capabilities = capabilities & ~bits(own["capabilities"]["drop"]) | bits(own["capabilities"]["add"])
        spec.process.capabilities = spec.process.privileged ? (1 << UInt64(Self.capabilityNames.count)) - 1 : capabilities
    }

    private func checkNonRoot(_ container: Container, _ user: ContainerUser, _ image: Image) throws {
        let own = container.json["securityContext"], shared = pod.spec["securityContext"]
        func setting(_ name: String) -> JSON { own[name].isNull ? shared[name] : own[name] }
        guard setting("runAsNonRoot").bool == true else { return }
        let place = "(pod: \"\(pod.name)_\(pod.namespace)(\(pod.uid))\", container: \(container.name))"
        let isImages = setting("runAsUser").isNull
        let name = image.configuration.user.split(separator: ":", omittingEmptySubsequences: false).first.map(String.init) ?? ""
        if isImages, !name.isEmpty, Int(name) == nil {
            throw ConfigurationError(
                description: "container has runAsNonRoot and image has non-numeric user (\(name)), cannot verify user is non-root \(place)")
        }
        guard user.uid == 0 else { return }
        throw ConfigurationError(
            description: isImages
                ? "container has runAsNonRoot and image will run as root \(place)"
                : "container's runAsUser breaks non-root policy \(place)")
    }

    /// The control group of one life of a container.
    func cgroup(_ container: String, attempt: Int) -> Cgroup { Cgroup(podCgroup.path.container(container, life: attempt), deviceControl) }
    var podCgroup: Cgroup { Cgroup(.cluster(paths.cluster).node(node).pod(pod.uid), deviceControl) }

    /// Which devices a container has: a privileged one the machine's, every other those of the list. Where no control group keeps it to
    /// them, it makes none, and those on its volumes do not open.
    private func confine(_ spec: inout ContainerSpec, _ attempt: Int) throws {
        let isPrivileged = spec.process.privileged
        spec.process.cgroups = try cgroup(spec.name, attempt: attempt).make(devices: isPrivileged ? nil : DeviceRule.standard)
        spec.devices = isPrivileged ? MachineDevices.all() : DeviceNode.standard
        spec.noDevices = deviceControl == nil && !isPrivileged
        if spec.noDevices { spec.process.capabilities &= ~Self.makeDevices }
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
        for line in image.configuration.environment {
            // What has no value, or no name, is no variable: nobody sets it.
            let sides = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if sides.count == 2, !sides[0].isEmpty { set(String(sides[0]), String(sides[1])) }
        }
        set("HOSTNAME", try hostname())
        for (name, value) in try await serviceLinks() { set(name, value) }
        for source in container.json["envFrom"].items {
            let isSecret = !source["secretRef"].isNull
            let reference = isSecret ? source["secretRef"] : source["configMapRef"]
            let data = try await client.configData(of: pod, reference, isSecret: isSecret, textOnly: true)
            for (key, value) in data.sorted(by: { $0.key < $1.key }) {
                set((source["prefix"].string ?? "") + key, String(decoding: value, as: UTF8.self))
            }
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
        if let path = source["fieldRef"]["fieldPath"].string { return fields.field(path) }
        if !source["resourceFieldRef"].isNull { return fields.resource(source["resourceFieldRef"], of: container) }
        for (name, isSecret) in [("configMapKeyRef", false), ("secretKeyRef", true)] where !source[name].isNull {
            let reference = source[name], key = reference["key"].string ?? ""
            if let bytes = try await client.configData(of: pod, reference, isSecret: isSecret, textOnly: true)[key] {
                return String(decoding: bytes, as: UTF8.self)
            }
            if reference["optional"].bool == true { return nil }
            throw ConfigurationError(
                description:
                    "couldn't find key \(key) in \(isSecret ? "Secret" : "ConfigMap") \(pod.namespace)/\(reference["name"].string ?? "")")
        }
        return nil
    }

    /// The variables that name each Service of the namespace (kubernetes.io/docs/concepts/services-networking/service,
    /// "Environment variables").
    private func serviceLinks() async throws -> [(String, String)] {
        var links: [(String, String)] = []
        // The API's own Service is told to every pod, the others to those that did not decline.
        let isWanted = pod.spec["enableServiceLinks"].bool ?? true
        var services = isWanted ? try await client.list(Service.self, namespace: pod.namespace) : []
        if !isWanted || pod.namespace != "default", let api = try await client.find(Service.self, ObjectKey("default", "kubernetes")) {
            services.append(api)
        }
        for service in services {
            guard let ip = service.clusterIP, let first = service.ports.first else { continue }
            let prefix = service.name.uppercased().replacing("-", with: "_")
            links += [("\(prefix)_SERVICE_HOST", ip.description), ("\(prefix)_SERVICE_PORT", "\(first.port)")]
            for port in service.ports where !port.name.isEmpty {
                links.append(("\(prefix)_SERVICE_PORT_\(port.name.uppercased().replacing("-", with: "_"))", "\(port.port)"))
            }
            links.append(("\(prefix)_PORT", "\(first.proto.rawValue.lowercased())://\(ip.authority(port: first.port))"))
            for port in service.ports {
                let base = "\(prefix)_PORT_\(port.port)_\(port.proto.rawValue)", proto = port.proto.rawValue.lowercased()
                links += [
                    (base, "\(proto)://\(ip.authority(port: port.port))"), ("\(base)_PROTO", proto), ("\(base)_PORT", "\(port.port)"),
                    ("\(base)_ADDR", ip.description),
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

    /// Like `expand`, but a variable that is not there is an error.
    static func expandStrictly(_ text: String, _ variables: [(name: String, value: String)]) throws -> String {
        var rest = text[...]
        while let open = rest.firstRange(of: "$("), let end = rest[open.upperBound...].firstIndex(of: ")") {
            let name = rest[open.upperBound..<end]
            guard variables.contains(where: { $0.name == name }) else {
                throw ConfigurationError(description: "missing value for \"\(name)\"")
            }
            rest = rest[rest.index(after: end)...]
        }
        return expand(text, variables.map { ($0.name, $0.value) })
    }

    // MARK: Mounts

    /// Where an image's files are shown to the volumes of this pod.
    private func imageMount(_ image: Image) throws -> ImageMount {
        var layers = image.layers
        // overlayfs wants two where nobody writes.
        if layers.count < 2 { layers.insert(try MountPoints(of: [], isDirectory: volumes.isDirectory).layer(in: paths.mountPoints), at: 0) }
        let lower = layers.reversed().joined(separator: ":")
        let target = "\(paths.podRun(pod.uid))/images/\(ShortHash.hex(lower, digits: 16))"
        try Files.makeDirectory(target)
        return ImageMount(lower: lower, target: target)
    }

    private func binds(
        _ container: Container, _ environment: [(name: String, value: String)], _ images: [String: ImageMount],
        _ claimed: [String: ClaimedVolume]
    ) throws -> [BindMount] {
        let state = paths.podState(pod.uid)
        var binds = ["hosts", "hostname", "resolv.conf"].map { BindMount(source: "\(state)/\($0)", target: "/etc/\($0)", readOnly: false) }
        for mount in container.volumeMounts {
            let name = mount["name"].string ?? ""
            guard let volume = pod.spec["volumes"].items.first(where: { $0["name"].string == name }) else { continue }
            let (source, readOnly, onNode) = images[name].map { ($0.target, true, false) } ?? volumes.place(of: volume, claimed)
            let sub = try mount["subPathExpr"].string.map { try Self.expandStrictly($0, environment) } ?? mount["subPath"].string ?? ""
            if !sub.isEmpty {
                guard !sub.hasPrefix("/") else {
                    throw ConfigurationError(description: "error SubPath `\(sub)` must not be an absolute path")
                }
                guard !sub.split(separator: "/").contains("..") else {
                    throw ConfigurationError(description: "unable to provision SubPath `\(sub)`: must not contain '..'")
                }
            }
            binds.append(
                BindMount(
                    source: source, subPath: sub, target: mount["mountPath"].string ?? "",
                    readOnly: readOnly || mount["readOnly"].bool == true, onNode: onNode))
        }
        return binds
    }
}
