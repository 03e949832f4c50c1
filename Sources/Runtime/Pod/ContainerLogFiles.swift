import Glibc
import Host
import Model
import ShimProtocol

/// The log files of a pod's containers, one for each life, and the names that log shippers find them by. As a kubelet has it, the last two
/// lives are kept. (k8s.io/kubernetes/pkg/kubelet/kuberuntime/legacy.go, logSymlink)
struct ContainerLogFiles {
    let pod: Pod
    let node: String
    let paths: ClusterPaths

    /// The longest name of a file.
    private static let longest = 255

    /// Makes room and a name for the log of a life that begins; its path.
    func begin(_ container: String, life: Int) throws(FileError) -> String {
        let folder = "\(paths.podLogs(pod, node: node))/\(container)"
        try Files.makeDirectory(folder)
        if life > 1 { forget(container, life: life - 2) }
        let link = link(container, life)
        unlink(link)
        guard symlink("/var/log/pods/\(ClusterPaths.logs(of: pod))/\(container)/\(life).log", link) == 0 else {
            throw FileError("make the link", link, errno: errno)
        }
        return "\(folder)/\(life).log"
    }

    /// Removes all of them.
    func remove() {
        let folder = paths.podLogs(pod, node: node)
        for container in Files.list(folder) {
            for life in Files.list("\(folder)/\(container)").compactMap({ Int($0.prefix { $0 != "." }) }) { forget(container, life: life) }
        }
        Files.removeTree(folder)
    }

    /// Removes the logs of pods that no object claims any more.
    static func sweep(_ node: String, _ paths: ClusterPaths, keeping uids: Set<String>) {
        // Pods may have put links there, which lead to this machine's files.
        func inside(_ name: String) -> Descriptor? {
            do {
                return try Descriptor(opening: "\(paths.nodeState(node))/log/\(name)", O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            } catch { return nil }  // no directory, no logs
        }
        guard let pods = inside("pods"), let names = inside("containers") else { return }
        let folder = "/proc/self/fd/\(pods.number)", links = "/proc/self/fd/\(names.number)"
        for name in Files.list(folder) where !uids.contains(String(name.split(separator: "_").last ?? "")) {
            Files.removeTree("\(folder)/\(name)")
        }
        let kept = Set(Files.list(folder))
        for link in Files.list(links) {
            // /var/log/pods/POD/CONTAINER/LIFE.log
            let parts = Files.link("\(links)/\(link)")?.split(separator: "/") ?? []
            if parts.count > 3, parts[..<3].joined(separator: "/") == "var/log/pods", !kept.contains(String(parts[3])) {
                unlink("\(links)/\(link)")
            }
        }
    }

    private func forget(_ container: String, life: Int) {
        unlink(link(container, life))
        unlink("\(paths.podLogs(pod, node: node))/\(container)/\(life).log")
    }

    private func link(_ container: String, _ life: Int) -> String {
        let name = "\(pod.name)_\(pod.namespace)_\(container)-\(ContainerRecord.number(pod.uid, container, life))"
        return "\(paths.containerLogs(node: node))/\(name.prefix(Self.longest - ".log".count)).log"
    }
}
