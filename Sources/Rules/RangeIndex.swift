import Synchronization

/// The elements of tables' sets of intervals by their first piece, where that is one value; the others below nil. A set is laid out when it
/// is first asked: who traces a few packets through a large table asks few of its sets.
final class RangeIndex: Sendable {
    typealias Elements = [Value?: [(key: [Value], value: ElementData)]]

    private struct Place: Hashable {
        let table: TableID
        let set: String
    }

    private let tables: [TableID: Ruleset]
    private let laidOut = Mutex<[Place: Elements]>([:])

    init(_ tables: [TableID: Ruleset]) { self.tables = tables }

    func elements(of set: String, _ table: TableID) -> Elements {
        laidOut.withLock { laidOut in
            let place = Place(table: table, set: set)
            if let known = laidOut[place] { return known }
            let members = tables[table]?.elements[set] ?? [:]
            let grouped = Dictionary(grouping: members.map { (key: $0.key, value: $0.value) }) { element in
                element.key.first.flatMap { $0.isInterval ? nil : $0 }
            }
            laidOut[place] = grouped
            return grouped
        }
    }
}
