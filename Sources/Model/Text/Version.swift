/// The version of minik, and the Kubernetes whose API it serves.
package enum Version {
    package static let minik = "0.1.0"
    package static let kubernetes = (major: 1, minor: 36)
    /// `v1.36.0`
    package static let kubernetesText = "v\(kubernetes.major).\(kubernetes.minor).0"
}
