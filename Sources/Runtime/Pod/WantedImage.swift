import Model

/// An image that has to be there before a container is made: its own, or one that a volume of it shows.
struct WantedImage {
    /// As the pod's spec has it.
    let name: String
    let policy: ImagePullPolicy
    /// nil: it is the container's own.
    let volume: String?

    private init(_ name: JSON, _ policy: JSON, volume: String? = nil) {
        self.name = name.string ?? ""
        self.policy = ImagePullPolicy(rawValue: policy.string ?? "") ?? .ifNotPresent
        self.volume = volume
    }

    /// In the kubelet's order: volumes first. (pkg/kubelet/kuberuntime, SyncPod, getImageVolumes)
    static func all(of container: Container, in pod: Pod) -> [WantedImage] {
        pod.imageVolumes(of: container).map { volume in
            WantedImage(volume["image"]["reference"], volume["image"]["pullPolicy"], volume: volume["name"].string ?? "")
        } + [WantedImage(container.json["image"], container.json["imagePullPolicy"])]
    }
}

extension Pod {
    /// The volumes that a container mounts and that show an image.
    func imageVolumes(of container: Container) -> [JSON] {
        let mounted = Set(container.volumeMounts.compactMap { $0["name"].string })
        return spec["volumes"].items.filter { !$0["image"].isNull && mounted.contains($0["name"].string ?? "") }
    }
}
