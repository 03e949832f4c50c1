import Model

extension Manifest {
    /// A document of minik's own as its schema reads it, or the first thing that is wrong with it.
    package func decoded(by schema: Schema) throws -> JSON {
        func fail(_ field: String, _ message: String) -> ManifestError {
            ManifestError(file: file, line: line(of: field), message: "\(field): \(message)")
        }
        guard apiVersion == Cluster.apiVersion else {
            throw fail("apiVersion", "a \(kind) is of \(Cluster.apiVersion), not \(apiVersion)")
        }
        var findings = SchemaFindings()
        let json = schema.decode(self.json, &findings)
        if let field = findings.unknown.first { throw fail(field, "unknown field") }
        if let complaint = findings.mistyped.first {
            let wrong = MistypedField(complaint, at: findings.mistypedPath, of: schema)
            throw fail(wrong.field, wrong.message)
        }
        if let cause = findings.causes.first { throw fail(cause.field, cause.message) }
        return json
    }
}
