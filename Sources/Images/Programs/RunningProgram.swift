import Glibc
import Host
import Runtime
import Synchronization

/// A program that is waited for, and that somebody else may end meanwhile.
package final class RunningProgram: Sendable {
    private let state = Mutex((process: ProcessIdentity?.none, isStopped: false))

    package init() {}

    /// Ends what runs, and what would be started after this.
    package func stop() {
        let process = state.withLock { state in
            state.isStopped = true
            return state.process
        }
        process?.signal(SIGKILL)
    }

    package var isStopped: Bool { state.withLock(\.isStopped) }

    func started(_ process: ProcessIdentity?) {
        let isStopped = state.withLock { state in
            state.process = process
            return state.isStopped
        }
        if isStopped { process?.signal(SIGKILL) }
    }
}
