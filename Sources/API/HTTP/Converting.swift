import Model

/// Writes of a version whose objects have another shape than those that are stored.
extension Router {
    /// An object as it is stored; read first as what it came as, with that version's defaults and complaints.
    func converted(
        _ object: JSON, _ target: Target, _ form: StorageForm, _ subresource: String?, _ options: inout WriteOptions
    ) throws -> JSON {
        let isIgnored = try APIServer.strategy(try storedKind(target), subresource).isIgnored
        var read = Written()
        let decoded = try APIServer.decode(object, target.kind, options, &read, ignoring: isIgnored)
        if !form.isAskedWhenStored { try APIServer.refuse(read.found, decoded, target.kind) }
        options.fieldValidation = .ignore
        options.warnings += read.warnings
        return form.stored(decoded)
    }

    /// Changes an object as this version shows it; again when somebody else has changed it meanwhile.
    func patchConverted(
        _ target: Target, _ form: StorageForm, _ change: Patch, _ subresource: String?, _ options: WriteOptions, _ request: HTTPRequest,
        _ user: UserInfo
    ) async throws -> Written {
        for _ in 0..<64 {
            var own = options
            let object = try await patched(target, form, change, subresource, &own)
            try await mayGrant(target, request, user) { _ in object }
            do { return try await api.update(try storedKind(target), object, subresource: subresource, own) } catch let error as StatusError
            {
                if !error.isRetryable { throw error }
            }
        }
        throw StatusError.conflict(target.stored, target.key.name)
    }

    /// What a patch makes of the object as this version shows it, as it is stored; of the revision that was read.
    private func patched(
        _ target: Target, _ form: StorageForm, _ change: Patch, _ subresource: String?, _ options: inout WriteOptions
    ) async throws -> JSON {
        let shown = target.present(try await api.get(target.stored, target.key))
        var object: JSON
        switch change {
        case .merge(let body), .apply(let body): object = shown.merging(body)
        case .json(let operations): object = try JSONPatch.apply(operations, to: shown)
        case .strategic(let body): object = try StrategicMergePatch.apply(body, to: shown, target.kind.schema)
        }
        return try converted(object, target, form, subresource, &options)
    }
}

extension StatusError {
    /// A path that names no kind; one that an earlier release had says which.
    static func noSuchVersion(_ path: [String]) -> StatusError {
        guard let removed = removedVersion(path) else { return noSuchPath }
        let name = "\(removed.resource.apiVersion) \(removed.resource.kind)"
        return StatusError(404, .notFound, "\(noSuchPath.message) (\(name): \(removed.hint))")
    }

    static func removedVersion(_ path: [String]) -> RemovedVersion? {
        Target.Place(path).flatMap { RemovedVersions.version(group: $0.group, version: $0.version, plural: $0.plural) }
    }
}
