import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import TLS

/// What a responder answers, over HTTP/1.1: on a Unix socket to root, and with TLS on TCP; with WebSockets and SPDY for streams.
package struct HTTPServer: Sendable {
    typealias Exchange = NIOAsyncChannel<ConnectionInput, ConnectionOutput>
    typealias Writer = ConnectionWriter

    /// Where to listen.
    package enum Listener: Sendable {
        /// Whoever can open the socket is root.
        case unix(String)
        case tcp(host: String, port: Int, TLSContext)
        /// A bound socket, from whichever network namespace.
        case socket(Int32, TLSContext)
        /// The same in the clear, for answers that are anybody's.
        case plain(Int32)
    }

    /// Kubernetes' own limit of a request's body.
    static let largestBody = 3 * 1024 * 1024
    /// Seconds for a request to come in whole, for its work, and between requests.
    static let patience = 60, idle = 300
    /// What may wait to be sent on a connection before who sends has to wait.
    private static let unsent = ChannelOptions.Types.WriteBufferWaterMark(low: 16 * 1024, high: 32 * 1024)

    /// TCP_NOTSENT_LOWAT (tcp(7)), and the bytes that the kernel takes before the client takes them: without it, 4 MB for each that
    /// does not read.
    private static let notSent = (option: ChannelOptions.Types.SocketOption(level: .tcp, name: .init(rawValue: 25)), most: 128 * 1024)

    private let responder: any Responder
    private let bodies = RequestBytes()
    private let threads: MultiThreadedEventLoopGroup

    /// `other`: a server whose thread does for this one, too.
    package init(_ responder: any Responder, sharing other: HTTPServer? = nil) {
        self.responder = responder
        threads = other?.threads ?? MultiThreadedEventLoopGroup(numberOfThreads: 1)
    }

    /// Serves until cancelled. `ready` is called once connections are accepted, with the port of a TCP listener.
    package func run(on listener: Listener, ready: @Sendable (_ port: Int?) -> Void) async throws {
        let bootstrap = ServerBootstrap(group: threads)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: Self.unsent)
        if case .unix = listener {} else { _ = bootstrap.childChannelOption(Self.notSent.option, value: Self.notSent.most) }
        let server: NIOAsyncChannel<(Exchange, Peer), Never>
        switch listener {
        case .unix(let path):
            server = try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true) { configure($0, tls: nil) }
        case .tcp(let host, let port, let context):
            server = try await bootstrap.bind(host: host, port: port) { configure($0, tls: context) }
        case .socket(let descriptor, let context):
            server = try await bootstrap.bind(descriptor) { configure($0, tls: context) }
        case .plain(let descriptor):
            server = try await bootstrap.bind(descriptor) { configure($0, tls: nil) }
        }
        ready(server.channel.localAddress?.port)
        // Cancelled, it stops listening and takes what has been accepted: NIO ends a process that drops a connection nobody has taken.
        let serving = Task { try await serve(server) }
        try await withTaskCancellationHandler {
            try await serving.value
        } onCancel: {
            server.channel.close(promise: nil)
        }
        try Task.checkCancellation()
    }

    /// Serves until the listener is closed; then the connections end, too.
    private func serve(_ server: NIOAsyncChannel<(Exchange, Peer), Never>) async throws {
        try await withThrowingDiscardingTaskGroup { tasks in
            try await server.executeThenClose { connections in
                for try await (exchange, peer) in connections {
                    tasks.addTask {
                        let connection = ServedConnection(responder: responder, exchange: exchange, peer: peer, bodies: bodies)
                        // A connection that breaks is its client's affair, not the server's.
                        do { try await connection.serve() } catch { exchange.channel.close(promise: nil) }
                    }
                }
            }
            tasks.cancelAll()
        }
    }

    /// Who is on the other side: by the socket itself, or by the certificate of the handshake.
    struct Peer: Sendable {
        let isLocal: Bool
        let tls: TLSPeer
        /// Ends a connection that keeps the server waiting.
        let deadline: Deadline

        var user: UserInfo? {
            if isLocal { return .root }
            return tls.subject.map { UserInfo(name: $0.commonName, groups: $0.organizations + [UserInfo.authenticated]) }
        }
    }

    private func configure(_ channel: any Channel, tls: TLSContext?) -> EventLoopFuture<(Exchange, Peer)> {
        channel.eventLoop.makeCompletedFuture {
            let peer = Peer(isLocal: tls == nil, tls: TLSPeer(), deadline: Deadline(channel, seconds: Self.patience))
            if let tls { try channel.pipeline.syncOperations.addHandler(TLSHandler(tls, peer: peer.tls)) }
            try ConnectionPipeline.install(in: channel)
            return (
                try Exchange(
                    wrappingChannelSynchronously: channel,
                    configuration: .init(backPressureStrategy: .init(lowWatermark: 1, highWatermark: 2))), peer
            )
        }
    }
}

/// Closes a connection that does not get on: one that sends its request a byte a minute holds no place for ever.
final class Deadline: Sendable {
    private let channel: any Channel
    private let task = Mutex<Scheduled<Void>?>(nil)

    init(_ channel: any Channel, seconds: Int) {
        self.channel = channel
        set(seconds: seconds)
    }

    /// Closes in so many seconds; with `word` it is said before.
    func set(seconds: Int, word: [ConnectionOutput] = []) {
        let next = channel.eventLoop.scheduleTask(in: .seconds(Int64(seconds))) { [channel] in
            for part in word { channel.write(part, promise: nil) }
            channel.flush()
            channel.close(promise: nil)
        }
        task.withLock {
            $0?.cancel()
            $0 = next
        }
    }

    func lift() {
        task.withLock {
            $0?.cancel()
            $0 = nil
        }
    }
}
