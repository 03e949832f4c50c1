import Glibc
import Host
import Runtime
import Synchronization

/// Ctrl-C while a new cluster is made: all of it goes again, and the process ends.
final class RollBack: Sendable {
    private let paths: ClusterPaths
    private let progress: any ProgressReport
    private let watch = Mutex<Task<Void, Never>?>(nil)
    private let fired = Mutex(false)

    init(_ paths: ClusterPaths, _ progress: any ProgressReport) {
        self.paths = paths
        self.progress = progress
    }

    /// Whether a signal has begun it.
    var hasFired: Bool { fired.withLock { $0 } }

    /// From now on SIGINT and SIGTERM mean this.
    func arm() {
        let signals = Signals.catching([SIGINT, SIGTERM])
        let task = Task {  // cancelled by `disarm`; else the process ends with it
            for await number in signals {
                fired.withLock { $0 = true }
                progress.note("\ninterrupted: rolling back")
                for problem in await run() { progress.note(problem) }
                Self.endProcess(128 + number)
            }
        }
        watch.withLock { $0 = task }
    }

    /// The cluster stands: a signal ends the process and nothing else.
    func disarm() { watch.withLock { $0?.cancel() } }

    /// Removes what was made so far; the lines say what is left.
    func run() async -> [String] {
        let problems = await Teardown(paths: paths).run()
        unlink("\(ClusterPaths.stateRoot)/\(paths.cluster).lock")
        return problems
    }

    private static func endProcess(_ code: Int32) { Glibc.exit(code) }
}
