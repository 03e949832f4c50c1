import Glibc
import Host
import Model

/// What every process of this machine used until now. (proc(5))
struct ProcessTable: Sendable {
    private struct Entry {
        let parent: Int
        /// CPU time in ticks.
        let ticks: Int
        /// Bytes.
        let memory: Int
    }

    private let entries: [Int: Entry]
    private let children: [Int: [Int]]

    /// How far two tables lie apart that a rate is made of.
    static let interval = Duration.milliseconds(200)
    private static let intervalsPerSecond = 5

    static func read() -> ProcessTable {
        let page = sysconf(Int32(_SC_PAGESIZE))
        var entries: [Int: Entry] = [:]
        for name in Files.list("/proc") {
            guard let pid = Int(name), let text = Files.text("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { continue }
            let fields = text[text.index(after: end)...].split(separator: " ")
            // state ppid ... utime (12th after the name) stime (13th) ... rss (22nd)
            guard fields.count > 21, let parent = Int(fields[1]), let user = Int(fields[11]), let system = Int(fields[12]),
                let pages = Int(fields[21])
            else { continue }
            entries[pid] = Entry(parent: parent, ticks: user + system, memory: pages * page)
        }
        return ProcessTable(entries: entries, children: Dictionary(grouping: entries.keys) { entries[$0]?.parent ?? 0 })
    }

    /// What a process and all below it use, by what they had used `before`, an interval ago.
    func usage(of root: Int, since before: ProcessTable) -> NodeUsage.Amount {
        var all = [root], ticks = 0, memory = 0, next = 0
        while next < all.count {
            let pid = all[next]
            next += 1
            guard let now = entries[pid] else { continue }
            ticks += now.ticks - (before.entries[pid]?.ticks ?? now.ticks)
            memory += now.memory
            all += children[pid] ?? []
        }
        return NodeUsage.Amount(cpu: ticks * 1_000_000_000 / sysconf(Int32(_SC_CLK_TCK)) * Self.intervalsPerSecond, memory: memory)
    }
}
