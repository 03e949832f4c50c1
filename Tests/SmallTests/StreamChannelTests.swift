import API
import Model
import Testing

@Suite("Frames of v5.channel.k8s.io")
struct StreamChannelTests {
    private func isNone<T>(_ value: T?) -> Bool { if case .none = value { true } else { false } }
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("the subprotocol is the one that clients ask for")
    func subprotocol() { #expect(StreamChannel.subprotocol == "v5.channel.k8s.io") }

    @Test(
        "older dialects tell of a success by silence, of a failure in words; base64 makes text of both",
        arguments: [("channel.k8s.io", false), ("", false), ("base64.channel.k8s.io", true)])
    func old(_ subprotocol: String, _ isText: Bool) {
        let dialect = StreamChannel.Dialect(subprotocol)
        #expect(dialect.encode(.exit(0)) == nil)
        #expect(dialect.encode(.stdout(bytes("hi"))) == (isText ? bytes("1aGk=") : [1, 0x68, 0x69]))
        #expect(dialect.encode(.failure("no")) == (isText ? bytes("3bm8=") : [3] + bytes("no")))
        guard case .stdin(let text)? = dialect.decode(isText ? bytes("0aGk=") : [0, 0x68, 0x69]) else {
            Issue.record("channel 0 is not stdin")
            return
        }
        #expect(text == bytes("hi"))
        #expect(isNone(dialect.decode(isText ? bytes("0?") : [])), "damage is nothing")
    }

    @Test("from version 4 on every end is a Status, in base64, too")
    func statuses() throws {
        for (subprotocol, isText) in [("v4.channel.k8s.io", false), ("v5.channel.k8s.io", false), ("v4.base64.channel.k8s.io", true)] {
            let frame = try #require(StreamChannel.Dialect(subprotocol).encode(.exit(0)))
            let body = isText ? try #require(Base64.decode(String(decoding: frame.dropFirst(), as: UTF8.self))) : Array(frame.dropFirst())
            #expect(frame.first == (isText ? UInt8(ascii: "3") : 3))
            #expect(try JSON(parsing: body)["status"].string == "Success")
        }
    }

    @Test("output is told apart by its first byte: 1 is stdout, 2 stderr")
    func output() throws {
        #expect(StreamChannel.encode(.stdout(bytes("hi"))) == [1, 0x68, 0x69])
        #expect(StreamChannel.encode(.stderr(bytes("hi"))) == [2, 0x68, 0x69])
        guard case .stdout(let out)? = StreamChannel.decodeOutput([1, 0x68]) else {
            Issue.record("channel 1 is not stdout")
            return
        }
        #expect(out == bytes("h"))
        guard case .stderr(let err)? = StreamChannel.decodeOutput([2]) else {
            Issue.record("channel 2 is not stderr")
            return
        }
        #expect(err.isEmpty)
    }

    @Test("stdin is channel 0, and its end the close signal of channel 0")
    func input() throws {
        #expect(StreamChannel.encode(.stdin(bytes("a"))) == [0, 0x61])
        #expect(StreamChannel.encode(StreamInput.endOfInput) == [255, 0])
        guard case .stdin(let text)? = StreamChannel.decodeInput([0, 0x61, 0x62]) else {
            Issue.record("channel 0 is not stdin")
            return
        }
        #expect(text == bytes("ab"))
        guard case .endOfInput? = StreamChannel.decodeInput([255, 0]) else {
            Issue.record("a closed channel 0 is not the end of input")
            return
        }
        #expect(isNone(StreamChannel.decodeInput([255, 1])), "only stdin can be closed by a client")
    }

    @Test("a terminal's size is JSON with Width and Height on channel 4")
    func resize() throws {
        let frame = StreamChannel.encode(.resize(rows: 24, columns: 80))
        #expect(frame.first == 4)
        let size = try JSON(parsing: frame.dropFirst())
        #expect(size["Width"].int == 80)
        #expect(size["Height"].int == 24)
        guard case .resize(let rows, let columns)? = StreamChannel.decodeInput([4] + bytes(#"{"Width":132,"Height":50}"#)) else {
            Issue.record("channel 4 is not a resize")
            return
        }
        #expect(rows == 50)
        #expect(columns == 132)
        #expect(isNone(StreamChannel.decodeInput([4] + bytes("wide"))))
    }

    @Test("a process that succeeded ends with Status Success on channel 3")
    func success() throws {
        let frame = StreamChannel.encode(.exit(0))
        #expect(frame.first == 3)
        #expect(try JSON(parsing: frame.dropFirst())["status"].string == "Success")
        guard case .exit(0)? = StreamChannel.decodeOutput(frame) else {
            Issue.record("Success is not exit code 0")
            return
        }
    }

    @Test("an exit code is the ExitCode cause of a NonZeroExitCode Status", arguments: [1, 42, 137])
    func exitCode(_ code: Int) throws {
        let frame = StreamChannel.encode(.exit(code))
        #expect(frame.first == 3)
        let status = try JSON(parsing: frame.dropFirst())
        #expect(status["status"].string == "Failure")
        #expect(status["reason"].string == "NonZeroExitCode")
        #expect(status["details"]["causes"] == json([["reason": "ExitCode", "message": .string(String(code))]]))
        guard case .exit(let decoded)? = StreamChannel.decodeOutput(frame) else {
            Issue.record("the exit code got lost")
            return
        }
        #expect(decoded == code)
    }

    @Test("a process that could not be started is a failure with its words, not an exit")
    func failure() {
        guard case .failure(let message)? = StreamChannel.decodeOutput(StreamChannel.encode(.failure("no such file: tcpdump"))) else {
            Issue.record("a failure does not come back as one")
            return
        }
        #expect(message == "no such file: tcpdump")
    }

    @Test("frames without a channel or on an unknown one are none")
    func unknown() {
        #expect(isNone(StreamChannel.decodeOutput([])))
        #expect(isNone(StreamChannel.decodeOutput([9, 1])))
        #expect(isNone(StreamChannel.decodeInput([])))
        #expect(isNone(StreamChannel.decodeInput([9, 1])))
    }
}
