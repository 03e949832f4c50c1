extension Cluster {
    /// How the link between a node and the LAN behaves, in each of its two directions. (tc-netem(8))
    package struct NodeLink: Sendable, Hashable {
        package enum Field: String, Sendable, CaseIterable {
            case delay, jitter, loss, rate, corrupt, reorder
        }

        package let node: String
        /// In microseconds.
        package var delay = 0
        package var jitter = 0
        /// Of a hundred packets.
        package var loss = 0.0
        package var corrupt = 0.0
        package var reorder = 0.0
        /// In bits a second; nil: as fast as the machine is.
        package var rate: Int?
        /// The node's plug is out.
        package var isPartitioned = false

        package init(node: String) { self.node = node }

        /// Whether packets fare otherwise than on a link that is let alone.
        package var isShaped: Bool { Field.allCases.contains { text(of: $0) != nil } }
        package var isPlain: Bool { !isShaped && !isPartitioned }

        package struct Problem: Error, Hashable, CustomStringConvertible {
            package let field: Field
            package let description: String
        }
    }
}

// MARK: Words

extension Cluster.NodeLink {
    /// A minute of delay is more than any protocol bears; a rate is 32 bits of bytes to the kernel.
    private static let longest = 60_000_000, slowest = 1_000, fastest = 34_000_000_000

    /// Takes a field as `tc` writes it: 50ms, 1%, 10mbit.
    package mutating func set(_ field: Field, _ text: String) throws(Problem) {
        switch field {
        case .delay: delay = try Self.time(field, text)
        case .jitter: jitter = try Self.time(field, text)
        case .loss: loss = try Self.percentage(field, text)
        case .corrupt: corrupt = try Self.percentage(field, text)
        case .reorder: reorder = try Self.percentage(field, text)
        case .rate: rate = try Self.speed(field, text)
        }
    }

    /// Throws for what means nothing without something else.
    package func check() throws(Problem) {
        for (field, isSet) in [(Field.jitter, jitter > 0), (.reorder, reorder > 0)] where isSet && delay == 0 {
            throw Problem(field: field, description: "means nothing without delay")
        }
        guard jitter <= delay else { throw Problem(field: .jitter, description: "must not be longer than delay") }
    }

    /// As it is written; nil where nothing is said.
    package func text(of field: Field) -> String? {
        switch field {
        case .delay: Self.text(time: delay)
        case .jitter: Self.text(time: jitter)
        case .loss: Self.text(percentage: loss)
        case .corrupt: Self.text(percentage: corrupt)
        case .reorder: Self.text(percentage: reorder)
        case .rate: rate.map(Self.text(speed:))
        }
    }

    package var json: JSON {
        var json: JSON = ["node": .string(node), "partitioned": isPartitioned ? true : .null]
        for field in Field.allCases { json[field.rawValue] = JSON(text(of: field)) }
        return json
    }

    private static func time(_ field: Field, _ text: String) throws(Problem) -> Int {
        guard let time = GoDuration(text), (0...longest).contains(time.nanoseconds / 1000), time.nanoseconds % 1000 == 0 else {
            throw Problem(field: field, description: "\"\(text)\" must be a time of at most 60s, such as 50ms")
        }
        return time.nanoseconds / 1000
    }

    private static func percentage(_ field: Field, _ text: String) throws(Problem) -> Double {
        let digits = text.dropLast(), isNumber = !digits.isEmpty && digits.allSatisfy { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard text.hasSuffix("%"), isNumber, let value = Double(digits), (0...100).contains(value) else {
            throw Problem(field: field, description: "\"\(text)\" must be a percentage between 0% and 100%, such as 1%")
        }
        return value
    }

    private static let units = [("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000), ("bit", 1)]

    private static func speed(_ field: Field, _ text: String) throws(Problem) -> Int {
        guard let (unit, factor) = units.first(where: { text.hasSuffix($0.0) }), let number = Int(text.dropLast(unit.count)),
            case let (value, isTooLarge) = number.multipliedReportingOverflow(by: factor), !isTooLarge,
            (slowest...fastest).contains(value)
        else { throw Problem(field: field, description: "\"\(text)\" must be a rate between 1kbit and 34gbit, such as 10mbit") }
        return value
    }

    private static func text(time: Int) -> String? {
        if time == 0 { return nil }
        if time % 1_000_000 == 0 { return "\(time / 1_000_000)s" }
        return time % 1000 == 0 ? "\(time / 1000)ms" : "\(time)us"
    }

    private static func text(percentage: Double) -> String? {
        if percentage == 0 { return nil }
        return percentage == percentage.rounded() ? "\(Int(percentage))%" : "\(percentage)%"
    }

    private static func text(speed: Int) -> String {
        let (unit, factor) = units.first { speed % $0.1 == 0 } ?? ("bit", 1)
        return "\(speed / factor)\(unit)"
    }
}

extension Cluster {
    /// The node's link, which is a plain one where the document says nothing.
    package func link(of node: String) -> NodeLink { links.first { $0.node == node } ?? NodeLink(node: node) }

    package mutating func set(_ link: NodeLink) {
        links.removeAll { $0.node == link.node }
        if !link.isPlain { links.append(link) }
        let order = nodes.map(\.name)
        links.sort { (order.firstIndex(of: $0.node) ?? 0) < (order.firstIndex(of: $1.node) ?? 0) }
    }
}
