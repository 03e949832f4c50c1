import Model
import TLS

/// Requests for certificates. (k8s.io/api/certificates/v1; upstream: pkg/apis/certificates/validation)
extension KindDefinition {
    static let certificateRequest = KindDefinition(
        .certificateRequests, "certificatesigningrequest", ["csr"], type: "certificates:CertificateSigningRequest",
        [.status, Subresource("approval", ["get", "patch", "update"], strategy: .approval)],
        columns: [
            .name, .age, Column("SignerName") { object, _ in object["spec"]["signerName"].string ?? "<none>" },
            Column("Requestor") { object, _ in object["spec"]["username"].string ?? "" },
            Column("RequestedDuration") { object, _ in
                object["spec"]["expirationSeconds"].int.map { humanDuration(seconds: $0) } ?? "<none>"
            },
            Column("Condition") { object, _ in condition(of: object["status"]) },
        ],
        validate: { object, old, _ in
            // What is asked for does not change, and what was taken once is.
            old == nil ? validate(object["spec"]) : []
        }
    ).with {
        $0.selectableFields = ["spec.signerName"]
        $0.requested = { object, user in
            let requester = user.json
            object["spec"]["username"] = requester["username"]
            for field in ["uid", "groups", "extra"] { object["spec"][field] = requester[field] }
        }
        $0.prepareForUpdate = { object, old in object["spec"] = old["spec"] }
    }

    /// (upstream: printers/internalversion, extractCSRStatus)
    private static func condition(of status: JSON) -> String {
        let types = Set(status["conditions"].items.compactMap { $0["type"].string })
        let verdict = types.contains("Denied") ? "Denied" : types.contains("Approved") ? "Approved" : "Pending"
        let more = (types.contains("Failed") ? ["Failed"] : []) + (status["certificate"].isNull ? [] : ["Issued"])
        return ([verdict] + more).joined(separator: ",")
    }

    private static let shortestLife = 600

    private static func validate(_ spec: JSON) -> [StatusError.Cause] {
        var causes: [StatusError.Cause] = []
        let pem = spec["request"].string.flatMap { Base64.decode($0) }.map { String(decoding: $0, as: UTF8.self) } ?? ""
        if !pem.contains("-----BEGIN CERTIFICATE REQUEST-----") {
            causes.append(.invalid("spec.request", spec["request"], "PEM block type must be CERTIFICATE REQUEST"))
        } else {
            do { _ = try CertificateRequest(pem: pem) } catch { causes.append(.invalid("spec.request", spec["request"], "\(error)")) }
        }
        if spec["usages"].items.isEmpty { causes.append(.required("spec.usages", "usages must be specified")) }
        let signer = spec["signerName"].string ?? "", parts = signer.split(separator: "/", omittingEmptySubsequences: false)
        if signer.isEmpty {
            causes.append(.required("spec.signerName"))
        } else if parts.count != 2 || !parts[0].contains(".") || !Names.isSubdomain(String(parts[0])) || parts[1].isEmpty {
            causes.append(
                .invalid(
                    "spec.signerName", .string(signer), "must be a fully qualified domain and path of the form 'example.com/signer-name'"))
        }
        if let life = spec["expirationSeconds"].int, life < shortestLife {
            causes.append(.invalid("spec.expirationSeconds", .int(life), "may not specify a duration less than 600 seconds (10 minutes)"))
        }
        return causes
    }
}

extension WriteStrategy {
    /// Whether a request is granted: its conditions, and nothing else. They get their times here.
    static let approval = WriteStrategy(
        prepareForUpdate: { wanted, old, _ in
            var object = old
            let now = JSON.string(Timestamp.now().description)
            object["status"]["conditions"] = .array(
                wanted["status"]["conditions"].items.map { condition in
                    var condition = condition
                    if condition["lastUpdateTime"].isNull { condition["lastUpdateTime"] = now }
                    if condition["lastTransitionTime"].isNull { condition["lastTransitionTime"] = now }
                    return condition
                })
            return object
        },
        validateUpdate: { object, old, _, _ in
            let conditions = object["status"]["conditions"], types = conditions.items.compactMap { $0["type"].string }
            guard types.contains("Approved"), types.contains("Denied") else { return [] }
            return [.invalid("status.conditions", conditions, "Approved and Denied conditions are mutually exclusive")]
        }, isAdmitted: false)
}
