import Glibc
import Model

/// That a container of a pod has an image: a file of the pod's state, which goes with the pod.
package struct ImageUse: Sendable {
    /// Below a pod's state.
    package static let directory = "images"

    private let file: String
    private let pod: ObjectKey

    package init(state: String, container: String, pod: ObjectKey) {
        file = "\(state)/\(Self.directory)/\(container)"
        self.pod = pod
    }

    /// `digest`: what its source knows the image by.
    package func note(_ digest: String) throws {
        try Files.makeDirectory(String(file.prefix(upTo: file.lastIndex(of: "/") ?? file.endIndex)))
        try Files.write("\(digest)\n\(pod)\n", to: file)
    }

    func forget() { unlink(file) }

    /// What was noted; nil when nothing was.
    package var digest: String? { Files.text(file)?.split(separator: "\n").first.map(String.init) }
}
