import CHost
import CSandbox
import Foundation
import Glibc
import Host
import Model
import Runtime
import ShimProtocol
import Testing

/// A container for one test: busybox in a tree of its own, below a temporary directory.
struct TestContainer: ~Copyable {
    let directory: String
    var image: String { "\(directory)/image" }
    /// Layers above `image`, the lowest first.
    var layers: [String] = []
    /// Layers below it, the highest first.
    var below: [String] = []
    var binds: [BindMount] = []
    var devices = DeviceNode.standard
    var noDevices = false
    var privileged = false
    var capabilities: UInt64 = 0xA804_25FB
    var cgroups: [String] = []

    struct Failed: Error, CustomStringConvertible {
        let stage: String
        let errno: Int32
        var description: String { "\(stage): \(String(cString: strerror(errno)))" }
    }

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "mt-\(UUID().uuidString.prefix(8).lowercased())").path
        for path in ["image/bin", "upper", "work", "merged", "outside"] { try Files.makeDirectory("\(directory)/\(path)") }
        try FileManager.default.copyItem(atPath: "/usr/bin/busybox", toPath: "\(image)/bin/busybox")
        symlink("busybox", "\(image)/bin/sh")
    }

    deinit { Files.removeTree(directory) }

    /// Starts `argv` as the container's first process; its pid. What it says goes to `output`.
    func start(_ argv: [String], terminal: Bool = false, output: Int32 = -1) throws -> (pid: pid_t, terminal: Int32) {
        var failure = sandbox_failure(), master: Int32 = -1
        // A layer that was mounted volatile is not mounted again.
        for layer in ["upper", "work"] {
            Files.removeTree("\(directory)/\(layer)")
            try Files.makeDirectory("\(directory)/\(layer)")
        }
        let paths =
            [(layers.reversed() + [image] + below).joined(separator: ":")] + ["upper", "work", "merged"].map { "\(directory)/\($0)" }
            + binds.flatMap { [$0.source, $0.subPath, $0.target] }
        let pid: pid_t = withCStrings(paths) { paths in
            withCStrings(devices.map(\.path)) { names in
                let mounts = binds.indices.map { index in
                    sandbox_bind(
                        source: paths[4 + 3 * index], sub_path: paths[5 + 3 * index], target: paths[6 + 3 * index],
                        read_only: binds[index].readOnly ? 1 : 0, on_node: 0, in_image: 0)
                }
                let nodes = devices.enumerated().map { index, device in
                    sandbox_device(
                        path: names[index], mode: UInt32(device.mode), major: UInt32(device.major), minor: UInt32(device.minor),
                        uid: UInt32(device.uid),
                        gid: UInt32(device.gid))
                }
                return mounts.withUnsafeBufferPointer { mounts in
                    nodes.withUnsafeBufferPointer { nodes in
                        var root = sandbox_root(
                            lower: paths[0], upper: paths[1], work: paths[2], merged: paths[3], binds: mounts.baseAddress,
                            bind_count: mounts.count,
                            devices: nodes.baseAddress, device_count: nodes.count, directories: nil, directory_count: 0, shm: nil,
                            read_only: 0, privileged: privileged ? 1 : 0,
                            no_devices: noDevices ? 1 : 0, target: 0, node: -1)
                        return withProcess(argv, terminal, output) { sandbox_start(&root, $0, &master, &failure) }
                    }
                }
            }
        }
        if pid < 0 { throw Self.failed(failure) }
        return (pid, master)
    }

    /// Runs `argv` beside the container's process `target`.
    func enter(_ target: pid_t, _ argv: [String], terminal: Bool = false, output: Int32 = -1) throws -> (pid: pid_t, terminal: Int32) {
        var failure = sandbox_failure(), master: Int32 = -1
        let pid = withProcess(argv, terminal, output) { sandbox_enter(target, Int32(sandbox_container_namespaces), $0, &master, &failure) }
        if pid < 0 { throw Self.failed(failure) }
        return (pid, master)
    }

    /// What a shell says of `script`, and how it ended.
    func run(_ script: String) throws -> (code: Int, text: String) {
        let file = "\(directory)/out"
        let out = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        defer { close(out) }
        let (pid, _) = try start(["/bin/busybox", "timeout", "20", "sh", "-c", script], output: out)
        return (Self.wait(pid), Files.text(file) ?? "")
    }

    static func wait(_ pid: pid_t) -> Int {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return Int(host_exit_code(status))
    }

    private static func failed(_ failure: sandbox_failure) -> Failed {
        var copy = failure
        return Failed(
            stage: withUnsafeBytes(of: &copy.stage) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }, errno: failure.error)
    }

    private func withProcess<R>(_ argv: [String], _ terminal: Bool, _ output: Int32, _ body: (UnsafePointer<sandbox_process>) -> R) -> R {
        withCStrings(argv) { argv in
            withCStrings(["PATH=/bin"]) { environment in
                withCStrings(cgroups + ["/"]) { texts in
                    texts.withMemoryRebound(to: UnsafePointer<CChar>?.self, capacity: cgroups.count + 1) { texts in
                        var process = sandbox_process()
                        process.argv = argv
                        process.envp = environment
                        process.cwd = texts[cgroups.count]
                        process.cgroups = texts
                        process.cgroup_count = cgroups.count
                        process.capabilities = capabilities
                        process.keyless = privileged ? 0 : 1
                        process.stdio = (-1, output, output)
                        process.terminal = terminal ? 1 : 0
                        process.console = terminal ? 1 : 0
                        return body(&process)
                    }
                }
            }
        }
    }
}
