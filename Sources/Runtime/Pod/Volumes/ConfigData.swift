import Model

extension Client {
    /// The data of a ConfigMap or Secret that a pod names; nothing if it is not there and need not be. Environments take no binaryData.
    func configData(of pod: Pod, _ reference: JSON, isSecret: Bool, textOnly: Bool = false) async throws -> [String: [UInt8]] {
        let key = ObjectKey(pod.namespace, reference["name"].string ?? reference["secretName"].string ?? "")
        do {
            let object = try await get(isSecret ? .secrets : .configMaps, key)
            var result = textOnly ? [:] : object["binaryData"].stringMap.compactMapValues(Base64.decode)
            for (name, text) in object["data"].stringMap { result[name] = isSecret ? Base64.decode(text) ?? [] : Array(text.utf8) }
            return result
        } catch let error as StatusError where error.reason == .notFound {
            if reference["optional"].bool == true { return [:] }
            throw ContainerPlan.ConfigurationError(description: "\(isSecret ? "secret" : "configmap") \"\(key.name)\" not found")
        }
    }
}
