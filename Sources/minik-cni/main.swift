// A CNI plugin: what is asked stands in the environment and on standard input, the answer goes to standard output.
import Glibc
import Host
import Model
import Runtime

do {
    let environment = try OwnProcess.environment()
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
