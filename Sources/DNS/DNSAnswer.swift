import Model

package enum RecordData: Sendable, Hashable {
    /// A or AAAA, as the address is.
    case a(IPAddress)
    case ns(DNSName)
    case cname(DNSName)
    case ptr(DNSName)
    case srv(weight: Int, port: Int, target: DNSName)
    case txt(String)
    case soa(zone: DNSName)
    /// Somebody else's record, its data without pointers.
    case other(type: UInt16, [UInt8])

    var type: UInt16 {
        switch self {
        case .a(let address): RecordType(address.family).rawValue
        case .ns: RecordType.ns.rawValue
        case .cname: RecordType.cname.rawValue
        case .ptr: RecordType.ptr.rawValue
        case .srv: RecordType.srv.rawValue
        case .txt: RecordType.txt.rawValue
        case .soa: RecordType.soa.rawValue
        case .other(let type, _): type
        }
    }
}

package struct DNSRecord: Sendable, Hashable {
    package let name: DNSName
    package let data: RecordData
    /// Seconds to live: kubeadm's, for the cluster's names.
    var ttl: UInt32 = 30
}

/// An answer before it is bytes.
package struct DNSAnswer: Sendable, Hashable {
    /// RFC 1035, 4.1.1; what is over 15 takes an OPT record to say (RFC 6891, 6.1.3).
    package enum Code: Int, Sendable {
        case noError = 0, formatError = 1, serverFailure = 2, nameError = 3, notImplemented = 4, refused = 5, badVersion = 16
    }

    package var code: Code
    /// Whether this server's word is the last one: of names in its zones.
    package var isAuthoritative: Bool
    package var answers: [DNSRecord] = []
    package var authority: [DNSRecord] = []
    package var additional: [DNSRecord] = []
    /// Somebody else has been asked.
    var isRecursive = false
    /// Somebody else had more to say.
    var isTruncated = false
    /// What somebody else may know: the name that was asked for, or the one that an alias leads to.
    package var elsewhere: DNSName?

    package init(
        code: Code, isAuthoritative: Bool = true, answers: [DNSRecord] = [], authority: [DNSRecord] = [], additional: [DNSRecord] = [],
        elsewhere: DNSName? = nil
    ) {
        self.code = code
        self.isAuthoritative = isAuthoritative
        self.answers = answers
        self.authority = authority
        self.additional = additional
        self.elsewhere = elsewhere
    }

    /// Of a name that somebody else has to know: without them there is no word on whether it exists, as of a resolver that reaches nobody.
    static func unknown(_ question: DNSQuestion) -> DNSAnswer {
        DNSAnswer(code: .serverFailure, isAuthoritative: false, elsewhere: question.name)
    }

    static func failure(_ code: Code) -> DNSAnswer { DNSAnswer(code: code, isAuthoritative: false) }
}
