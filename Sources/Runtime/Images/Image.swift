import Glibc
import Model

/// What an image says of the processes that run from it. (opencontainers/image-spec config.md)
package struct ImageConfiguration: Sendable, Hashable {
    package var entrypoint: [String]
    package var command: [String]
    package var environment: [String]
    package var workingDirectory: String
    package var stopSignal: Int

    package init(
        entrypoint: [String] = [], command: [String] = [], environment: [String] = ["PATH=\(Self.standardPath)"],
        workingDirectory: String = "/", stopSignal: Int = Int(SIGTERM)
    ) {
        self.entrypoint = entrypoint
        self.command = command
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.stopSignal = stopSignal
    }

    package static let standardPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

/// An image that is on this machine: what it says, and the directories that make its root.
package struct Image: Sendable, Hashable {
    /// The digest of its configuration: `sha256:` and 64 hexadecimal digits.
    package let id: String
    package let configuration: ImageConfiguration
    /// Directories of the machine, the lowest first, which nobody changes while the image is there. Their paths hold no colon.
    package let layers: [String]

    package init(id: String, configuration: ImageConfiguration, layers: [String]) {
        self.id = id
        self.configuration = configuration
        self.layers = layers
    }

    /// A file's text as a container would find it: the topmost layer's that has one.
    package func text(_ path: String) -> String? {
        for layer in layers.reversed() { if let text = Files.text(path, inRoot: layer) { return text } }
        return nil
    }

    /// The image the cluster's DNS runs from.
    package static let dns = "minik-dns"
}
