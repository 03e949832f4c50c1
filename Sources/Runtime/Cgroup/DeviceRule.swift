/// Devices that the processes of a control group may have. (Documentation/admin-guide/cgroup-v1/devices.rst)
package struct DeviceRule: Sendable, Hashable, CustomStringConvertible {
    package enum Kind: String, Sendable, CaseIterable {
        case block = "b"
        case character = "c"
    }

    package struct Access: OptionSet, Sendable, Hashable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        // As BPF_DEVCG_ACC_* count them.
        package static let make = Access(rawValue: 1)
        package static let read = Access(rawValue: 2)
        package static let write = Access(rawValue: 4)
        package static let all: Access = [.make, .read, .write]
    }

    package let kind: Kind
    /// nil: every one.
    package let major: Int?
    package let minor: Int?
    package let access: Access

    package init(_ kind: Kind, _ major: Int?, _ minor: Int?, _ access: Access = .all) {
        self.kind = kind
        self.major = major
        self.minor = minor
        self.access = access
    }

    /// What a container gets: it may make any device file, and open null, zero, full, random, urandom, tty, and terminals of its own.
    /// (github.com/opencontainers/runtime-spec, config-linux.md, "Default Devices"; its console is one of those terminals)
    package static let standard: [DeviceRule] =
        Kind.allCases.map { DeviceRule($0, nil, nil, .make) } + [3, 5, 7, 8, 9].map { DeviceRule(.character, 1, $0) }
        + [DeviceRule(.character, 5, 0), DeviceRule(.character, 5, 2), DeviceRule(.character, 136, nil)]

    package func allows(_ kind: Kind, _ major: Int, _ minor: Int, _ access: Access) -> Bool {
        kind == self.kind && (self.major ?? major) == major && (self.minor ?? minor) == minor && access.isSubset(of: self.access)
    }

    /// As version 1's files have it: `c 1:3 rwm`.
    package var description: String {
        func number(_ value: Int?) -> String { value.map(String.init) ?? "*" }
        let letters = [(Access.read, "r"), (.write, "w"), (.make, "m")].filter { access.contains($0.0) }.map(\.1).joined()
        return "\(kind.rawValue) \(number(major)):\(number(minor)) \(letters)"
    }
}
