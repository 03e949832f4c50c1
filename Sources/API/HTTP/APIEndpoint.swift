import Glibc
import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import TLS

/// Where an API is served, and who asks there.
package struct APIEndpoint: Sendable {
    enum Place: Sendable {
        case socket(String)
        case network(Authority, TLSContext, serverName: String)
    }

    /// What stands between `https://` and the path of a URL.
    package struct Authority: Sendable, Equatable, CustomStringConvertible {
        package let host: String
        package let port: Int
        package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

        package init(host: String, port: Int) { (self.host, self.port) = (host, port) }
    }

    /// A client's certificate and its key, as PEM.
    package struct Identity: Sendable {
        let certificate: String
        let key: String
        package init(certificate: String, key: String) { (self.certificate, self.key) = (certificate, key) }
    }

    /// Whose certificates are the server's.
    package enum Trust: Sendable {
        /// Those that these authorities signed (PEM, one or more).
        case authorities(String)
        /// Those that the machine itself trusts.
        case machine
        /// Any: `insecure-skip-tls-verify`.
        case anyone
    }

    let place: Place
    /// What stands before each path: servers behind a proxy have one.
    let prefix: String
    /// Asked for with each request: a token that is renewed is read again.
    let token: (@Sendable () throws -> String)?

    /// A daemon's Unix socket: whoever can open it is root.
    package init(socketPath: String) { (place, prefix, token) = (.socket(socketPath), "", nil) }

    /// A server on the network.
    ///
    /// `serverName` is the name that the certificate has to bear where it is not the host's (`tls-server-name`).
    package init(
        _ authority: Authority, prefix: String = "", trust: Trust, serverName: String? = nil, identity: Identity? = nil,
        token: (@Sendable () throws -> String)? = nil
    ) throws {
        let context =
            switch trust {
            case .authorities(let pem): try TLSContext(authorities: pem, identity: try identity?.pair)
            case .machine: try TLSContext(authorities: nil, identity: try identity?.pair)
            case .anyone: try TLSContext(trustingAnyone: try identity?.pair)
            }
        place = .network(authority, context, serverName: serverName ?? authority.host)
        self.prefix = prefix
        self.token = token
    }

    /// As a URL's server: `https://10.0.0.1:6443`; a port that is missing is 443.
    ///
    /// Throws a sentence that names the URL when it is none, or not https.
    package static func authority(of url: String) throws -> (authority: Authority, prefix: String) {
        struct NotServer: Error, CustomStringConvertible { let description: String }
        guard url.hasPrefix("https://") else {
            throw NotServer(description: "the server \"\(url)\" is no https:// address: minik sends no credentials in the clear")
        }
        let rest = url.dropFirst("https://".count)
        let name = rest.prefix { $0 != "/" }
        var prefix = String(rest.dropFirst(name.count))
        while prefix.hasSuffix("/") { prefix.removeLast() }
        let isBracketed = name.hasPrefix("[")
        let host = isBracketed ? name.dropFirst().prefix { $0 != "]" } : name.prefix { $0 != ":" }
        let after = name.dropFirst(host.count + (isBracketed ? 2 : 0))
        let port = after.isEmpty ? 443 : after.hasPrefix(":") ? Int(after.dropFirst()) : nil
        guard !host.isEmpty, !host.contains("@"), !isBracketed || name.contains("]"), let port, (1...65535).contains(port) else {
            throw NotServer(description: "the server \"\(url)\" is no address of the form https://HOST:PORT")
        }
        return (Authority(host: String(host), port: port), prefix)
    }
}

extension APIEndpoint: CustomStringConvertible {
    package var description: String {
        switch place {
        case .socket(let path): path
        case .network(let authority, _, _): "https://\(authority)\(prefix)"
        }
    }
}

extension APIEndpoint.Identity {
    fileprivate var pair: (certificate: Certificate, key: PrivateKey) {
        get throws { (try Certificate(pem: certificate), try PrivateKey(pem: key)) }
    }
}

extension APIEndpoint {
    /// What a request says of who asks, and whom.
    func headers() throws -> HTTPHeaders {
        var headers: HTTPHeaders = ["Host": "minik"]
        if case .network(let authority, _, _) = place { headers.replaceOrAdd(name: "Host", value: "\(authority)") }
        if let token { headers.add(name: "Authorization", value: "Bearer \(try token())") }
        return headers
    }

    /// Connects, and puts into the pipeline what `configure` does behind TLS.
    func connect<Connection: Sendable>(_ configure: @escaping @Sendable (any Channel) throws -> Connection) async throws -> Connection {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        do {
            switch place {
            case .socket(let path):
                return try await bootstrap.connect(unixDomainSocketPath: path) { channel in
                    channel.eventLoop.makeCompletedFuture { try configure(channel) }
                }
            case .network(let authority, let context, let name):
                return try await bootstrap.connect(host: authority.host, port: authority.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(TLSHandler(context, expecting: name))
                        return try configure(channel)
                    }
                }
            }
        } catch let error as IOError {
            throw HTTPClient.Unreachable("\(self)", String(cString: strerror(error.errnoCode)))
        } catch let error as NIOConnectionError {
            throw HTTPClient.Unreachable("\(self)", error.reason)
        } catch ChannelError.connectTimeout {
            throw HTTPClient.Unreachable("\(self)", "no answer within 10 seconds")
        }
    }
}

extension NIOConnectionError {
    /// Of all addresses that the name has, what the last one said; else why the name has none.
    fileprivate var reason: String {
        if let last = connectionErrors.last?.error {
            if let system = last as? IOError { return String(cString: strerror(system.errnoCode)) }
            if case ChannelError.connectTimeout = last { return "no answer within 10 seconds" }
            return "\(last)"
        }
        return "\(host) has no address"
    }
}
