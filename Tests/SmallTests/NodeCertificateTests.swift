import API
import Controllers
import Model
import Store
import TLS
import Testing

@Suite("certificates that nodes ask for, and their ranges", .timeLimit(.minutes(5)))
struct NodeCertificateTests {
    private static func request(
        _ user: String, subject: String = "system:node:n1", groups: [String] = ["system:nodes"],
        usages: [JSON] = ["digital signature", "client auth"], signer: String = CertificateReconciler.kubeletClient
    ) throws -> JSON {
        let pem = try CertificateRequest(commonName: subject, organizations: groups, key: PrivateKey()).pem
        return [
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": ["name": "csr"],
            "spec": [
                "request": .string(Base64.encode(Array(pem.utf8))), "signerName": .string(signer), "usages": .array(usages),
                "username": .string(user),
            ],
        ]
    }

    /// Everybody may ask for what the reconciler calls `part`.
    private func reconciler(_ part: String, _ authority: CertificateAuthority) -> CertificateReconciler {
        CertificateReconciler(
            subject: { (try? CertificateRequest(pem: $0))?.subject }, allows: { _, asked in asked == part },
            sign: { pem, _, seconds in
                try authority.sign(CertificateRequest(pem: pem), for: CertificateUse(extended: ["clientAuth"]), seconds: seconds).pem
            }, now: { Fixture.time })
    }

    private func outcome(_ request: JSON, _ part: String) async throws -> (types: [String], reason: String?, certificate: Certificate?) {
        let api = try await Fixture.api(), authority = try CertificateAuthority(commonName: "kubernetes")
        _ = try await api.create(.certificateRequests, request)
        try await reconciler(part, authority).reconcile(ObjectKey("", "csr"), api)
        let status = try await api.get(.certificateRequests, ObjectKey("", "csr"))["status"]
        let pem = status["certificate"].string.flatMap { Base64.decode($0) }.map { String(decoding: $0, as: UTF8.self) }
        let certificate = try pem.map { try Certificate(pem: $0) }
        if let certificate { #expect(certificate.isSigned(by: authority.certificate)) }
        return (status["conditions"].items.compactMap { $0["type"].string }, status["conditions"][0]["message"].string, certificate)
    }

    @Test("a node's own request is granted and signed: by a token's bearer, or by the node itself")
    func granted() async throws {
        let first = try await outcome(try Self.request("system:bootstrap:abcdef"), "nodeclient")
        #expect(first.types == ["Approved"])
        #expect(first.reason == "Auto approving kubelet client certificate after SubjectAccessReview.")
        #expect(first.certificate?.subject.commonName == "system:node:n1")
        #expect(first.certificate?.subject.organizations == ["system:nodes"])
        let second = try await outcome(try Self.request("system:node:n1"), "selfnodeclient")
        #expect(second.reason == "Auto approving self kubelet client certificate after SubjectAccessReview.")
    }

    @Test("what is no node's, is for more, or comes from one who may not, waits for somebody who looks at it")
    func waiting() async throws {
        for request in [
            try Self.request("system:bootstrap:abcdef", subject: "kubernetes-admin", groups: ["system:masters"]),
            try Self.request("system:bootstrap:abcdef", usages: ["digital signature", "client auth", "server auth"]),
            try Self.request("jane", signer: "kubernetes.io/kube-apiserver-client"),
        ] {
            let found = try await outcome(request, "nodeclient")
            #expect(found.types.isEmpty && found.certificate == nil)
        }
        let found = try await outcome(try Self.request("jane"), "")
        #expect(found.types.isEmpty && found.certificate == nil)
    }

    @Test("each node gets the next range of the cluster's, one that comes back a free one, and one too many is told")
    func ranges() async throws {
        let api = try await Fixture.api(), ranges = NodeRanges(of: [try #require(IPNetwork("10.244.0.0/23"))])
        func node(_ name: String) async throws -> String {
            _ = try await api.create(.nodes, ["apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(name)]])
            try await ranges.reconcile(ObjectKey("", name), api)
            return try await api.get(.nodes, ObjectKey("", name))["spec"]["podCIDR"].string ?? "none"
        }
        #expect(try await node("a") == "10.244.0.0/24")
        #expect(try await node("b") == "10.244.1.0/24")
        #expect(try await node("c") == "none")
        #expect(try await api.list(.events, namespace: nil, selector: nil).items.contains { $0["reason"] == "CIDRNotAvailable" })
        try await api.delete(.nodes, ObjectKey("", "a"))
        try await ranges.reconcile(ObjectKey("", "c"), api)
        #expect(try await api.get(.nodes, ObjectKey("", "c"))["spec"]["podCIDR"].string == "10.244.0.0/24")
    }

    @Test("a node beside those of the document gets ranges of both families, and none of theirs")
    func stranger() async throws {
        let api = try await Fixture.api()
        let networks = try ["10.244.0.0/16", "fd00::/56"].map { try #require(IPNetwork($0)) }
        let own = try ["10.244.0.0/23", "fd00::/64"].map { try #require(IPNetwork($0)) }
        let ranges = NodeRanges(of: networks, kept: ["own": own])
        for name in ["own", "stranger"] {
            _ = try await api.create(.nodes, ["apiVersion": "v1", "kind": "Node", "metadata": ["name": .string(name)]])
            try await ranges.reconcile(ObjectKey("", name), api)
        }
        #expect(try await api.get(.nodes, ObjectKey("", "own"))["spec"]["podCIDR"].isNull)
        #expect(try await api.get(.nodes, ObjectKey("", "stranger"))["spec"]["podCIDRs"] == ["10.244.2.0/24", "fd00:0:0:1::/64"])
    }

    @Test("nodes say for how long their secrets may be kept, the longer the more nodes there are, and do not waver at a bound")
    func lifetimes() {
        #expect([1, 90, 100, 101, 500, 501, 5000].map { NodeTTL.seconds(for: $0, now: 0) } == [0, 0, 0, 15, 15, 30, 300])
        #expect([89, 90, 95, 450, 449].map { NodeTTL.seconds(for: $0, now: 15) } == [0, 15, 15, 15, 15])
        #expect([440, 450, 449].map { NodeTTL.seconds(for: $0, now: 30) } == [15, 30, 15])
    }

    @Test("a node gets the annotation, and what somebody else wrote there is corrected")
    func annotated() async throws {
        let api = try await Fixture.api(), key = ObjectKey("", "a")
        _ = try await api.create(
            .nodes, ["apiVersion": "v1", "kind": "Node", "metadata": ["name": "a", "annotations": [NodeTTL.key: "7"]]])
        try await NodeTTL().reconcile(key, api)
        let first = try await api.get(.nodes, key)
        #expect(first["metadata"]["annotations"][NodeTTL.key].string == "0")
        try await NodeTTL().reconcile(key, api)
        #expect(try await api.get(.nodes, key) == first)
    }
}
