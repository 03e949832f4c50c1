import Dispatch
import Host
import Model
import Synchronization
import TLS

/// A control plane's certificates and keys on disk: what is there is used, what is missing is made.
struct CertificateFolder {
    let path: String
    let release: Release

    private func certificate(_ file: String) -> String { "\(path)/\(file).crt" }
    private func key(_ file: String) -> String { "\(path)/\(file).key" }

    func authority(_ file: String) throws -> CertificateAuthority {
        let missing = KubeadmError("couldn't load CA certificate \(file): couldn't load \(file) certificate authority from \(path)")
        guard let text = Files.text(certificate(file)), let own = Files.text(key(file)) else { throw missing }
        return CertificateAuthority(certificate: try Certificate(pem: text), key: try PrivateKey(pem: own))
    }

    /// Makes what `plan` wants and is not there, and the key of service accounts' tokens, but what `isLeftOut` says by its phase; `say`
    /// hears of each.
    func complete(_ plan: CertificatePlan, isLeftOut: (String) -> Bool = { _ in false }, say: (String) -> Void) throws {
        let entries = plan.entries.filter { !isLeftOut($0.phase) }
        let missing = entries.filter { !Files.exists(certificate($0.file)) }
        var keys = try Self.keys(missing.count + 1)[...]
        try Files.makeDirectory("\(path)/etcd")
        for entry in entries {
            do {
                if Files.exists(certificate(entry.file)) {
                    try keep(entry, say)
                } else if let key = keys.popFirst() {
                    try make(entry, key, say)
                }
            } catch let error as KubeadmError { throw error.during("certs/\(entry.phase)") }
        }
        if isLeftOut("sa") { return }
        if Files.exists("\(path)/sa.key") { return say("[certs] Using the existing \"sa\" key") }
        guard let key = keys.popFirst() else { return }
        say("[certs] Generating \"sa\" key and public key")
        try Files.write(key.traditionalPEM, to: "\(path)/sa.key", mode: 0o600)
        try Files.write(key.publicPEM, to: "\(path)/sa.pub", mode: 0o600)
    }

    private func keep(_ entry: CertificatePlan.Entry, _ say: (String) -> Void) throws {
        guard let authority = entry.authority else {
            return say("[certs] Using existing \(entry.file) certificate authority")
        }
        let found = try Certificate(pem: String(decoding: try Files.read(certificate(entry.file)), as: UTF8.self))
        guard found.isSigned(by: try self.authority(authority).certificate) else {
            throw KubeadmError(
                "[certs] certificate \(entry.file) not signed by CA certificate \(authority): x509: certificate signed by unknown authority"
            )
        }
        say("[certs] Using existing \(entry.file) certificate and key on disk")
    }

    private func make(_ entry: CertificatePlan.Entry, _ key: PrivateKey, _ say: (String) -> Void) throws {
        let made: Certificate
        if let authority = entry.authority {
            let signer = try self.authority(authority)
            say("[certs] Generating \"\(entry.file)\" certificate and key")
            made = try issue(entry, by: signer, key)
        } else {
            say("[certs] Generating \"\(entry.file)\" certificate and key")
            made = try CertificateAuthority(
                commonName: entry.commonName, key: key, names: entry.names,
                age: release.isOld ? 0 : CertificateAuthority.tolerance
            ).certificate
        }
        if entry.isServing {
            say(
                "[certs] \(entry.file) serving cert is signed for DNS names [\(entry.names.joined(separator: " "))] and IPs "
                    + "[\(entry.addresses.joined(separator: " "))]")
        }
        try Files.write(made.pem, to: certificate(entry.file))
        try Files.write(key.traditionalPEM, to: self.key(entry.file), mode: 0o600)
    }

    private func issue(_ entry: CertificatePlan.Entry, by signer: CertificateAuthority, _ key: PrivateKey) throws -> Certificate {
        try signer.issue(
            commonName: entry.commonName, organizations: entry.organizations, for: entry.use, names: entry.names,
            addresses: entry.addresses, key: key, isMarked: !release.isOld)
    }

    /// Makes an entry anew, whatever is there.
    func renew(_ entry: CertificatePlan.Entry) throws {
        guard let authority = entry.authority else { return }
        let key = try PrivateKey(rsaBits: Self.bits), made = try issue(entry, by: try self.authority(authority), key)
        try Files.write(made.pem, to: certificate(entry.file))
        try Files.write(key.traditionalPEM, to: self.key(entry.file), mode: 0o600)
    }

    static let bits = 2048

    /// RSA keys take long to find: as many at once as there are processors.
    static func keys(_ count: Int) throws -> [PrivateKey] {
        let found = Mutex<[PrivateKey]>([])
        DispatchQueue.concurrentPerform(iterations: count) { _ in
            // One that cannot be made is missing afterwards.
            guard let key = try? PrivateKey(rsaBits: bits) else { return }
            found.withLock { $0.append(key) }
        }
        let keys = found.withLock { $0 }
        guard keys.count == count else { throw KubeadmError("unable to create private key: OpenSSL makes none") }
        return keys
    }
}
