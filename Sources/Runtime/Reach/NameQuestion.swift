import CSandbox
import Glibc
import Host
import Model
import Netlink

/// Asks for a name as a pod's resolver would: by UDP, from the pod's network namespace, with the search list of its namespace. (RFC 1035)
package struct NameQuestion: Sendable {
    package enum Answer: Sendable, Hashable {
        case addresses([IPAddress])
        case unknown
        /// Nobody answers.
        case silence
    }

    private let namespace: String
    private let server: IPAddress
    private let search: [String]
    private let patience: Int32

    /// `namespace`: the path of the network namespace. `search`: as in resolv.conf. `patience`: the milliseconds that an answer may take;
    /// it is asked for twice.
    package init(namespace: String, server: IPAddress, search: [String] = [], patience: Int32 = 700) {
        (self.namespace, self.server, self.search, self.patience) = (namespace, server, search, patience)
    }

    private static let ndots = 5

    package func ask(_ name: String, _ family: IPFamily) async throws -> Answer {
        let plain = name.hasSuffix(".") ? String(name.dropLast()) : name
        let searched = search.map { "\(plain).\($0)" }
        let isLong = plain.split(separator: ".").count > Self.ndots
        let names = name.hasSuffix(".") ? [plain] : isLong ? [plain] + searched : searched + [plain]
        return try await SmallProgram.blocking {
            for name in names {
                switch try one(name, family) {
                case .unknown: continue
                case let answer: return answer
                }
            }
            return .unknown
        }
    }

    private func one(_ name: String, _ family: IPFamily) throws -> Answer {
        let home = try NetworkNamespace(path: namespace)
        let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = try Descriptor(
            sandbox_socket(home.descriptor, server.family.number, kind, 0), "open a socket in", namespace)
        guard SocketAddress(server, port: 53).withPointer({ connect(socket.number, $0, $1) }) == 0 else { return .silence }
        let number = UInt16.random(in: 0...UInt16.max), question = Self.query(name, family, number)
        for _ in 0..<2 {
            guard send(socket.number, question, question.count, 0) == question.count else { return .silence }
            var ready = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, patience) > 0 else { continue }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let n = recv(socket.number, &buffer, buffer.count, 0)
            if n < 0 { return .silence }
            if let answer = Self.answer(in: Array(buffer[..<n]), number, question.count) { return answer }
        }
        return .silence
    }

    // MARK: Messages

    private static func type(_ family: IPFamily) -> UInt8 { family == .ipv4 ? 1 : 28 }

    package static func query(_ name: String, _ family: IPFamily, _ number: UInt16) -> [UInt8] {
        let labels = name.split(separator: ".").flatMap { [UInt8(truncatingIfNeeded: $0.utf8.count)] + Array($0.utf8) }
        return [UInt8(number >> 8), UInt8(number & 255), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + labels + [0, 0, type(family), 0, 1]
    }

    /// nil: it answers something else. The question stands in the answer as it was sent, `asked` bytes with the header.
    package static func answer(in message: [UInt8], _ number: UInt16, _ asked: Int) -> Answer? {
        guard message.count >= asked, message[0] == UInt8(number >> 8), message[1] == UInt8(number & 255), message[2] & 0x80 != 0 else {
            return nil
        }
        let code = message[3] & 15
        guard code == 0 || code == 3 else { return .silence }
        var place = asked, addresses: [IPAddress] = []
        for _ in 0..<(Int(message[6]) << 8 | Int(message[7])) {
            while place < message.count, message[place] != 0, message[place] & 0xC0 != 0xC0 { place += Int(message[place]) + 1 }
            place += place < message.count && message[place] & 0xC0 == 0xC0 ? 2 : 1
            guard place + 10 <= message.count else { break }
            let kind = message[place + 1], length = Int(message[place + 8]) << 8 | Int(message[place + 9])
            let data = Array(message[(place + 10)...].prefix(length))
            if kind == 1 || kind == 28, let address = IPAddress(bytes: data) { addresses.append(address) }
            place += 10 + length
        }
        return addresses.isEmpty ? .unknown : .addresses(addresses)
    }
}
