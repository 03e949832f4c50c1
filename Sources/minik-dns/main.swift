// minik-dns RECORDS: answers the cluster's names on port 53, UDP and TCP, from the JSON file RECORDS, which it reads
// again whenever it changes. It needs no daemon: names go on resolving while the cluster's daemon is away.
import DNS
import Glibc
import Model

guard CommandLine.arguments.count == 2 else {
    print("usage: minik-dns RECORDS")
    exit(2)
}
signal(SIGPIPE, SIG_IGN)
// The first process of a PID namespace is ended by no signal that it does not handle (pid_namespaces(7)).
for number in [SIGTERM, SIGINT] { signal(number) { _ in _exit(0) } }
var server = DNSServer(recordsPath: CommandLine.arguments[1])
guard server.listen(port: 53) else {
    perror("minik-dns: listen on port 53")
    exit(1)
}
print("minik-dns: listening on port 53")
fflush(nil)
server.run()
