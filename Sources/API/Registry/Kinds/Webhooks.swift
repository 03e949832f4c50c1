import Model

/// Stored and shown: minik admits by itself, and calls nobody.
extension KindDefinition {
    static let validatingWebhooks = webhooks("validatingwebhookconfigurations", "ValidatingWebhookConfiguration")
    static let mutatingWebhooks = webhooks("mutatingwebhookconfigurations", "MutatingWebhookConfiguration")

    private static func webhooks(_ plural: String, _ kind: String) -> KindDefinition {
        KindDefinition(
            Resource("admissionregistration.k8s.io", "v1", plural, kind, namespaced: false), kind.lowercased(), type: "admission:\(kind)",
            hasGeneration: true,
            columns: [.name, Column("Webhooks", type: "integer") { object, _ in "\(object["webhooks"].items.count)" }, .age],
            validate: { object, _, _ in
                var names: Set<String> = []
                return object["webhooks"].items.enumerated().flatMap { index, webhook -> [StatusError.Cause] in
                    let path = "webhooks[\(index)]", name = webhook["name"].string ?? "", client = webhook["clientConfig"]
                    var causes: [StatusError.Cause] = []
                    if !names.insert(name).inserted { causes.append(.duplicate("\(path).name", .string(name))) }
                    if client["url"].isNull == client["service"].isNull {
                        causes.append(.required("\(path).clientConfig", "exactly one of url or service is required"))
                    }
                    return causes
                }
            }
        ).with {
            $0.categories = ["api-extensions"]
            $0.warn = { object in object["webhooks"].items.isEmpty ? [] : ["minik stores webhook configurations and calls no webhook"] }
        }
    }
}
