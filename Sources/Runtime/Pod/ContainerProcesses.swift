import Host
import ShimProtocol

/// The first process of each container of a pod, as its shim knows them.
package enum ContainerProcesses {
    /// Process ids by container, as this machine numbers them; nothing when the pod's shim is not there.
    package static func of(pod uid: String, paths: ClusterPaths) async -> [String: Int] {
        guard let connection = try? ShimConnection(socket: paths.shimSocket(uid)), (try? connection.send(.state)) != nil else { return [:] }
        defer { connection.disconnect() }
        for await message in connection.messages {
            guard case .success(.state(let records)) = message.reply else { continue }
            // The shim counts processes as its node does; its children on this machine say what each is called there.
            let numbers = onHost(childrenOf: ProcessIdentity(file: "\(paths.podRun(uid))/shim.pid")?.pid ?? 0)
            return Dictionary(
                records.compactMap { record in numbers[record.pid].map { (record.name, $0) } }, uniquingKeysWith: { first, _ in first })
        }
        return [:]
    }

    /// This machine's process ids of the children of `shim`, by their ids in the shim's namespace.
    private static func onHost(childrenOf shim: Int) -> [Int: Int] {
        var result: [Int: Int] = [:]
        for child in (Files.text("/proc/\(shim)/task/\(shim)/children") ?? "").split(separator: " ").compactMap({ Int($0) }) {
            let depth = namespaces(of: shim).count
            let ids = namespaces(of: child)
            if depth > 0, ids.count >= depth { result[ids[depth - 1]] = child }
        }
        return result
    }

    /// A process' ids, from this machine's namespace inwards. (proc(5), NSpid)
    static func namespaces(of pid: Int) -> [Int] {
        let line = (Files.text("/proc/\(pid)/status") ?? "").split(separator: "\n").first { $0.hasPrefix("NSpid:") }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().compactMap { Int($0) } ?? []
    }
}
