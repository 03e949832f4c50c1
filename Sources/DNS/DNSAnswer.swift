import Model

package enum RecordData: Sendable, Hashable {
    case a(IPAddress)
    case ns(String)
    case cname(String)
    case ptr(String)
    case srv(weight: Int, port: Int, target: String)
    case txt(String)
    case soa(zone: String)

    var type: RecordType {
        switch self {
        case .a: .a
        case .ns: .ns
        case .cname: .cname
        case .ptr: .ptr
        case .srv: .srv
        case .txt: .txt
        case .soa: .soa
        }
    }
}

package struct DNSRecord: Sendable, Hashable {
    package let name: String
    package let data: RecordData
}

/// An answer before it is bytes.
package struct DNSAnswer: Sendable, Hashable {
    package enum Code: UInt8, Sendable {
        case noError = 0, formatError = 1, serverFailure = 2, nameError = 3, notImplemented = 4, refused = 5
    }
    package var code: Code
    package var answers: [DNSRecord] = []
    package var authority: [DNSRecord] = []
    package var additional: [DNSRecord] = []

    package init(code: Code, answers: [DNSRecord] = [], authority: [DNSRecord] = [], additional: [DNSRecord] = []) {
        self.code = code
        self.answers = answers
        self.authority = authority
        self.additional = additional
    }
}
