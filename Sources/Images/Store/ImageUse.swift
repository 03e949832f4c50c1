import Host
import Model
import Runtime

/// What a pod on this machine has of the store: a file of the pod's own state, which goes with the pod.
struct HeldImage {
    let manifest: ContentDigest
    /// Cluster, namespace and name.
    let pod: String

    /// What all pods of all clusters have; `clusters` is the directory of their states.
    static func all(_ clusters: String) -> [HeldImage] {
        Files.list(clusters).flatMap { cluster in
            Files.list("\(clusters)/\(cluster)/pods").flatMap { uid -> [HeldImage] in
                let directory = "\(clusters)/\(cluster)/pods/\(uid)/\(ImageUse.directory)"
                return Files.list(directory).compactMap { container in
                    guard let lines = Files.text("\(directory)/\(container)")?.split(separator: "\n").map(String.init),
                        let first = lines.first,
                        let digest = ContentDigest(first)
                    else { return nil }
                    return HeldImage(manifest: digest, pod: "\(lines.dropFirst().first ?? uid) of cluster \(cluster)")
                }
            }
        }
    }
}
