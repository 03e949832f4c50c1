import Glibc
import Host
import Images
import Model
import Runtime

/// What answers like a registry that is in trouble, on this machine's loopback, for one test.
struct OddRegistry: ~Copyable {
    let host: String
    private let pid: pid_t

    struct DidNotStart: Error {}

    /// `how`: an HTTP status, with an error in JSON, or with a page; or one of the words below.
    private static let program = """
        import hashlib, http.server, json, sys, time
        how, page, kind = sys.argv[1], b"<!DOCTYPE html><html><body>Welcome</body></html>", "application/vnd.docker.distribution.manifest.v2+json"
        layer, config = b"x" * 3000, b"{}"
        digest = lambda data: "sha256:" + hashlib.sha256(data).hexdigest()
        part = lambda data, name: {"mediaType": "application/vnd.docker." + name, "size": len(data), "digest": digest(data)}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": part(config, "container.image.v1+json"),
                               "layers": [part(layer, "image.rootfs.diff.tar")]}).encode()

        class Odd(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def log_message(self, *words): pass
            def answer(self, code, body, kind="application/json", length=None):
                self.send_response(code)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", len(body) if length is None else length)
                self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(body)
            def do_GET(self):
                if how == "hang": return time.sleep(60)
                if how == "page" : return self.answer(200, page, "text/html")
                if self.path == "/v2/": return self.answer(200, b"{}")
                if how[:3].isdigit() and how.endswith("page"): return self.answer(int(how[:3]), page, "text/html")
                if how.isdigit():
                    codes = {"401": "UNAUTHORIZED", "403": "DENIED", "404": "MANIFEST_UNKNOWN", "429": "TOOMANYREQUESTS"}
                    return self.answer(int(how), json.dumps({"errors": [{"code": codes.get(how, "UNKNOWN"), "message": "so it is"}]}).encode())
                if how == "other": return self.answer(200, b"{}")
                if "/manifests/" in self.path: return self.answer(200, manifest, kind)
                if digest(config) in self.path: return self.answer(200, config)
                if how == "wrong": return self.answer(200, b"y" * 3000)
                if how == "none": return self.answer(404, b"{}")
                self.close_connection = True
                self.answer(200, b"x" * 100, length=3000)

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Odd)
        print(server.server_address[1], flush=True)
        server.serve_forever()
        """

    init(_ how: String) throws {
        (pid, host) = try Self.start(how)
    }

    private static func start(_ how: String) throws -> (pid_t, String) {
        let pipe = try Pipe(for: "a registry")
        let pid = SmallProgram.spawn(["/usr/bin/python3", "-c", program, how], environment: [], stdio: [-1, pipe.writing.number, -1])
        let said = pipe.keepReading()
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = read(said.number, &bytes, bytes.count)
        guard pid > 0, count > 0 else { throw DidNotStart() }
        return (pid, "127.0.0.1:\(String(decoding: bytes.prefix(count), as: UTF8.self).split(separator: "\n")[0])")
    }

    deinit {
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }

    /// What is said to whoever pulls `app:1` from it.
    func complaint(_ store: ImageStore, patience: Int) -> (message: String, hint: String) {
        do {
            let pull = try RegistryPull(store: store, access: RegistryAccess(isInsecure: true), patience: patience) {}
            guard let reference = ImageReference("\(host)/app:1") else { return ("no reference", "") }
            _ = try pull.run(reference)
            return ("it went well", "")
        } catch let error as ImageError { return (error.message, error.hint ?? "") } catch { return ("\(error)", "") }
    }
}
