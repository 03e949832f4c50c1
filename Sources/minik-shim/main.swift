// minik-shim: the small process behind each pod and each emulated node. It outlives the daemon.
//
//   minik-shim pod  SOCKET HOSTNAME SHM NODE-PID own|node [SETTING ...]
//                                                    owns a pod's namespaces (the network its own, or the node's) and
//                                                    supervises its containers; settings are ShimProtocol's SandboxSetting
//   minik-shim node HOSTNAME STATE [MOUNT ...]       starts a node's init, says its pid, and is gone; mounts are
//                                                    ShimProtocol's NodeMount
//
// Descriptor 3 is a pipe to the parent: "ok PID" once everything is in place, else what failed.
import CHost
import CSandbox
import Glibc
import Host
import ShimProtocol

func report(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(3, bytes, bytes.count)
    close(3)
}

func fail(_ failure: sandbox_failure) -> Never {
    var failure = failure
    let stage = withUnsafeBytes(of: &failure.stage) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    fail("\(failure.error) \(stage)")
}

/// `words`: an errno, and what failed.
func fail(_ words: String) -> Never {
    report(words)
    exit(1)
}

/// Becomes a pod's supervisor, and is that until the pod has ended.
func supervisePod(_ arguments: [String]) {
    var failure = sandbox_failure()
    let settings = arguments.dropFirst(7).compactMap(SandboxSetting.init)
    let shared = (arguments[6] == "node" ? sandbox_shares_network : 0) | (settings.contains(.nodeIPC) ? sandbox_shares_ipc : 0)
    let node = Descriptor(owning: host_pidfd_open(pid_t(arguments[5]) ?? 0))
    let pid = sandbox_become_pod(pid_t(arguments[5]) ?? 0, arguments[3], arguments[4], Int32(shared), &failure)
    guard pid > 0 else { fail(failure) }
    for setting in settings {
        failure.error = -setting.apply()
        guard failure.error == 0 else { fail("\(failure.error) \(setting.summary)") }
    }
    let listener: Descriptor
    do { listener = try UnixSocket.listening(at: arguments[2], .packets) } catch { fail("\(error.errno) \(error.operation) \(error.path)") }
    chmod(arguments[2], 0o600)
    var pause: pid_t = 0
    if settings.contains(.podProcesses) {
        pause = sandbox_start_pause()
        guard pause > 0 else { fail("\(-pause) \(SandboxSetting.podProcesses.summary)") }
    }
    var shim = PodShim(listener: listener, socketPath: arguments[2], pause: pause, node: node)
    report("ok \(pid)")
    shim.run()
}

let arguments = CommandLine.arguments
switch (arguments.dropFirst().first, arguments.count) {
case ("pod", 7...): supervisePod(arguments)
case ("node", 4...):
    var failure = sandbox_failure()
    let pid = withNode(arguments[2], state: arguments[3], arguments.dropFirst(4).compactMap(NodeMount.init)) {
        sandbox_start_node($0, &failure)
    }
    guard pid > 0 else { fail(failure) }
    report("ok \(pid)")
default:
    report("22 unknown arguments")
    exit(2)
}
