// minik-dns RECORDS [PORT [ADDRESS]]: answers the cluster's names on port 53 of 0.0.0.0, UDP and TCP, from the JSON file RECORDS and the
// changes beside it. It needs no daemon: names go on resolving while the cluster's daemon is away.
import DNS
import Glibc
import Model

var arguments = CommandLine.arguments
let name = arguments[0].split(separator: "/").last.map(String.init) ?? ""
if StandIn.names.contains(name) { StandIn.wait(as: name) }
// In the place of CoreDNS, whose configuration it does not read.
if name == "coredns" { arguments = [name, "/etc/minik-dns/records.json"] }
guard 2...4 ~= arguments.count, let port = arguments.count > 2 ? UInt16(arguments[2]) : 53,
    let address = arguments.count > 3 ? IPAddress(arguments[3]) : .unspecified(.ipv4)
else {
    print("usage: minik-dns RECORDS [PORT [ADDRESS]]")
    exit(2)
}
signal(SIGPIPE, SIG_IGN)
// The first process of a PID namespace is ended by no signal that it does not handle (pid_namespaces(7)).
for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(0) } }
guard var server = DNSServer(recordsPath: arguments[1], address: address, port: port) else {
    perror("minik-dns: listen on port \(port)")
    exit(1)
}
print("minik-dns: listening on port \(port)")
fflush(nil)
server.run()
