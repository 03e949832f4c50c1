import Synchronization

/// A queue between tasks with room for so many bytes: who sends waits until there is room, so that a slow reader holds back what
/// it reads from. Each element is counted by `cost`; one alone may be larger than the room.
package final class BoundedChannel<Element: Sendable>: Sendable {
    /// What an element takes beside its bytes.
    private static var overhead: Int { 64 }

    private struct State: Sendable {
        var elements: [Element] = []
        var load = 0
        var isFinished = false
        var failure: (any Error)?
        var readers: [(id: Int, CheckedContinuation<Element?, any Error>)] = []
        var senders: [(id: Int, element: Element, CheckedContinuation<Bool, Never>)] = []
        var nextID = 0
        /// Wakes whom the lock's holder has decided about, as soon as the lock is free.
        var wakes: [@Sendable () -> Void] = []

        mutating func id() -> Int {
            nextID += 1
            return nextID
        }
    }

    private let room: Int
    private let cost: @Sendable (Element) -> Int
    private let state = Mutex(State())

    package init(room: Int = 64 * 1024, cost: @escaping @Sendable (Element) -> Int) {
        self.room = room
        self.cost = cost
    }

    /// Nobody is woken under the lock: to wake a task takes its own lock, which a task that is being cancelled holds while its
    /// handler asks for ours.
    private func locked<R: Sendable>(_ body: (inout State) -> R) -> R {
        let (result, wakes) = state.withLock { state in
            let result = body(&state), wakes = state.wakes
            state.wakes = []
            return (result, wakes)
        }
        for wake in wakes { wake() }
        return result
    }

    private func weight(_ element: Element) -> Int { cost(element) + Self.overhead }

    /// Waits for room. False: nobody will read it, because the channel or the sending task is at its end.
    @discardableResult
    package func send(_ element: Element) async -> Bool {
        let id = locked { $0.id() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let taken: Bool? = locked { state in
                    if Task.isCancelled || state.isFinished { return false }
                    if take(element, &state) { return true }
                    state.senders.append((id, element, continuation))
                    return nil
                }
                if let taken { continuation.resume(returning: taken) }
            }
        } onCancel: {
            let waiting = locked { state in
                state.senders.firstIndex { $0.id == id }.map { state.senders.remove(at: $0).2 }
            }
            waiting?.resume(returning: false)
        }
    }

    /// Queues without waiting. False: there is no room, or nobody will read it.
    package func offer(_ element: Element) -> Bool { locked { !$0.isFinished && take(element, &$0) } }

    private func take(_ element: Element, _ state: inout State) -> Bool {
        if !state.readers.isEmpty {
            let reader = state.readers.removeFirst().1
            state.wakes.append { reader.resume(returning: element) }
            return true
        }
        guard state.senders.isEmpty, state.elements.isEmpty || state.load + weight(element) <= room else { return false }
        state.elements.append(element)
        state.load += weight(element)
        return true
    }

    /// The next element; nil at the end, or when the reading task is cancelled.
    package func next() async throws -> Element? {
        let id = locked { $0.id() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                locked { state in
                    if !state.elements.isEmpty {
                        let element = state.elements.removeFirst()
                        state.load -= weight(element)
                        admit(&state)
                        state.wakes.append { continuation.resume(returning: element) }
                    } else if let failure = state.failure {
                        state.failure = nil
                        state.wakes.append { continuation.resume(throwing: failure) }
                    } else if state.isFinished || Task.isCancelled {
                        state.wakes.append { continuation.resume(returning: nil) }
                    } else {
                        state.readers.append((id, continuation))
                    }
                }
            }
        } onCancel: {
            let waiting = locked { state in
                state.readers.firstIndex { $0.id == id }.map { state.readers.remove(at: $0).1 }
            }
            waiting?.resume(returning: nil)
        }
    }

    /// Lets in those who wait, as far as there is room.
    private func admit(_ state: inout State) {
        while let first = state.senders.first, state.elements.isEmpty || state.load + weight(first.element) <= room {
            state.senders.removeFirst()
            state.wakes.append { first.2.resume(returning: true) }
            state.elements.append(first.element)
            state.load += weight(first.element)
        }
    }

    /// No more comes. What is queued can still be read; who waits for room has come too late.
    package func finish(throwing failure: (any Error)? = nil) {
        locked { state in
            guard !state.isFinished else { return }
            state.isFinished = true
            for (_, _, continuation) in state.senders { state.wakes.append { continuation.resume(returning: false) } }
            state.senders = []
            if state.readers.isEmpty { state.failure = failure }
            for (index, (_, continuation)) in state.readers.enumerated() {
                let outcome: Result<Element?, any Error> = if index == 0, let failure { .failure(failure) } else { .success(nil) }
                state.wakes.append { continuation.resume(with: outcome) }
            }
            state.readers = []
        }
    }
}

extension BoundedChannel: AsyncSequence {
    package struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let channel: BoundedChannel
        package mutating func next() async throws -> Element? { try await channel.next() }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(channel: self) }
}

extension BoundedChannel where Element == [UInt8] {
    package convenience init(room: Int = 64 * 1024) { self.init(room: room) { $0.count } }
}
