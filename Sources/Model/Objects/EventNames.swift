import Synchronization

/// What events are called: after their object and the moment of the first, so that those of one second stand in the order in which they
/// happened. The same again is the event of before; what was long ago is another one. (k8s.io/client-go/tools/record: newest 4096)
package final class EventNames: Sendable {
    package static let shared = EventNames()
    private static let most = 2048

    /// Two ages, of which the older goes as a whole.
    private struct Known {
        var newer: [String: String] = [:], older: [String: String] = [:]
        var last = 0
    }
    private let known = Mutex(Known())

    package init() {}

    /// `event`: all that makes two events the same. Whether it is another one, too.
    package func name(of event: String, about object: String, at now: Timestamp) -> (name: String, isNew: Bool) {
        let key = ShortHash.hex(event, digits: 16)
        return known.withLock { known in
            if let name = known.newer[key] { return (name, false) }
            let old = known.older[key]
            let (nanoseconds, isTooLate) = now.seconds.multipliedReportingOverflow(by: 1_000_000_000)
            // Of one moment the second comes later.
            let moment = max(isTooLate ? 0 : nanoseconds + now.nanoseconds, known.last + 1)
            if old == nil { known.last = moment }
            let name = old ?? "\(object).\(String(moment, radix: 16))"
            if known.newer.count >= Self.most { (known.older, known.newer) = (known.newer, [:]) }
            known.newer[key] = name
            return (name, old == nil)
        }
    }
}
