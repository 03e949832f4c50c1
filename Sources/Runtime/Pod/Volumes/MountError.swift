/// A volume that cannot be set up (yet), in the kubelet's words.
struct MountError: Error, CustomStringConvertible {
    let description: String
    /// The event's: FailedMount, or what is said of block devices.
    var reason = "FailedMount"

    /// (k8s.io/kubernetes/pkg/volume/util/operationexecutor, GenerateError)
    static func failed(_ volume: String, _ problem: String, step: String = "MountVolume.SetUp failed") -> MountError {
        MountError(description: "\(step) for volume \"\(volume)\" : \(problem)")
    }

    /// One of which it cannot be said what is to be mounted. (k8s.io/kubernetes/pkg/kubelet/volumemanager)
    static func unprocessed(_ volume: String, _ problem: String) -> MountError {
        MountError(
            description: "Unable to attach or mount volumes: unmounted volumes=[\(volume)], unattached volumes=[], "
                + "failed to process volumes=[\(volume)]: \(problem)")
    }
}
