import API
import Controllers
import Model
import TLS

extension Daemon {
    /// Who grants and signs what is asked for by certificates.k8s.io.
    static func certificates(_ api: APIServer, _ authority: CertificateAuthority) -> CertificateReconciler {
        let question = AccessQuestion(api)
        return CertificateReconciler(
            // What is no request is nobody's.
            subject: { pem in (try? CertificateRequest(pem: pem))?.subject },
            allows: { spec, part in
                var access = AccessRequest(verb: "create")
                (access.group, access.resource, access.subresource) = ("certificates.k8s.io", "certificatesigningrequests", part)
                return try await question.allows(
                    user: spec["username"].string ?? "", groups: spec["groups"].items.compactMap(\.string), access)
            },
            sign: { pem, usages, seconds in
                try authority.sign(CertificateRequest(pem: pem), for: CertificateUse(usages), seconds: seconds).pem
            })
    }
}

extension CertificateUse {
    /// (k8s.io/api/certificates/v1, KeyUsage)
    fileprivate init(_ usages: Set<String>) {
        let keys = [
            "digital signature": "digitalSignature", "key encipherment": "keyEncipherment", "signing": "digitalSignature",
            "data encipherment": "dataEncipherment", "key agreement": "keyAgreement",
        ]
        let extended = ["client auth": "clientAuth", "server auth": "serverAuth"]
        self.init(
            key: Set(usages.compactMap { keys[$0] }).sorted(), extended: Set(usages.compactMap { extended[$0] }).sorted())
    }
}
