// A CNI plugin: what is asked stands in the environment and on standard input, the answer goes to standard output.
import Glibc
import Host
import Model
import Runtime

/// NAME=VALUE, as the kernel keeps them (proc(5)).
func variables() throws -> [String: String] {
    let entries = try Files.read("/proc/self/environ").split(separator: 0).map { $0.split(separator: UInt8(ascii: "="), maxSplits: 1) }
    let pairs = entries.map { ($0[0], $0.count > 1 ? $0[1] : []) }
    return Dictionary(pairs.map { (String(decoding: $0, as: UTF8.self), String(decoding: $1, as: UTF8.self)) }, uniquingKeysWith: { $1 })
}

do {
    let environment = try variables()
    // Nobody but a person calls it so.
    if environment["CNI_COMMAND"] == nil {
        let versions = CNICall.versions.map(\.description).joined(separator: ", ")
        print("minik-cni \(Version.minik): a CNI plugin for links as flannel or Calico make them; container runtimes call it.")
        print("CNI protocol versions supported: \(versions)")
        exit(0)
    }
    let input = try Descriptor(copying: STDIN_FILENO).readAll("standard input")
    let answer = CNIProgram(environment, input: String(decoding: input, as: UTF8.self)).run()
    print(answer.output, terminator: "")
    exit(answer.code)
} catch {
    print(CNIRefusal(error).json(.withStatusAndGC).text(indented: true))
    exit(1)
}
