import API
import Glibc
import Model
import Runtime

/// What pods and nodes use, read from /proc: a container is its first process and all below it.
struct ProcessMetrics: MetricsSource {
    let paths: ClusterPaths
    let client: any Client

    private struct Process {
        let parent: Int
        /// CPU time in ticks.
        let ticks: Int
        let memory: Int
    }

    /// Two readings a moment apart make a rate.
    private static let interval = Duration.milliseconds(200)

    func pods() async -> [ObjectKey: [String: (cpu: Int, memory: Int)]] {
        let pods = ((try? await client.list(Pod.self)) ?? []).filter { $0.nodeName != nil && !$0.isFinished }
        let before = Self.processes()
        try? await Task.sleep(for: Self.interval)
        let after = Self.processes()
        let children = Dictionary(grouping: after.keys) { after[$0]?.parent ?? 0 }
        var result: [ObjectKey: [String: (cpu: Int, memory: Int)]] = [:]
        for pod in pods {
            let roots = await ContainerProcesses.of(pod: pod.uid, paths: paths)
            var containers: [String: (cpu: Int, memory: Int)] = [:]
            for (name, root) in roots { containers[name] = Self.sum(root, before, after, children) }
            if !containers.isEmpty { result[pod.key] = containers }
        }
        return result
    }

    func nodes() async -> [String: (cpu: Int, memory: Int)] {
        let before = Self.processes()
        try? await Task.sleep(for: Self.interval)
        let after = Self.processes()
        let children = Dictionary(grouping: after.keys) { after[$0]?.parent ?? 0 }
        var result: [String: (cpu: Int, memory: Int)] = [:]
        for node in (try? await client.list(Node.self)) ?? [] {
            // A node is its init and all that lives below it.
            guard let root = ProcessIdentity(file: paths.nodePID(node.name))?.pid else { continue }
            result[node.name] = Self.sum(root, before, after, children)
        }
        return result
    }

    /// What a process and all below it use.
    private static func sum(_ root: Int, _ before: [Int: Process], _ after: [Int: Process], _ children: [Int: [Int]]) -> (
        cpu: Int, memory: Int
    ) {
        var all = [root], ticks = 0, memory = 0, next = 0
        while next < all.count {
            let pid = all[next]
            next += 1
            guard let now = after[pid] else { continue }
            ticks += now.ticks - (before[pid]?.ticks ?? now.ticks)
            memory += now.memory
            all += children[pid] ?? []
        }
        return (rate(ticks), memory)
    }

    private static func rate(_ ticks: Int) -> Int {
        let perSecond = sysconf(Int32(_SC_CLK_TCK))
        return ticks * 1_000_000_000 / perSecond * 5  // five intervals make a second
    }

    private static func processes() -> [Int: Process] {
        let page = sysconf(Int32(_SC_PAGESIZE))
        var result: [Int: Process] = [:]
        for name in Files.list("/proc") {
            guard let pid = Int(name), let text = Files.text("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { continue }
            let fields = text[text.index(after: end)...].split(separator: " ")
            // state ppid ... utime (12th after the name) stime (13th) ... rss (22nd), as proc(5) counts them
            guard fields.count > 21, let parent = Int(fields[1]), let user = Int(fields[11]), let system = Int(fields[12]),
                let pages = Int(fields[21])
            else { continue }
            result[pid] = Process(parent: parent, ticks: user + system, memory: pages * page)
        }
        return result
    }
}
