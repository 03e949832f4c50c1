import Glibc
import Host
import Model

/// What an image says of the processes that run from it. (opencontainers/image-spec config.md)
package struct ImageConfiguration: Sendable, Hashable {
    package var entrypoint: [String]
    package var command: [String]
    package var environment: [String]
    package var workingDirectory: String
    package var stopSignal: Int
    /// USER[:GROUP], names or numbers of the image's own files; empty: root.
    package var user: String
    package var labels: [String: String]
    /// Directories whose content is to outlive the container; a container here has them in its own layer.
    package var volumes: [String]

    package init(
        entrypoint: [String] = [], command: [String] = [], environment: [String] = ["PATH=\(Self.standardPath)"],
        workingDirectory: String = "/", stopSignal: Int = Int(SIGTERM), user: String = "", labels: [String: String] = [:],
        volumes: [String] = []
    ) {
        self.entrypoint = entrypoint
        self.command = command
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.stopSignal = stopSignal
        self.user = user
        self.labels = labels
        self.volumes = volumes
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
    /// What its maker or its registry knows it by: the digest of its manifest or index. nil for minik's own, which have none.
    package let digest: String?
    /// The name that it was asked for by is a registry's, which may have another image under it by now.
    package var isPulled: Bool
    /// One that would be here for the asking: it has to be made first, as others have to be pulled.
    package let isStillToBeMade: Bool
    /// Its users and groups, where its source has read them already: an image of many layers is looked through once.
    package var accounts: Accounts?

    /// The image's /etc/passwd and /etc/group.
    package struct Accounts: Sendable, Hashable {
        package let passwd: String
        package let group: String

        package init(of image: Image) { (passwd, group) = (image.text("etc/passwd") ?? "", image.text("etc/group") ?? "") }
    }

    package init(
        id: String, configuration: ImageConfiguration, layers: [String], digest: String? = nil, isPulled: Bool = false,
        isStillToBeMade: Bool = false
    ) {
        self.isPulled = isPulled
        self.isStillToBeMade = isStillToBeMade
        self.id = id
        self.configuration = configuration
        self.layers = layers
        self.digest = digest
    }

    /// As a container's status tells it: the repository and the digest, or the ID of an image that no registry could know.
    package func statusID(_ reference: ImageReference) -> String {
        digest.map { "\(reference.registry)/\(reference.repository)@\($0)" } ?? id
    }

    /// A file's text as a container would find it: the topmost layer's that has one.
    package func text(_ path: String) -> String? {
        for layer in layers.reversed() { if let text = Files.text(path, inRoot: layer) { return text } }
        return nil
    }

    /// The image the cluster's DNS runs from.
    package static let dns = "minik-dns"
}
