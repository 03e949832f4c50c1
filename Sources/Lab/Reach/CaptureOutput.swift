import Glibc
import Host
import Model
import Runtime

/// Where a capture goes: a file in pcapng, or lines for people.
package final class CaptureOutput {
    /// nil: standard output, which is not ours to close.
    private let file: Descriptor?
    private let path: String
    private let isText: Bool
    private let version: String
    private struct Device: Hashable {
        let place: Int
        let device: Int32
    }
    private var numbers: [Device: Int] = [:]
    private var received: [Device: Int] = [:]
    private var snap = 0
    private var last: UInt64 = 0
    private var first: UInt64?
    package private(set) var packets = 0
    /// That the file describes; of lines, that packets were seen on.
    package var interfaces: Int { isText ? received.count : numbers.count }

    /// `path`: `-` is standard output; nil: lines for people, there.
    package init(_ path: String?, version: String) throws(FileError) {
        (self.path, isText, self.version) = (path ?? "-", path == nil, version)
        if let path, path != "-" {
            file = try Descriptor(opening: path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600, "write")
        } else {
            file = nil
        }
    }

    private var number: Int32 {
        switch file {
        case .some(let file): file.number
        case .none: STDOUT_FILENO
        }
    }

    /// Whether whoever read it has gone, as wireshark goes when its window is closed.
    package private(set) var isAbandoned = false

    /// Looks whether somebody still reads, for a pipe tells it otherwise only with the next packet.
    func look() {
        var poller = pollfd(fd: number, events: 0, revents: 0)
        if poll(&poller, 1, 0) > 0, poller.revents & Int16(POLLERR) != 0 { isAbandoned = true }
    }

    func begin(_ places: [PacketStory.Place], snap: Int) throws {
        self.snap = snap
        if isText { return }
        var bytes = Pcapng.section(application: version, system: "Linux")
        for (number, place) in places.enumerated() {
            for link in place.links.values.sorted(by: { $0.index < $1.index }) { bytes += describe(number, place, link.index) }
        }
        try put(bytes)
    }

    /// A device's number in the file, which its description gives it.
    private func describe(_ number: Int, _ place: PacketStory.Place, _ device: Int32) -> [UInt8] {
        numbers[Device(place: number, device: device)] = numbers.count
        let kind = place.links[device]?.kind ?? "device", neighbour = place.neighbours[device].map { ", leads to \($0)" } ?? ""
        return Pcapng.interface(
            "\(place.name) \(place.device(device))", description: "\(kind) of \(place.kind.words)\(place.name)\(neighbour)", snap: snap)
    }

    func write(_ number: Int, _ place: PacketStory.Place, _ frame: CapturedFrame, comment: String) throws {
        packets += 1
        last = frame.time
        let device = Device(place: number, device: frame.device)
        received[device, default: 0] += 1
        if isText { return try put(Array((line(frame, comment) + "\n").utf8)) }
        // A link that came since the beginning.
        if numbers[device] == nil { try put(describe(number, place, frame.device)) }
        try put(Pcapng.packet(interface: numbers[device] ?? 0, frame, comment: comment))
    }

    private func line(_ frame: CapturedFrame, _ comment: String) -> String {
        let start = first ?? frame.time
        first = start
        let parsed = Frame(frame.bytes)
        let arp = parsed?.arp.map { "ARP \($0.sender) \($0.isReply ? "tells" : "asks for") \($0.target)" }
        let what = parsed?.datagram.map { "\($0.text) ttl \($0.hops)" } ?? arp ?? "\(frame.length) bytes"
        let micros = (frame.time - min(start, frame.time)) / 1000, fraction = String(micros % 1_000_000)
        return "\(micros / 1_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)  \(what)  [\(comment)]"
    }

    func end(_ places: [PacketStory.Place], dropped: [Int]) throws {
        if isText { return }
        var bytes: [UInt8] = []
        for (device, number) in numbers.sorted(by: { $0.value < $1.value }) {
            bytes += Pcapng.statistics(
                interface: number, at: last, received: received[device] ?? 0, dropped: dropped[device.place])
        }
        try put(bytes)
    }

    private func put(_ bytes: [UInt8]) throws(FileError) {
        var rest = bytes[...]
        while !rest.isEmpty, !isAbandoned {
            let count = rest.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EPIPE {
                isAbandoned = true
                return
            }
            guard count > 0 else { throw FileError("write", path == "-" ? "to standard output" : path, errno: errno) }
            rest = rest.dropFirst(count)
        }
    }
}

extension PacketStory.Place.Kind {
    fileprivate var words: String {
        switch self {
        case .pod: "pod "
        case .node: "node "
        case .lan, .outside: ""
        }
    }
}
