import Glibc

/// What runs under the name of a component whose work the cluster's daemon does: as long as it runs, the daemon does it.
enum StandIn {
    static let names: Set<String> = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "etcd", "pause"]

    static func wait(as name: String) -> Never {
        for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(0) } }
        if name != "pause" {
            print("\(name) of this cluster is a part of minik's daemon, and at work while this runs; see minik's own log for what it says")
            fflush(nil)
        }
        while true { pause() }
    }
}
