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

    /// Whether a pod of this node, by its UID, has a sandbox: what it mounts is mounted.
    let isStanding: @Sendable (String) -> Bool

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

    /// Those that a container sees; of the others nothing is asked, as by the kubelet.
    private var used: [JSON] {
        all.filter { volume in ["volumeMounts", "volumeDevices"].contains { pod.names(volume["name"].string ?? "", in: $0) } }
    }

    /// Sets all volumes up, or brings them up to date; goes on past one that fails, and throws the first failure.
    func refresh() async throws {
        var failure: MountError?
        for volume in used {
            do { try await setUp(volume) } catch {
                failure = failure ?? (error as? MountError) ?? .failed(volume["name"].string ?? "", "\(error)")
            }
        }
        if let failure { throw failure }
    }

    /// The volumes that the pod has by its claims, by their names in it.
    func claimed() async throws -> [String: ClaimedVolume] {
        var result: [String: ClaimedVolume] = [:]
        for volume in used where ClaimedVolume.isSuch(volume) {
            let name = volume["name"].string ?? ""
            do { result[name] = try await ClaimedVolume.find(volume, of: pod, on: node, client) } catch {
                throw (error as? MountError) ?? .failed(name, "\(error)")
            }
        }
        return result
    }

    private func setUpClaimed(_ volume: JSON) async throws {
        let held = try await ClaimedVolume.find(volume, of: pod, on: node, client), root = try NodeRoot(node, paths: paths)
        try held.prepare(on: root)
        let isMounted = isStanding(pod.uid), group = held.isShareable && !held.isReadOnly ? VolumeGroup(of: pod) : nil
        // Once in a pod's life: what its containers make of their files is theirs.
        let mark = directory(volume), isGroupDue = group != nil && !isMounted && !Files.exists(mark)
        guard !isMounted && held.isExclusive || isGroupDue else { return }
        let others = try await client.list(Pod.self, namespace: pod.namespace).filter { other in
            other.uid != pod.uid && other.nodeName == node && !other.isFinished
                && PersistentVolumeClaim.names(of: other).contains { $0.claim == held.claim.name }
        }
        // Of several that come at once the eldest has it.
        if held.isExclusive, others.contains(where: { isStanding($0.uid) || !$0.isBeingDeleted && $0.isElder(than: pod) }) {
            throw held.failed("volume uses the ReadWriteOncePod access mode and is already in use by another pod")
        }
        // With another pod's mount it is shared as it is. (k8s.io/kubernetes/pkg/volume/local)
        guard isGroupDue, let group, !others.contains(where: { isStanding($0.uid) }) else { return }
        do { try await SmallProgram.blocking { [path = held.path] in try group.take(path, on: root) } } catch {
            throw held.failed("\(error)")
        }
        try Files.makeDirectory(mark)
    }

    private func setUp(_ volume: JSON) async throws {
        let kinds = (volume.object?.keys ?? []).filter { $0 != "name" }
        if ClaimedVolume.isSuch(volume) { return try await setUpClaimed(volume) }
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

extension Pod {
    fileprivate func isElder(than other: Pod) -> Bool {
        let (own, others) = (json["metadata"]["creationTimestamp"].string ?? "", other.json["metadata"]["creationTimestamp"].string ?? "")
        return (own, name) < (others, other.name)
    }
}
