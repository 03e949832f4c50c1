import Model

extension JSON {
    /// RFC 7386: members of `patch` replace ours, null removes, objects merge.
    package func merging(_ patch: JSON) -> JSON {
        guard case .object(let changes) = patch else { return patch }
        var result = JSONMembers(object ?? JSONObject())
        for (key, value) in changes { result[key] = value.isNull ? nil : (result[key] ?? .null).merging(value) }
        return .object(result.object)
    }
}
