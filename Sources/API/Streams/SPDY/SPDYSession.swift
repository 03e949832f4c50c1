/// The server's side of a SPDY/3.1 connection as a value: bytes go in, what they mean comes out, and frames are made to send.
/// Flow control is not kept, as Kubernetes' own server and clients do not keep it. (SPDY Protocol, Draft 3.1; github.com/moby/spdystream)
package struct SPDYSession: ~Copyable {
    package enum Event {
        case opened(stream: Int, headers: [(name: String, value: String)], isLast: Bool)
        case data(stream: Int, [UInt8], isLast: Bool)
        case reset(stream: Int)
        /// To be answered with the same bytes.
        case ping([UInt8])
        case goAway
    }

    package struct Broken: Error, CustomStringConvertible { package let description: String }

    private var buffer: [UInt8] = []
    private var compression = HeaderCompression()
    /// Data frames are as long as their sender likes; a client's are some tens of kilobytes.
    private static let longestFrame = 4 * 1024 * 1024

    package init() {}

    /// Takes in what has come and tells what is complete.
    package mutating func receive(_ bytes: [UInt8]) throws(Broken) -> [Event] {
        buffer += bytes
        var events: [Event] = []
        var start = 0
        defer { buffer.removeFirst(start) }
        while buffer.count - start >= 8 {
            let head = Array(buffer[start..<start + 8])
            let length = Int(head[5]) << 16 | Int(head[6]) << 8 | Int(head[7])
            guard length <= Self.longestFrame else { throw Broken(description: "a frame of \(length) bytes") }
            guard buffer.count - start >= 8 + length else { break }
            let body = buffer[start + 8..<start + 8 + length]
            start += 8 + length
            if let event = try Self.event(head, body, &compression) { events.append(event) }
        }
        return events
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) } & 0x7FFF_FFFF }

    private static func event(_ head: [UInt8], _ body: ArraySlice<UInt8>, _ compression: inout HeaderCompression) throws(Broken) -> Event? {
        let isLast = head[4] & 1 != 0
        guard head[0] & 0x80 != 0 else { return .data(stream: number(head[0..<4]), Array(body), isLast: isLast) }
        guard head[0] & 0x7F == 0, head[1] == 3 else { throw Broken(description: "a frame of another version than SPDY/3") }
        func need(_ count: Int) throws(Broken) { guard body.count >= count else { throw Broken(description: "a frame ends early") } }
        switch Int(head[2]) << 8 | Int(head[3]) {
        case 1:
            try need(10)
            do { return .opened(stream: number(body), headers: try compression.decode(body.dropFirst(10)), isLast: isLast) } catch {
                throw Broken(description: error.description)
            }
        case 3:
            try need(8)
            return .reset(stream: number(body))
        case 6:
            try need(4)
            return .ping(Array(body.prefix(4)))
        case 7: return .goAway
        case 2, 8:
            // Replies and further headers mean nothing here, but the compression must see them.
            try need(4)
            do { _ = try compression.decode(body.dropFirst(4)) } catch { throw Broken(description: error.description) }
            return nil
        default: return nil
        }
    }

    // MARK: Frames

    private static func bytes(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * (count - 1 - $0))) }
    }
    private static func control(_ type: Int, flags: Int = 0, _ body: [UInt8]) -> [UInt8] {
        [0x80, 3] + bytes(type, 2) + [UInt8(flags)] + bytes(body.count, 3) + body
    }

    /// Accepts a stream.
    mutating func reply(_ stream: Int) -> [UInt8] { Self.control(2, Self.bytes(stream, 4) + compression.encode([])) }

    static func data(_ stream: Int, _ content: [UInt8], isLast: Bool = false) -> [UInt8] {
        bytes(stream, 4) + [isLast ? 1 : 0] + bytes(content.count, 3) + content
    }
    static func pong(_ id: [UInt8]) -> [UInt8] { control(6, id) }
    static func reset(_ stream: Int, status: Int) -> [UInt8] { control(3, bytes(stream, 4) + bytes(status, 4)) }
    static func goAway(last stream: Int) -> [UInt8] { control(7, bytes(stream, 4) + bytes(0, 4)) }
}
