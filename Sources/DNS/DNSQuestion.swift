import Model

/// The kinds of record the cluster answers (RFC 1035, 3596, 2782).
package enum RecordType: UInt16, Sendable {
    case a = 1, ns = 2, cname = 5, soa = 6, ptr = 12, txt = 16, aaaa = 28, srv = 33, ixfr = 251, axfr = 252, any = 255
}

package struct DNSQuestion: Sendable, Hashable {
    /// Labels from left to right, in lower case: what is looked up.
    package let name: [String]
    /// The labels as they were asked: what the answer repeats.
    let spelled: [String]
    package let type: UInt16
    package let dnsClass: UInt16

    package init(name: String, type: RecordType) {
        self.init(labels: name.split(separator: ".").map(String.init), type: type.rawValue, dnsClass: 1)
    }

    init(labels: [String], type: UInt16, dnsClass: UInt16) {
        name = labels.map { $0.lowercased() }
        spelled = labels
        self.type = type
        self.dnsClass = dnsClass
    }

    package var spelling: String { spelled.joined(separator: ".") }
}
