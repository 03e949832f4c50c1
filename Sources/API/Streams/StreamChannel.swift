import Model

/// The frames of `v5.channel.k8s.io`: a channel number, then bytes.
/// (kubernetes/enhancements KEP-4006; k8s.io/apimachinery/pkg/util/remotecommand)
package enum StreamChannel {
    package static let subprotocol = "v5.channel.k8s.io"
    private static let stdin: UInt8 = 0, stdout: UInt8 = 1, stderr: UInt8 = 2, error: UInt8 = 3, resize: UInt8 = 4, close: UInt8 = 255

    package static func encode(_ output: StreamOutput) -> [UInt8] {
        switch output {
        case .stdout(let bytes): return [stdout] + bytes
        case .stderr(let bytes): return [stderr] + bytes
        case .exit(0): return [error] + (["metadata": .emptyObject, "status": "Success"] as JSON).bytes()
        case .exit(let code):
            let status: JSON = [
                "metadata": .emptyObject, "status": "Failure",
                "message": .string("command terminated with non-zero exit code: exit status \(code)"),
                "reason": "NonZeroExitCode", "details": ["causes": [["reason": "ExitCode", "message": .string(String(code))]]],
            ]
            return [error] + status.bytes()
        case .failure(let message): return [error] + StatusError(500, .internalError, message).status.bytes()
        }
    }

    package static func decodeOutput(_ frame: [UInt8]) -> StreamOutput? {
        let body = Array(frame.dropFirst())
        switch frame.first {
        case stdout: return .stdout(body)
        case stderr: return .stderr(body)
        case error:
            guard let status = try? JSON(parsing: body) else { return .failure(String(decoding: body, as: UTF8.self)) }
            if status["status"].string == "Success" { return .exit(0) }
            let cause = status["details"]["causes"].items.first { $0["reason"].string == "ExitCode" }
            if let code = cause?["message"].string.flatMap({ Int($0) }) { return .exit(code) }
            return .failure(status["message"].string ?? "the stream failed")
        default: return nil
        }
    }

    package static func encode(_ input: StreamInput) -> [UInt8] {
        switch input {
        case .stdin(let bytes): [stdin] + bytes
        case .endOfInput: [close, stdin]
        case .resize(let rows, let columns): [resize] + (["Width": .int(columns), "Height": .int(rows)] as JSON).bytes()
        }
    }

    package static func decodeInput(_ frame: [UInt8]) -> StreamInput? {
        let body = Array(frame.dropFirst())
        switch frame.first {
        case stdin: return .stdin(body)
        case close: return body == [stdin] ? .endOfInput : nil
        case resize:
            guard let size = try? JSON(parsing: body), let rows = size["Height"].int, let columns = size["Width"].int else { return nil }
            return .resize(rows: rows, columns: columns)
        default: return nil
        }
    }
}

extension StreamChannel {
    /// How the versions of the subprotocol write what goes over the channels.
    package struct Dialect: Sendable {
        /// Text frames: the channel's digit, then base64.
        let isBase64: Bool
        /// From version 4 on the end is a Status, whatever it is; before it is silent, or the words of what went wrong.
        private let tellsStatus: Bool

        static let subprotocols = [subprotocol, "v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io", "base64.channel.k8s.io"]

        /// A client that names no subprotocol speaks the first.
        package init(_ subprotocol: String) {
            isBase64 = subprotocol.contains("base64.")
            tellsStatus = subprotocol.hasPrefix("v")
        }

        package func encode(_ output: StreamOutput) -> [UInt8]? {
            var frame = StreamChannel.encode(output)
            if !tellsStatus {
                switch output {
                case .exit(0): return nil
                case .exit(let code): frame = [error] + Array("command terminated with non-zero exit code: exit status \(code)".utf8)
                case .failure(let words): frame = [error] + Array(words.utf8)
                default: break
                }
            }
            guard isBase64, let channel = frame.first else { return frame }
            return [UInt8(ascii: "0") + channel] + Array(Base64.encode(Array(frame.dropFirst())).utf8)
        }

        package func decode(_ frame: [UInt8]) -> StreamInput? {
            guard isBase64 else { return decodeInput(frame) }
            guard let digit = frame.first, digit >= UInt8(ascii: "0"),
                let bytes = Base64.decode(String(decoding: frame.dropFirst(), as: UTF8.self))
            else { return nil }
            return decodeInput([digit - UInt8(ascii: "0")] + bytes)
        }
    }
}

extension Router {
    /// What an exec or attach asks for; throws what is wrong with it.
    func wish(_ request: HTTPRequest) async throws -> (pod: Pod, wish: StreamRequest) {
        guard let target = Target(request.path, api.catalog), target.resource == .pods, let subresource = target.subresource else {
            throw StatusError.noSuchPath
        }
        let command = request.query.filter { $0.name == "command" }.map(\.value)
        if subresource == "exec", command.isEmpty {
            throw StatusError.badRequest("you must specify at least one command for the container")
        }
        let pod = Pod(try await api.get(.pods, target.key))
        if pod.nodeName == nil { throw StatusError.badRequest("pod \(pod.name) does not have a host assigned") }
        if subresource != "portforward", pod.isFinished {
            throw StatusError(500, .internalError, "cannot exec into a container in a completed pod; current phase is \(pod.phase)")
        }
        let container = subresource == "portforward" ? "" : try Router.container(request["container"], of: pod)
        var wish = StreamRequest(
            container: container, command: subresource == "exec" ? command : [], stdin: request.isTrue("stdin"), tty: request.isTrue("tty"))
        // minik's own word: Kubernetes' attach never tells what was said before.
        wish.fromStart = subresource == "attach" && request.isTrue("fromStart")
        return (pod, wish)
    }

    /// Serves an exec or attach. Every way it can fail is an output, for the connection has been upgraded already.
    func connect(_ request: HTTPRequest, input: StreamInputs, output: @escaping StreamOutputs) async throws {
        let (pod, wish): (Pod, StreamRequest)
        do { (pod, wish) = try await self.wish(request) } catch { return try await output(.failure("\(error)")) }
        do { try await nodes.services(of: pod).connect(pod, wish, input: input, output: output) } catch let error as StatusError {
            try await output(.failure("\(error)"))
        }
    }
}
