import API
import Model

/// What users write to name objects: `pods`, `pod/httpd`, `deploy httpd web`, `svc,pods`.
package struct ResourceArguments {
    package struct Item {
        package let kind: KindDefinition
        /// nil: all of the kind.
        package let name: String?
    }

    /// The kinds behind `all`.
    private static let all = ["pods", "services", "deployments", "replicasets"]

    package let items: [Item]
    /// `TYPE/NAME` was used, or several kinds: names are printed with their kind.
    package let isMixed: Bool

    package init(_ arguments: [String]) throws {
        guard let first = arguments.first else {
            throw UserError(
                "You must specify the type of resource to get.",
                hint: "for example: minik get pods; there are: \(Registry.kinds.map(\.resource.plural).joined(separator: ", ")), all")
        }
        if arguments.contains(where: { $0.contains("/") }) {
            items = try arguments.map { argument in
                let sides = argument.split(separator: "/", maxSplits: 1).map(String.init)
                guard sides.count == 2 else {
                    throw UserError(
                        "there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'minik get resource/<resource_name>' instead of 'minik get resource resource/<resource_name>'"
                    )
                }
                return Item(kind: try Self.kind(sides[0]), name: sides[1])
            }
            isMixed = items.count > 1
            return
        }
        let kinds = try first.split(separator: ",").flatMap { $0 == "all" ? Self.all : [String($0)] }.map(Self.kind)
        let names = arguments.dropFirst()
        items = kinds.flatMap { kind in names.isEmpty ? [Item(kind: kind, name: nil)] : names.map { Item(kind: kind, name: $0) } }
        isMixed = kinds.count > 1
    }

    package static func kind(_ text: String) throws -> KindDefinition {
        guard let kind = Registry.kind(named: text) else { throw UserError("error: the server doesn't have a resource type \"\(text)\"") }
        return kind
    }
}

extension KindDefinition {
    /// `deployment.apps`, as kubectl prints what it did.
    package var printedName: String { resource.group.isEmpty ? singular : "\(singular).\(resource.group)" }
}
