import Model

/// What a Secret of a known type has to hold. (k8s.io/kubernetes/pkg/apis/core/validation, ValidateSecret)
enum SecretTypes {
    static func validate(_ secret: JSON) -> [StatusError.Cause] {
        let data = secret["data"]
        func required(_ keys: [String]) -> [StatusError.Cause] { keys.map { .required("data[\($0)]") } }
        func missing(_ keys: [String]) -> [String] { keys.filter { data[$0].isNull } }
        switch secret["type"].string {
        case "kubernetes.io/dockercfg": return login(data, ".dockercfg")
        case "kubernetes.io/dockerconfigjson": return login(data, ".dockerconfigjson")
        case "kubernetes.io/basic-auth":
            let keys = ["username", "password"]
            return missing(keys).count == keys.count ? required(keys) : []
        case "kubernetes.io/ssh-auth":
            return (data["ssh-privatekey"].string ?? "").isEmpty ? required(["ssh-privatekey"]) : []
        case "kubernetes.io/tls": return required(missing(["tls.crt", "tls.key"]))
        default: return []
        }
    }

    /// A pair that no TLS server could use. (crypto/tls, X509KeyPair)
    static let warnings: @Sendable (JSON) -> [String] = { secret in
        guard secret["type"].string == "kubernetes.io/tls" else { return [] }
        for (key, what) in [("tls.crt", "certificate"), ("tls.key", "key")] {
            let bytes = Base64.decode(secret["data"][key].string ?? "") ?? []
            if !String(decoding: bytes, as: UTF8.self).contains("-----BEGIN ") {
                return ["tls: failed to find any PEM data in \(what) input"]
            }
        }
        return []
    }

    private static func login(_ data: JSON, _ key: String) -> [StatusError.Cause] {
        guard let text = data[key].string else { return [.required("data[\(key)]")] }
        // What is no base 64 has been told already.
        guard let bytes = Base64.decode(text) else { return [] }
        func invalid(_ words: String) -> [StatusError.Cause] {
            [.invalid("data[\(key)]", .string("<secret contents redacted>"), words)]
        }
        do {
            let json = try JSON(parsing: bytes)
            if json.object != nil || json.isNull { return [] }
            return invalid("json: cannot unmarshal \(json.typeName) into Go value of type map[string]interface {}")
        } catch { return invalid("\(error)") }
    }
}
