/// Where the DNS server reads the records: the whole, and beside it what has changed since.
package protocol RecordTarget: Sendable {
    /// The serial of the whole that stands there; 0 when there is none.
    func serial() async throws -> Int
    /// Puts `records` in the place of the whole, and takes away the changes of every other serial.
    func write(_ records: DNSRecords) async throws
    /// Adds to the changes since the whole of this serial.
    func append(_ changes: [DNSChange], since serial: Int) async throws
}
