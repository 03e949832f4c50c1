// minik-dns RECORDS [PORT]: answers the cluster's names on port 53, UDP and TCP, from the JSON file RECORDS and the changes beside it. It
// needs no daemon: names go on resolving while the cluster's daemon is away.
import DNS
import Glibc
import Model

let arguments = CommandLine.arguments
guard 2...3 ~= arguments.count, let port = arguments.count == 3 ? UInt16(arguments[2]) : 53 else {
    print("usage: minik-dns RECORDS [PORT]")
    exit(2)
}
signal(SIGPIPE, SIG_IGN)
// The first process of a PID namespace is ended by no signal that it does not handle (pid_namespaces(7)).
for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(0) } }
guard var server = DNSServer(recordsPath: arguments[1], port: port) else {
    perror("minik-dns: listen on port \(port)")
    exit(1)
}
print("minik-dns: listening on port \(port)")
fflush(nil)
server.run()
