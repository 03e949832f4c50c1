import API
import ArgumentParser
import Lab
import Model

struct SchemaCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "Print the JSON Schema of minik's own documents, for editors.",
        discussion: "minik schema Lab > lab.schema.json")
    @Argument(help: "Cluster or Lab; without, both.") var kind: String?

    private static let kinds: [(name: String, schema: JSON)] = [
        ("Cluster", schema(Cluster.schema, Cluster.anyValue, "Cluster")), ("Lab", schema(LabDocument.schema, LabDocument.anyValue, "Lab")),
    ]

    func run() async throws {
        var document: JSON
        if let kind {
            guard let found = Self.kinds.first(where: { $0.name.lowercased() == kind.lowercased() }) else {
                throw UserError("there is no schema of \"\(kind)\"", hint: "there are: Cluster, Lab; Kubernetes' own: kubectl explain")
            }
            document = found.schema
        } else {
            document = ["oneOf": .array(Self.kinds.map(\.schema))]
        }
        document["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        print(document.text(indented: true))
    }

    private static func schema(_ schema: Schema, _ any: JSON, _ kind: String) -> JSON {
        var json = schema.jsonSchema(any: any)
        json["title"] = .string(kind)
        json["properties"]["apiVersion"] = ["const": .string(Cluster.apiVersion)]
        json["properties"]["kind"] = ["const": .string(kind)]
        json["required"] = kind == "Lab" ? ["apiVersion", "kind", "metadata", "spec"] : ["apiVersion", "kind"]
        return json
    }
}
