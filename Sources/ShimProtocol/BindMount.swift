import Model

/// A path of the machine's, or of the node's, mounted into a container.
package struct BindMount: Sendable, Hashable {
    package let source: String
    /// What below the source is mounted, made if it is not there; it never leads out of the source. Empty: the source itself.
    package let subPath: String
    package let target: String
    /// Nobody writes there, nor to what is mounted below it.
    package let readOnly: Bool
    /// The source is found on the node, by what its links say.
    package let onNode: Bool

    package init(source: String, subPath: String = "", target: String, readOnly: Bool, onNode: Bool = false) {
        self.onNode = onNode
        self.source = source
        self.subPath = subPath
        self.target = target
        self.readOnly = readOnly
    }

    package init(_ json: JSON) throws(PacketError) {
        self.init(
            source: try json.required("source", \.string), subPath: try json.required("subPath", \.string),
            target: try json.required("target", \.string), readOnly: try json.required("readOnly", \.bool),
            onNode: try json.required("onNode", \.bool))
    }

    package var json: JSON {
        [
            "source": .string(source), "subPath": .string(subPath), "target": .string(target), "readOnly": .bool(readOnly),
            "onNode": .bool(onNode),
        ]
    }
}
