import Glibc
import Host
import Model
import Runtime

/// A cluster that stands still, and its clocks with it. What says so lies where it goes with the machine's next start, as all that runs
/// does.
package struct ClusterPause {
    private let paths: ClusterPaths
    private var file: String { "\(paths.run)/paused.json" }

    package init(_ paths: ClusterPaths) { self.paths = paths }

    /// nil: it runs.
    package var since: Timestamp? { mark?.since }

    private struct Mark {
        var since: Timestamp
        /// Processes that had been stopped before, by somebody else.
        var stood: Set<ProcessIdentity>
    }

    private var mark: Mark? {
        guard let text = Files.text(file) else { return nil }
        let json = (try? JSON(parsing: text)) ?? .null  // a mark that cannot be read is one still: the processes stand
        return Mark(since: json["since"].string.flatMap(Timestamp.init) ?? .now(), stood: ProcessIdentity.living(in: json["stood"]))
    }

    private func write(_ mark: Mark) throws {
        let words: JSON = ["since": .string(mark.since.precise), "stood": ProcessIdentity.json(mark.stood)]
        try Files.write(words.text() + "\n", to: file, mode: 0o600)
    }

    /// Throws when the cluster stands still.
    package func requireNone() throws {
        guard let since else { return }
        throw UserError("cluster \"\(paths.cluster)\" is paused since \(since)", hint: "let it go on: minik resume \(paths.cluster)")
    }

    /// Ends the daemon, which has clocks of its own, and stops all else. A cluster that cannot be stopped whole goes on.
    package func begin() async throws {
        try await ClusterLock.with(paths) { try await stop() }
    }

    private func stop() async throws {
        try requireNone()
        let freezer = ClusterFreezer(paths), daemon = DaemonLauncher(paths: paths)
        // First of all: nobody starts the daemon from here on.
        try write(Mark(since: .now(), stood: []))
        do {
            try daemon.stop()
            let now = Timestamp.now()
            try write(Mark(since: now, stood: try freezer.freeze()))
        } catch {
            try freezer.thaw(but: [])
            unlink(file)
            try await daemon.start()
            throw error
        }
    }

    /// Lets all go on, as if no time had passed. Returns for how many seconds it stood.
    package func end() async throws -> Int {
        try await ClusterLock.with(paths) { try await goOn() }
    }

    private func goOn() async throws -> Int {
        guard let mark else { throw UserError("cluster \"\(paths.cluster)\" is not paused") }
        let now = Timestamp.now(), time = StandingTime(from: mark.since, to: now)
        try ClusterStore(paths: paths).rewrite { time.moved($0, $1) }
        // Said once only, should this be cut short and done again.
        try write(Mark(since: now, stood: mark.stood))
        try ClusterFreezer(paths).thaw(but: mark.stood)
        guard unlink(file) == 0 else { throw FileError("remove", file, errno: errno) }
        try await DaemonLauncher(paths: paths).start()
        return time.seconds
    }
}
