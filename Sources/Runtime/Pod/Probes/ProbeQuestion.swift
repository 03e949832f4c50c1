import Glibc
import TLS

/// What is asked over a probe's connection: nil when the answer is good, else what was wrong, in the kubelet's words.
enum ProbeQuestion {
    /// The same over TLS; whose certificate it is does not matter to a probe.
    static func secureStatus(_ fd: Int32, _ request: [UInt8], _ url: String) -> String? {
        do {
            let connection = try TLSClientConnection(try TLSContext.trustingAnyone(), descriptor: fd)
            return status(request, url, send: { connection.send($0) }, receive: { connection.receive(&$0) })
        } catch { return "Get \"\(url)\": \(error)" }
    }

    /// Sends an HTTP request and judges the status of its answer: 200 to 399 is good.
    static func status(_ request: [UInt8], _ url: String, send: ([UInt8]) -> Bool, receive: (inout [UInt8]) -> Int) -> String? {
        guard send(request) else { return "Get \"\(url)\": write: broken pipe" }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while !answer.contains(UInt8(ascii: "\n")) {
            let n = receive(&buffer)
            if n < 0, errno == EINTR { continue }
            if n < 0 { return "Get \"\(url)\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)" }
            if n == 0 { return "Get \"\(url)\": EOF" }
            answer += buffer[..<n]
        }
        let words = String(decoding: answer.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }, as: UTF8.self).split(
            separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/"), let code = Int(words[1]) else {
            return "Get \"\(url)\": malformed HTTP response"
        }
        return (200..<400).contains(code) ? nil : "HTTP probe failed with statuscode: \(code)"
    }

    /// Asks a gRPC server after its health.
    static func health(_ fd: Int32, service: String, authority: String, seconds: Int) -> String? {
        let request = GRPCHealthCheck.request(service: service, authority: authority)
        guard send(fd, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            return "error: health rpc probe failed: write: broken pipe"
        }
        var check = GRPCHealthCheck()
        var buffer = [UInt8](repeating: 0, count: 4096)
        var hasAcknowledged = false
        while true {
            let n = read(fd, &buffer, buffer.count)
            if n < 0, errno == EINTR { continue }
            if n < 0 { return "timeout: health rpc did not complete within \(seconds)s" }
            if n == 0 { return "error: health rpc probe failed: EOF" }
            if !hasAcknowledged {
                hasAcknowledged = true
                _ = send(fd, GRPCHealthCheck.acknowledgement, GRPCHealthCheck.acknowledgement.count, Int32(MSG_NOSIGNAL))
            }
            switch check.take(buffer[..<n]) {
            case .serving: return nil
            case .unhealthy(let words): return words
            case nil: continue
            }
        }
    }
}
