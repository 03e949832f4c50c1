/// Where the DNS server reads the records: the whole, and beside it what has changed since.
package protocol RecordTarget: Sendable {
    /// What stands there, changes included; nil when there is nothing, or it cannot be read to its end.
    func read() async throws -> DNSBook?
    /// A serial that nothing there bears.
    func newSerial() async throws -> Int
    /// Puts `records` in the place of all that is there.
    func write(_ records: DNSRecords) async throws
    /// Puts `records` in the place of the whole before and its changes, which say the same: who has read them need not read it.
    func fold(_ records: DNSRecords) async throws
    /// Adds to the changes since the whole of this serial.
    func append(_ changes: [DNSChange], since serial: Int) async throws
}
