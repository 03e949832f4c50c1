// CNI plugins: what is asked stands in the environment and on standard input, the answer goes to standard output.
import Glibc
import Host
import Model
import Runtime

do {
    let environment = try OwnProcess.environment()
    let name = CommandLine.arguments.first?.split(separator: "/").last.map(String.init)
    // Nobody but a person calls it so, or Calico's manifest.
    if environment["CNI_COMMAND"] == nil {
        if name == CalicoIPAM.name, CommandLine.arguments.contains("-upgrade") {
            print("minik's calico-ipam takes over no addresses of host-local: pods that have such keep them until they go")
            exit(0)
        }
        let versions = CNICall.versions.map(\.description).joined(separator: ", ")
        print("minik-cni \(Version.minik): a CNI plugin for links as flannel or Calico make them; container runtimes call it.")
        print("CNI protocol versions supported: \(versions)")
        exit(0)
    }
    let input = String(decoding: try Descriptor(copying: STDIN_FILENO).readAll("standard input"), as: UTF8.self)
    let answer =
        name == CalicoIPAM.name ? CalicoIPAM(environment, input: input).run() : CNIProgram(environment, input: input).run()
    print(answer.output, terminator: "")
    exit(answer.code)
} catch {
    print(CNIRefusal(error).json(.withStatusAndGC).text(indented: true))
    exit(1)
}
