import Glibc
import Host
import Model
import Runtime

/// How registries are spoken to.
package struct RegistryAccess: Sendable {
    /// Plain HTTP, and certificates that nobody vouches for, are taken.
    private let isInsecure: Bool
    /// Whose word on certificates counts beside the machine's: a directory that holds a file `ca.crt`.
    private let certificates: String?
    /// Where passwords lie, as docker and podman write them.
    private let passwords: String?
    /// A registries.conf in the place of the machine's.
    private let registries: String?

    package init(isInsecure: Bool = false, certificates: String? = nil, passwords: String? = nil, registries: String? = nil) {
        self.registries = registries
        self.isInsecure = isInsecure
        self.certificates = certificates
        self.passwords = passwords
    }

    /// As a cluster's document says it, by one of the ways that lead to a registry, with the passwords that are `folder`'s secret and no
    /// others; in files that go with it.
    init(in folder: PullFolder, _ registries: RegistriesConfiguration, by way: RegistriesConfiguration.Endpoint) throws {
        func write(_ bytes: [UInt8], to name: String) throws -> String {
            try Files.write(bytes, to: "\(folder.path)/\(name)", mode: 0o600)
            return "\(folder.path)/\(name)"
        }
        isInsecure = false
        self.registries = try registries.text(by: way).map { try write(Array($0.utf8), to: "registries.conf") }
        self.passwords = folder.secretPaths.first
        let directory = "\(folder.path)/certificates"
        if !registries.authorities.isEmpty { try Files.makeDirectory(directory, mode: 0o700) }
        for (number, file) in registries.authorities.enumerated() {
            // Every .crt there is an authority.
            _ = try write(try Files.read(file), to: "certificates/\(number).crt")
        }
        certificates = registries.authorities.isEmpty ? nil : directory
    }

    /// What stands before skopeo's command.
    var asking: [String] { ["--insecure-policy"] + (registries.map { ["--registries-conf", $0] } ?? []) }

    /// `side`: `src-` where the command has two.
    func options(of side: String) -> [String] {
        var options = isInsecure ? ["--\(side)tls-verify=false"] : []
        if let certificates { options += ["--\(side)cert-dir", certificates] }
        if let passwords { options += ["--\(side)authfile", passwords] }
        return options
    }

    /// The file in which the user who called us, perhaps by sudo, has logged in to registries; nil when there is none.
    package static var callersPasswords: String? {
        if let given = getenv("REGISTRY_AUTH_FILE") { return String(cString: given) }
        guard let name = getenv("SUDO_USER"), let entry = getpwnam(name) else { return nil }
        let home = String(cString: entry.pointee.pw_dir)
        return ["/run/user/\(entry.pointee.pw_uid)/containers/auth.json", "\(home)/.docker/config.json"].first { Files.exists($0) }
    }
}
