import Glibc
import Host
import Model

/// What Calico's manifests do on a node before all else: the plugins' programs, the network's file, and a kubeconfig.
/// (projectcalico/calico cni-plugin/pkg/install)
package struct CalicoInstall: NamedProgram {
    package static let name = "install-cni"
    package static let names = ["install-cni.sh", "install"]
    private static let programs = "/opt/cni/bin", credentials = "/var/run/secrets/kubernetes.io/serviceaccount"
    /// The node's folders, as the manifests mount them.
    private static let target = "/host/opt/cni/bin", networks = "/host\(CalicoConflist.folder)"

    private let call: ProgramCall
    private let log = ProgramLog()

    package init(_ call: ProgramCall) { self.call = call }

    package func run() async -> Int32 {
        do {
            try install()
            // Older manifests have it as one of the pod's containers, which ends with the pod.
            guard GoFlags.truth(call.variable("SLEEP") ?? "true") ?? true else { return 0 }
            try await Termination.ends { try await Task.sleep(for: .seconds(365 * 86400)) }
            return 0
        } catch {
            log.fail("\(error)")
            return 1
        }
    }

    private func install() throws {
        guard Files.isDirectory(Self.target) else { throw ProgramFailure("found no writeable directory, exiting: \(Self.target)") }
        try installPrograms()
        let token = Files.text("\(Self.credentials)/token")?.trimmed ?? ""
        let template = try call.variable("CNI_NETWORK_CONFIG_FILE").map { String(decoding: try Files.read($0), as: UTF8.self) }
        let network = try CalicoConflist(call, template: template, token: token, host: try Self.hostName())
        if let host = call.variable("KUBERNETES_SERVICE_HOST"), let port = call.variable("KUBERNETES_SERVICE_PORT"), !token.isEmpty {
            let text = CalicoConflist.kubeconfig(
                server: "https://[\(host)]:\(port)", authority: try Files.read("\(Self.credentials)/ca.crt"), token: token)
            try Files.write(text, to: "\(Self.networks)/\(CalicoConflist.kubeconfig)", mode: 0o600)
        }
        // Last: with it the node has a network.
        try Self.replace("\(Self.networks)/\(network.name)", with: Array(network.text.utf8), mode: 0o644)
        log.tell("Created \(Self.networks)/\(network.name)")
        if let old = network.oldName, unlink("\(Self.networks)/\(old)") == 0 { log.tell("Removed \(Self.networks)/\(old)") }
    }

    /// Two names of one program: a copy is enough.
    private func installPrograms() throws {
        let skipped = Set((call.variable("SKIP_CNI_BINARIES") ?? "").split(separator: ",").map { $0.trimmed })
        let updates = GoFlags.truth(call.variable("UPDATE_CNI_BINARIES") ?? "true") ?? true
        var copies: [String: String] = [:]
        for name in Files.list(Self.programs).sorted() where !Self.names.contains(name) && !skipped.contains(name) {
            let source = "\(Self.programs)/\(name)", target = "\(Self.target)/\(name)"
            if !updates, Files.exists(target) {
                log.tell("Skipping installation of \(target)")
                continue
            }
            let program = Files.link(source) ?? source
            if let copy = copies[program] {
                unlink("\(target).tmp")
                guard link(copy, "\(target).tmp") == 0, rename("\(target).tmp", target) == 0 else {
                    throw FileError("install", target, errno: errno)
                }
            } else {
                try Self.replace(target, with: try Files.read(source), mode: 0o755)
                copies[program] = target
            }
            log.tell("Installed \(target)")
        }
    }

    /// Whole at once, for it may be in use.
    private static func replace(_ path: String, with bytes: [UInt8], mode: mode_t) throws {
        unlink("\(path).tmp")
        try Files.write(bytes, to: "\(path).tmp", mode: mode)
        guard rename("\(path).tmp", path) == 0 else { throw FileError("rename", "\(path).tmp", errno: errno) }
    }

    private static func hostName() throws -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { throw FileError("read", "the host's name", errno: errno) }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).lowercased()
    }
}
