import Model
import ShimProtocol
import Synchronization

/// What a pod's worker is told, in order: the newest spec of its pod, and what happened to its containers.
///
/// It holds little, however long the worker is busy: what a later message of the same kind makes needless is replaced by it, and who tells
/// of the containers' lives waits for room.
package final class PodInbox: Sendable {
    package enum Message: Sendable {
        case changed(Pod)
        case input(PodLifecycle.Input)
        /// The pull of a container's image, as it was called then, has ended.
        case pullEnded(container: String, image: String, Result<ImagePuller.Outcome, any Error>, waited: Duration)
        /// A ConfigMap or Secret that the pod reads has changed, or its volumes are to be looked at for another reason.
        case configurationChanged
        /// The status could not be written, and is to be again.
        case reportOwed
        case connectionEnded(ShimConnection)
        /// The shim speaks another version of the protocol than we.
        case speaks(version: Int)
        /// The time for an answer is up.
        case overdue(Owed)
    }

    /// An answer that the shim has not given yet.
    package enum Owed: Sendable, Hashable {
        case state
        case start(container: String, life: Int)
        /// A container that was killed.
        case end(container: String, life: Int)

        /// As long as the kubelet waits for a runtime's answer; a killed process needs less. (runtimeRequestTimeout)
        var limit: Int {
            switch self {
            case .state, .start: 120
            case .end: 30
            }
        }

        var words: String {
            switch self {
            case .state: "tell its state"
            case .start(let container, _): "start container \(container)"
            case .end(let container, _): "end container \(container)"
            }
        }
    }

    /// Messages of which only the newest counts.
    fileprivate enum Slot: Hashable {
        case spec, configuration, report, version
        case timer(PodLifecycle.Timer)
        case probe(String, container: String)
        case overdue(Owed)
    }

    private struct State {
        var messages: [(slot: Slot?, message: Message)] = []
        var spec: Pod?
        var isClosed = false
        /// Who waits for room.
        var senders: [CheckedContinuation<Void, Never>] = []
    }

    package static let room = 64
    private let state = Mutex(State())
    private let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    package init() {}

    /// Tells the worker without waiting.
    package func post(_ message: Message) {
        state.withLock { state in
            if case .changed(let pod) = message { state.spec = pod }
            let slot = message.slot
            if let slot, let index = state.messages.firstIndex(where: { $0.slot == slot }) {
                state.messages[index].message = message
            } else if !state.isClosed {
                state.messages.append((slot, message))
            }
        }
        wake.yield()
    }

    /// Tells the worker when there is room.
    package func send(_ message: Message) async {
        await withCheckedContinuation { sender in
            let hasRoom = state.withLock { state in
                if state.isClosed || state.messages.count < Self.room { return true }
                state.senders.append(sender)
                return false
            }
            if hasRoom { sender.resume() }
        }
        post(message)
    }

    /// The pod as it was last told, whether the worker has come to that or not.
    package var newest: Pod? { state.withLock { $0.spec } }
    package var count: Int { state.withLock { $0.messages.count } }

    /// The next message; nil when the worker's task is cancelled.
    package func next() async -> Message? {
        if let message = take() { return message }
        for await _ in wakes { if let message = take() { return message } }
        return nil
    }

    private func take() -> Message? {
        let (message, sender) = state.withLock { state -> (Message?, CheckedContinuation<Void, Never>?) in
            guard !state.messages.isEmpty else { return (nil, nil) }
            return (state.messages.removeFirst().message, state.senders.isEmpty ? nil : state.senders.removeFirst())
        }
        sender?.resume()
        return message
    }

    /// Nobody reads any more, and nobody waits to be read.
    package func close() {
        let senders = state.withLock { state in
            state.isClosed = true
            state.messages = []
            defer { state.senders = [] }
            return state.senders
        }
        for sender in senders { sender.resume() }
    }
}

extension PodInbox.Message {
    fileprivate var slot: PodInbox.Slot? {
        switch self {
        case .changed: .spec
        case .configurationChanged: .configuration
        case .reportOwed: .report
        case .speaks: .version
        case .overdue(let owed): .overdue(owed)
        case .input(.timer(let timer)): .timer(timer)
        case .input(.probed(let container, _)): .probe("readiness", container: container)
        case .input(.startupDone(let container)): .probe("startup", container: container)
        case .input(.unhealthy(let container, let probe, _)): .probe("failed \(probe)", container: container)
        case .input, .pullEnded, .connectionEnded: nil
        }
    }
}
