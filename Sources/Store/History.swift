import Model

/// What has happened lately, in order: once for all who watch, in so many events and so many bytes.
package struct History {
    package struct Limits: Sendable {
        let events: Int
        let bytes: Int

        package init(events: Int, bytes: Int) { (self.events, self.bytes) = (events, bytes) }

        package static let standard = Limits(events: 4096, bytes: 16 << 20)
    }

    struct Past: Sendable {
        let revision: Int
        let resource: Resource
        let event: StoreEvent
        let size: Int
    }

    /// What is handed out at once.
    private static let batch = Limits(events: 64, bytes: 256 * 1024)

    private(set) var events: [Past] = []
    /// The revision after which all is known.
    private(set) var start: Int
    private var size = 0
    private let limits: Limits
    /// What came until then has been there when `age` was called last.
    private var old: Int

    init(after revision: Int, _ limits: Limits) { (start, old, self.limits) = (revision, revision, limits) }

    mutating func append(_ event: StoreEvent, _ resource: Resource, at revision: Int) {
        let past = Past(revision: revision, resource: resource, event: event, size: event.object.footprint)
        events.append(past)
        size += past.size
        guard events.count > limits.events * 2 || size > limits.bytes else { return }
        // A quarter at once: each removal moves all that stays.
        var kept = events.count, left = size
        for past in events.dropLast() where kept > limits.events || left > limits.bytes * 3 / 4 {
            kept -= 1
            left -= past.size
        }
        guard kept < events.count else { return }
        start = events[events.count - kept - 1].revision
        events.removeFirst(events.count - kept)
        size = left
    }

    /// Forgets what has been there since before the last call, but for the newest that is small: who watches has long read it, and nobody
    /// else does. (A watch cache of kube-apiserver's keeps as many at least. A hundred leases are small, a hundred pods that went are not:
    /// each of their trees lies on pages that were full of others.)
    mutating func age(keeping kept: Limits = Limits(events: 100, bytes: 128 << 10)) {
        var count = 0, left = size
        for past in events where past.revision <= old && (events.count - count > kept.events || left > kept.bytes) {
            count += 1
            left -= past.size
        }
        old = events.last?.revision ?? old
        guard count > 0 else { return }
        start = events[count - 1].revision
        size = left
        // Another array: the room of the many that have been is given back.
        events = Array(events[count...])
    }

    /// Some of the events after `seen` that are wanted, the first of them first; `seen` moves on past what was looked at.
    func some(after seen: inout Int, _ isWanted: (StoreEvent) -> Bool) -> [StoreEvent] {
        var low = 0, high = events.count
        while low < high {
            let middle = (low + high) / 2
            if events[middle].revision <= seen { low = middle + 1 } else { high = middle }
        }
        var found: [StoreEvent] = []
        var bytes = 0
        for past in events[low...] {
            if found.count >= Self.batch.events || bytes >= Self.batch.bytes { break }
            seen = past.revision
            guard isWanted(past.event) else { continue }
            found.append(past.event)
            bytes += past.size
        }
        return found
    }
}
