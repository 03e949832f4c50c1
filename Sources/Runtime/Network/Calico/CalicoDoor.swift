import Glibc
import Host
import Model

/// Where a node's calico-node is asked.
package struct CalicoDoor: Sendable {
    package static let path = "/var/run/calico/minik.sock"
    /// Calico's own file: what its plugin looks for before all else.
    package static let nodeName = "/var/lib/calico/nodename"
    package static let mtu = "/var/lib/calico/mtu"
    package static let largestMessage = 65536
    /// A pod may be here before the daemon is, whose pod starts at the same time.
    private static let patience = 5000, pause = 20

    private let path: String
    private let nodeName: String

    package init(path: String = CalicoDoor.path, nodeName: String = CalicoDoor.nodeName) { (self.path, self.nodeName) = (path, nodeName) }

    /// Waits for whoever answers; `isPatient`: a while longer for one who is not there yet.
    package func ask(_ question: CalicoQuestion, isPatient: Bool = true) throws(CNIRefusal) -> CalicoAnswer {
        var waited = 0
        while true {
            do { return try askOnce(question) } catch {
                guard isPatient, error.code == CNIRefusal.Code.notAvailable, waited < Self.patience else { throw error }
                usleep(useconds_t(Self.pause * 1000))
                waited += Self.pause
            }
        }
    }

    private func askOnce(_ question: CalicoQuestion) throws(CNIRefusal) -> CalicoAnswer {
        guard Files.exists(nodeName) else {
            throw CNIRefusal(
                CNIRefusal.Code.notAvailable,
                "stat \(nodeName): no such file or directory: check that the calico/node container is running and has mounted "
                    + "/var/lib/calico/")
        }
        do {
            let socket = try UnixSocket.connected(to: path, .packets)
            var limit = timeval(tv_sec: 30, tv_usec: 0)
            setsockopt(socket.number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            guard UnixSocket.send(question.json.bytes(), over: socket.number) > 0 else { throw FileError("ask", path, errno: errno) }
            let bytes = try UnixSocket.receive(Self.largestMessage, over: socket.number).bytes
            guard !bytes.isEmpty else { throw FileError("ask", path, errno: ECONNRESET) }
            let answer = CalicoAnswer(try JSON(parsing: Array(bytes)))
            if let refusal = answer.refusal { throw CNIRefusal(CNIRefusal.Code.inputOutput, refusal) }
            return answer
        } catch let refusal as CNIRefusal { throw refusal } catch {
            throw CNIRefusal(
                CNIRefusal.Code.notAvailable, "calico-node does not answer: \(error)", details: "check that its pod runs on this node")
        }
    }
}
