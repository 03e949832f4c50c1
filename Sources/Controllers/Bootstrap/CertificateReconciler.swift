import Model

/// Approves the requests that nodes make for their own certificates, and signs what has been approved.
/// (k8s.io/kubernetes/pkg/controller/certificates: approver/sarapprove.go, signer/signer.go)
package struct CertificateReconciler: Reconciler {
    package static let kubeletClient = "kubernetes.io/kube-apiserver-client-kubelet"
    private static let signers: Set<String> = [
        kubeletClient, "kubernetes.io/kube-apiserver-client", "kubernetes.io/kubelet-serving", "kubernetes.io/legacy-unknown",
    ]
    private static let year = 365 * 86400

    /// The subject that a request is about; nil for what is no request.
    package typealias Subject = @Sendable (_ pem: String) -> (commonName: String, organizations: [String])?
    /// Whether the user that a request's spec names may create such a request for itself.
    package typealias Permission = @Sendable (_ spec: JSON, _ subresource: String) async throws -> Bool
    /// The certificate, PEM.
    package typealias Signing = @Sendable (_ pem: String, _ usages: Set<String>, _ seconds: Int) throws -> String

    private let subject: Subject
    private let allows: Permission
    private let sign: Signing
    private let now: @Sendable () -> Timestamp

    package init(
        subject: @escaping Subject, allows: @escaping Permission, sign: @escaping Signing,
        now: @escaping @Sendable () -> Timestamp = Timestamp.now
    ) {
        (self.subject, self.allows, self.sign, self.now) = (subject, allows, sign, now)
    }

    package var sources: [Source] { [.own(.certificateRequests)] }

    package func reconcile(_ key: ObjectKey, _ client: any Client) async throws {
        guard var request = try await client.find(.certificateRequests, key) else { return }
        let spec = request["spec"]
        guard Self.signers.contains(spec["signerName"].string ?? ""), request["status"]["certificate"].isNull, !request.has("Denied"),
            !request.has("Failed"), let bytes = spec["request"].string.flatMap({ Base64.decode($0) })
        else { return }
        let pem = String(decoding: bytes, as: UTF8.self)
        if !request.has("Approved") {
            guard let reason = try await approval(of: spec, pem) else { return }
            request.note("Approved", "AutoApproved", reason, now())
            request = try await client.updateStatus(.certificateRequests, request)
        }
        let usages = Set(spec["usages"].items.compactMap(\.string))
        if spec["signerName"].string == Self.kubeletClient, !isNodes(spec, pem) {
            request.note("Failed", "SignerValidationFailure", "the request is not of a node's form", now())
        } else {
            let certificate = try sign(pem, usages, spec["expirationSeconds"].int.map { Timestamp.bounded($0) } ?? Self.year)
            request["status"]["certificate"] = .string(Base64.encode(Array(certificate.utf8)))
        }
        _ = try await client.updateStatus(.certificateRequests, request)
    }

    /// Why a request is granted without anybody's looking at it; nil: somebody has to.
    private func approval(of spec: JSON, _ pem: String) async throws -> String? {
        guard spec["signerName"].string == Self.kubeletClient, isNodes(spec, pem) else { return nil }
        if subject(pem)?.commonName == spec["username"].string, try await allows(spec, "selfnodeclient") {
            return "Auto approving self kubelet client certificate after SubjectAccessReview."
        }
        guard try await allows(spec, "nodeclient") else { return nil }
        return "Auto approving kubelet client certificate after SubjectAccessReview."
    }

    /// Whether it asks for the certificate of a node's client. (pkg/apis/certificates, IsKubeletClientCSR)
    private func isNodes(_ spec: JSON, _ pem: String) -> Bool {
        guard let subject = subject(pem), subject.organizations == ["system:nodes"], subject.commonName.hasPrefix("system:node:") else {
            return false
        }
        let usages = Set(spec["usages"].items.compactMap(\.string)), least: Set = ["client auth", "digital signature"]
        return usages == least || usages == least.union(["key encipherment"])
    }
}

extension JSON {
    fileprivate func has(_ condition: String) -> Bool { self["status"]["conditions"].items.contains { $0["type"].string == condition } }

    fileprivate mutating func note(_ type: String, _ reason: String, _ message: String, _ now: Timestamp) {
        let time = JSON.string(now.description)
        self["status"]["conditions"] = .array(
            self["status"]["conditions"].items + [
                [
                    "type": .string(type), "status": "True", "reason": .string(reason), "message": .string(message),
                    "lastUpdateTime": time, "lastTransitionTime": time,
                ]
            ])
    }
}
