import API
import Controllers
import Host
import Model
import TLS

/// How a machine that knows a token, and perhaps what the cluster's certificates are known by, finds out whom it can trust.
/// (kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-join, "Discovering what cluster CA to trust")
struct Discovery {
    /// HOST:PORT
    let place: String
    let token: BootstrapToken
    /// SHA-256 of public keys, of which the authority must have one; empty: whatever it is, it is taken.
    let hashes: [[UInt8]]
    /// In seconds.
    var limit = 300

    private static let pause = Duration.milliseconds(500), longPause = Duration.seconds(5)
    private static let path = "/api/v1/namespaces/\(ClusterObjects.open)/configmaps/\(ClusterObjects.clusterInfo)?timeout=10s"

    struct Found {
        /// PEM.
        let authority: String
        /// https://HOST:PORT
        let server: String
    }

    /// `old`: in the words of older releases.
    func run(isOld: Bool) async throws -> Found {
        let (authority, _) = try APIEndpoint.authority(of: "https://\(place)")
        let end = ContinuousClock.now + .seconds(limit)
        var rounds = 0
        while true {
            do {
                let text = try await verified(authority, trust: .anyone)
                let found = try trusted(text)
                // Once more over what is trusted now: who answered before may have been anybody.
                guard try await verified(authority, trust: .authorities(found.authority)) == text else {
                    throw Refused("the second kubeconfig from the \(ClusterObjects.clusterInfo) ConfigMap is different from the first")
                }
                return found
            } catch let error as Refused { throw KubeadmError(error.description) } catch {
                guard ContinuousClock.now < end else {
                    throw KubeadmError("\(isOld ? "" : "failed to request the cluster-info ConfigMap: ")\(words(error))")
                }
            }
            rounds += 1
            try await Task.sleep(for: rounds < 20 ? Self.pause : Self.longPause)
        }
    }

    private func words(_ error: any Error) -> String {
        guard let error = error as? HTTPClient.Unreachable else { return "\(error)" }
        let reason = error.reason.prefix(1).lowercased() + error.reason.dropFirst()
        return "Get \"https://\(place)\(Self.path)\": dial tcp \(place): connect: \(reason)"
    }

    /// What ends the search at once.
    private struct Refused: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    private struct Unsigned: Error, CustomStringConvertible {
        let id: String
        var description: String { "could not find a JWS signature in the cluster-info ConfigMap for token ID \"\(id)\"" }
    }

    /// The public kubeconfig, whose signature holds.
    private func verified(_ authority: APIEndpoint.Authority, trust: APIEndpoint.Trust) async throws -> String {
        let client = HTTPClient(try APIEndpoint(authority, trust: trust), fieldManager: "kubeadm")
        let map = try await client.json("GET", Self.path)
        guard let text = map["data"]["kubeconfig"].string, !text.isEmpty else {
            throw Refused("there is no kubeconfig key in the \(ClusterObjects.clusterInfo) ConfigMap")
        }
        guard let signature = map["data"][BootstrapSigner.prefix + token.id].string, !signature.isEmpty else {
            throw Unsigned(id: token.id)
        }
        let own = BootstrapSigner.signature(of: text, by: token) { Digest.authentication(of: $0, key: $1) }
        guard signature == own else {
            throw Refused("failed to verify JWS signature of received cluster info object, can't trust this API Server")
        }
        return text
    }

    private func trusted(_ text: String) throws -> Found {
        let cluster = try KubeconfigText.cluster(of: text, ClusterObjects.clusterInfo)
        let authority = try KubeconfigText.authority(of: text, ClusterObjects.clusterInfo)
        let digest = try Certificate(pem: authority).publicKeyDigest
        guard hashes.isEmpty || hashes.contains(digest) else {
            throw Refused(
                "cluster CA found in \(ClusterObjects.clusterInfo) ConfigMap is invalid: none of the public keys \"sha256:\(JoinLine.hex(digest))\" are pinned"
            )
        }
        return Found(authority: authority, server: cluster["server"].string ?? "https://\(place)")
    }

    /// The bytes of `sha256:HEX`.
    static func hash(_ text: String, isOld: Bool) throws(KubeadmError) -> [UInt8] {
        let head = isOld ? "" : "invalid discovery token CA certificate hash: "
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
            throw KubeadmError(
                isOld
                    ? "invalid public key hash, expected \"format:value\""
                    : "\(head)invalid hash, expected \"format:hex-value\". Known format(s) are: sha256")
        }
        guard parts[0].lowercased() == "sha256" else {
            throw KubeadmError("\(head)unknown hash format \"\(parts[0])\". Known format(s) are: sha256")
        }
        let digits = Array(parts[1])
        let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
        guard digits.count == 64, bytes.count == 32 else {
            let count = digits.count / 2
            throw KubeadmError(
                isOld
                    ? "expected a 32 byte SHA-256 hash, found \(count) bytes"
                    : "\(head)invalid hash \"\(text)\", expected a 32 byte SHA-256 hash, found \(count) bytes")
        }
        return bytes
    }
}
