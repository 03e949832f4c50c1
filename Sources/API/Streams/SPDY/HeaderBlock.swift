import CZlib

/// A SPDY connection's two streams of compressed headers; each lives as long as the connection.
struct HeaderCompression: ~Copyable {
    struct Broken: Error, CustomStringConvertible { let description: String }

    /// On the heap: zlib keeps pointers to its streams.
    private let inflater: UnsafeMutablePointer<z_stream>
    private let deflater: UnsafeMutablePointer<z_stream>
    /// More than any client's headers; a small frame must not become a large memory.
    private static let largest = 64 * 1024

    init() {
        inflater = .allocate(capacity: 1)
        deflater = .allocate(capacity: 1)
        inflater.initialize(to: z_stream())
        deflater.initialize(to: z_stream())
        _ = minik_inflate_init(inflater)
        _ = minik_deflate_init(deflater)
        deflateSetDictionary(deflater, SPDYDictionary.bytes, UInt32(SPDYDictionary.bytes.count))
    }

    deinit {
        inflateEnd(inflater)
        deflateEnd(deflater)
        inflater.deallocate()
        deflater.deallocate()
    }

    /// Names and values, names in lower case.
    mutating func decode(_ block: ArraySlice<UInt8>) throws(Broken) -> [(name: String, value: String)] {
        var bytes = try inflate(Array(block))[...]
        func number() throws(Broken) -> Int {
            guard bytes.count >= 4 else { throw Broken(description: "a header block ends early") }
            defer { bytes = bytes.dropFirst(4) }
            return bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        }
        func text() throws(Broken) -> String {
            let count = try number()
            guard count <= bytes.count else { throw Broken(description: "a header block ends early") }
            defer { bytes = bytes.dropFirst(count) }
            return String(decoding: bytes.prefix(count), as: UTF8.self)
        }
        let count = try number()
        guard count <= 256 else { throw Broken(description: "a header block with \(count) headers") }
        var headers: [(name: String, value: String)] = []
        for _ in 0..<count { headers.append((try text().lowercased(), try text())) }
        return headers
    }

    private mutating func inflate(_ block: [UInt8]) throws(Broken) -> [UInt8] {
        var input = block
        var out: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        let dictionary = SPDYDictionary.bytes
        let stream = inflater
        var failure: Broken?
        input.withUnsafeMutableBufferPointer { bytes in
            stream.pointee.next_in = bytes.baseAddress
            stream.pointee.avail_in = UInt32(bytes.count)
            while failure == nil {
                let (result, produced) = buffer.withUnsafeMutableBufferPointer { room -> (Int32, Int) in
                    stream.pointee.next_out = room.baseAddress
                    stream.pointee.avail_out = UInt32(room.count)
                    let result = CZlib.inflate(stream, Z_SYNC_FLUSH)
                    return (result, room.count - Int(stream.pointee.avail_out))
                }
                out += buffer[..<produced]
                if result == Z_NEED_DICT {
                    if inflateSetDictionary(stream, dictionary, UInt32(dictionary.count)) != Z_OK {
                        failure = Broken(description: "headers of another dictionary")
                    }
                } else if result != Z_OK, result != Z_BUF_ERROR {
                    failure = Broken(description: "headers that do not decompress")
                } else if out.count > Self.largest {
                    failure = Broken(description: "headers of more than \(Self.largest) bytes")
                } else if stream.pointee.avail_in == 0, produced < 4096 {
                    break
                }
            }
        }
        if let failure { throw failure }
        return out
    }

    mutating func encode(_ headers: [(name: String, value: String)]) -> [UInt8] {
        func number(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * (3 - $0))) } }
        var plain = number(headers.count)
        for (name, value) in headers { plain += number(name.utf8.count) + Array(name.utf8) + number(value.utf8.count) + Array(value.utf8) }
        var out = [UInt8](repeating: 0, count: plain.count + 256)
        let capacity = out.count
        let stream = deflater
        let produced = plain.withUnsafeMutableBufferPointer { bytes in
            out.withUnsafeMutableBufferPointer { room in
                stream.pointee.next_in = bytes.baseAddress
                stream.pointee.avail_in = UInt32(bytes.count)
                stream.pointee.next_out = room.baseAddress
                stream.pointee.avail_out = UInt32(room.count)
                _ = deflate(stream, Z_SYNC_FLUSH)
                return capacity - Int(stream.pointee.avail_out)
            }
        }
        return Array(out[..<produced])
    }
}
