import Glibc
import Host
import Model
import ShimProtocol

/// A pod's volumes: directories of the pod's state on this machine, which its containers see.
struct PodVolumes {
    let pod: Pod
    let paths: ClusterPaths
    let node: String
    let client: any Client
    let fields: DownwardAPI

    /// A volume that cannot be set up (yet); the kubelet's FailedMount.
    struct MountError: Error, CustomStringConvertible {
        let volume: String
        let problem: String
        var description: String { "MountVolume.SetUp failed for volume \"\(volume)\" : \(problem)" }
    }

    private var all: [JSON] { pod.spec["volumes"].items }
    /// On this machine's disk; but what may be secret stays in its memory.
    private func directory(_ volume: JSON) -> String {
        let place = Self.secret.contains { !volume[$0].isNull } ? paths.podRun(pod.uid) : paths.podState(pod.uid)
        return "\(place)/volumes/\(volume["name"].string ?? "")"
    }
    private var group: Int? { pod.spec["securityContext"]["fsGroup"].int }
    private static let written = ["configMap", "secret", "downwardAPI", "projected"]
    private static let secret = ["secret", "downwardAPI", "projected"]

    /// Where a volume lies, and whether nobody may write there.
    func place(of volume: JSON, _ claimed: [String: ClaimedVolume]) -> (source: String, readOnly: Bool, onNode: Bool) {
        if let held = claimed[volume["name"].string ?? ""] { return (held.path, held.isReadOnly, true) }
        if let path = volume["hostPath"]["path"].string { return (path, false, true) }
        return (directory(volume), Self.written.contains { !volume[$0].isNull }, false)
    }

    /// Whether what is to be mounted is a directory; nil when it is not there.
    func isDirectory(_ bind: BindMount) throws -> Bool? {
        if bind.onNode { return try NodeRoot(node, paths: paths).type(of: bind.source).map { $0 == S_IFDIR } }
        return Files.exists(bind.source) ? Files.isDirectory(bind.source) : nil
    }

    /// The volumes that live in memory, which the sandbox mounts; their directories are made here.
    func memory() throws -> [SandboxSetting] {
        try all.filter { $0["emptyDir"]["medium"].string == "Memory" }.map { volume in
            try Files.makeDirectory(directory(volume))
            let limit = volume["emptyDir"]["sizeLimit"].string.flatMap { Quantity($0) }
            return .memory(path: directory(volume), size: limit?.value ?? 0, group: group ?? 0)
        }
    }

    /// Whether the pod reads a ConfigMap or Secret, in a volume or a container's environment.
    static func reads(_ pod: Pod, _ name: String, isSecret: Bool) -> Bool {
        let (own, reference, key, from) =
            isSecret ? ("secret", "secretName", "secretKeyRef", "secretRef") : ("configMap", "name", "configMapKeyRef", "configMapRef")
        return pod.spec["volumes"].items.contains { volume in
            volume[own][reference].string == name || volume["projected"]["sources"].items.contains { $0[own]["name"].string == name }
        }
            || pod.allContainers.contains { container in
                container.json["env"].items.contains { $0["valueFrom"][key]["name"].string == name }
                    || container.json["envFrom"].items.contains { $0[from]["name"].string == name }
            }
    }

    /// Sets all volumes up, or brings them up to date; goes on past one that fails, and throws the first failure.
    func refresh() async throws {
        var failure: MountError?
        for volume in all {
            do { try await setUp(volume) } catch {
                failure = failure ?? MountError(volume: volume["name"].string ?? "", problem: "\(error)")
            }
        }
        if let failure { throw failure }
    }

    /// The volumes that the pod has by its claims, by their names in it.
    func claimed() async throws -> [String: ClaimedVolume] {
        var result: [String: ClaimedVolume] = [:]
        for volume in all where ClaimedVolume.isSuch(volume) {
            let name = volume["name"].string ?? ""
            do { result[name] = try await ClaimedVolume.find(volume, of: pod, on: node, client) } catch {
                throw MountError(volume: name, problem: "\(error)")
            }
        }
        return result
    }

    private func setUp(_ volume: JSON) async throws {
        let kinds = (volume.object?.keys ?? []).filter { $0 != "name" }
        if ClaimedVolume.isSuch(volume) {
            return try await ClaimedVolume.find(volume, of: pod, on: node, client).prepare(on: NodeRoot(node, paths: paths))
        }
        if !volume["emptyDir"].isNull || kinds.isEmpty { return try makeEmpty(volume) }
        if !volume["hostPath"].isNull { return try HostPath(volume["hostPath"]).prepare(on: NodeRoot(node, paths: paths)) }
        // It comes with the container that mounts it.
        if !volume["image"].isNull { return }
        guard Self.written.contains(where: { !volume[$0].isNull }) else {
            let kind = kinds[0]
            throw ContainerPlan.ConfigurationError(
                description:
                    "minik has no volumes of kind \(kind): use emptyDir, configMap, secret, downwardAPI, projected, hostPath, image, persistentVolumeClaim or ephemeral"
            )
        }
        var content = VolumeFiles(group: group)
        if volume["configMap"].isNull { content.directoryMode = 0o1777 }
        let sources = volume["projected"].isNull ? [volume] : volume["projected"]["sources"].items
        let mode = Self.written.compactMap { volume[$0]["defaultMode"].int }.first ?? 0o644
        for source in sources { try await add(source, to: &content, mode: mode, directory: directory(volume)) }
        try content.write(to: directory(volume))
    }

    private func makeEmpty(_ volume: JSON) throws {
        let path = directory(volume)
        guard !Files.exists(path) else { return }
        try Files.makeDirectory(path)
        if let group, chown(path, 0, gid_t(group)) < 0 { throw FileError("change the group of", path, errno: errno) }
        chmod(path, group == nil ? 0o777 : 0o2777)
    }

    /// Adds the files of one source of a volume.
    private func add(_ source: JSON, to content: inout VolumeFiles, mode: Int, directory: String) async throws {
        for (name, isSecret) in [("configMap", false), ("secret", true)] where !source[name].isNull {
            let data = try await client.configData(of: pod, source[name], isSecret: isSecret)
            let items = source[name]["items"].items
            if items.isEmpty { for (key, bytes) in data { content.files[key] = .init(bytes: bytes, mode: mode) } }
            for item in items {
                let key = item["key"].string ?? ""
                if let bytes = data[key] {
                    content.files[item["path"].string ?? key] = .init(bytes: bytes, mode: item["mode"].int ?? mode)
                } else if source[name]["optional"].bool != true {
                    throw ContainerPlan.ConfigurationError(
                        description:
                            "\(isSecret ? "references non-existent secret key" : "configmap references non-existent config key"): \(key)")
                }
            }
        }
        for item in source["downwardAPI"]["items"].items {
            content.files[item["path"].string ?? ""] = .init(bytes: Array(fields.file(item).utf8), mode: item["mode"].int ?? mode)
        }
        let wish = source["serviceAccountToken"]
        if !wish.isNull {
            let token = ProjectedToken(wish), user = pod.commonUser
            var bytes = VolumeFiles.current(token.path, in: directory)
            if bytes.map({ token.isStale($0, now: .now()) }) ?? true {
                bytes = Array(try await client.serviceAccountToken(for: pod, audiences: token.audiences, seconds: token.life).utf8)
            }
            content.files[token.path] = .init(
                bytes: bytes ?? [], mode: user != nil || group != nil ? 0o600 : mode, owner: user ?? 0)
        }
    }

    /// Seconds until a token of the pod is due to be renewed; nil when it has none.
    func nextRenewal(now: Timestamp) -> Int? {
        all.flatMap { volume in
            volume["projected"]["sources"].items.filter { !$0["serviceAccountToken"].isNull }.map { source in
                let token = ProjectedToken(source["serviceAccountToken"])
                return VolumeFiles.current(token.path, in: directory(volume)).map { token.remaining($0, now: now) }
                    ?? ProjectedToken.shortestPause
            }
        }.min()
    }
}
