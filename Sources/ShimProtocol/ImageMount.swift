import Model

/// The files of an image, mounted for volumes to show: nobody writes there, and nothing there runs.
package struct ImageMount: Sendable, Hashable {
    /// Its layers with colons between, the topmost first; two at least.
    package let lower: String
    package let target: String

    package init(lower: String, target: String) {
        self.lower = lower
        self.target = target
    }

    package init(_ json: JSON) throws(PacketError) {
        self.init(lower: try json.required("lower", \.string), target: try json.required("target", \.string))
    }

    package var json: JSON { ["lower": .string(lower), "target": .string(target)] }
}
