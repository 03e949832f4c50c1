import Proxy
import Runtime

/// A table as a part of its node.
struct TablePart: NodePart {
    private let table: any RepairableTable
    init(_ table: any RepairableTable) { self.table = table }
    func repair() async throws -> [String] { try await table.repair().map { ["\($0)"] } ?? [] }
}
