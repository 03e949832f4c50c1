import Glibc
import Host
import Model

/// That a container of a pod has an image: a file of the pod's state, which goes with the pod.
package struct ImageUse: Sendable {
    /// Below a pod's state.
    package static let directory = "images"

    private let file: String
    private let pod: ObjectKey

    /// `volume`: what the container mounts, where it is not the image that it runs from. No container's name has a dot.
    package init(state: String, container: String, volume: String? = nil, pod: ObjectKey) {
        file = "\(state)/\(Self.directory)/\(container)\(volume.map { ".\($0)" } ?? "")"
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
