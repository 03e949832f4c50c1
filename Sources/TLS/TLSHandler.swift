import COpenSSL
import NIOCore
import Synchronization

/// Who is at the other end of a connection, once its handshake is through.
package final class TLSPeer: Sendable {
    private let held = Mutex<(commonName: String, organizations: [String])?>(nil)
    private let refused = Mutex(false)

    package init() {}

    /// The subject of the client's certificate, if it gave one that the authority signed.
    package var subject: (commonName: String, organizations: [String])? { held.withLock { $0 } }
    /// It gave a certificate, and the authority did not sign it.
    package var isRefused: Bool { refused.withLock { $0 } }
    func refuse() { refused.withLock { $0 = true } }
    func set(_ subject: (commonName: String, organizations: [String])) { held.withLock { $0 = subject } }
}

/// TLS between a socket and the rest of a pipeline: what OpenSSL reads and writes goes through memory.
package final class TLSHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer
    package typealias OutboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private let ssl: OpaquePointer
    /// What came from the network, and what is to go there; the SSL owns both.
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    private let peer: TLSPeer
    private var isEstablished = false
    private var isClosed = false
    /// Written before the handshake was through.
    private var waiting: [(ByteBuffer, EventLoopPromise<Void>?)] = []
    private var scratch = [UInt8](repeating: 0, count: 16 * 1024)

    private let isClient: Bool

    /// `expecting`: the name or address that a server's certificate has to bear, where the context verifies it.
    package init(_ context: TLSContext, peer: TLSPeer = TLSPeer(), expecting name: String? = nil) throws(TLSError) {
        guard let ssl = SSL_new(context.context), let incoming = BIO_new(BIO_s_mem()), let outgoing = BIO_new(BIO_s_mem()) else {
            throw TLSError("begin a TLS connection")
        }
        SSL_set_bio(ssl, incoming, outgoing)
        isClient = context.isClient
        if isClient { SSL_set_connect_state(ssl) } else { SSL_set_accept_state(ssl) }
        (self.ssl, self.incoming, self.outgoing, self.peer) = (ssl, incoming, outgoing, peer)
        if let name, minik_expect_name(ssl, name) != 1 { throw TLSError("expect a certificate for \(name)") }
    }

    deinit { SSL_free(ssl) }

    /// A client speaks first.
    package func channelActive(context: ChannelHandlerContext) {
        if isClient { shakeHands(context) }
        context.fireChannelActive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        buffer.withUnsafeReadableBytes { bytes in _ = BIO_write(incoming, bytes.baseAddress, Int32(bytes.count)) }
        if !isEstablished { shakeHands(context) }
        if isEstablished { deliver(context) }
    }

    private func shakeHands(_ context: ChannelHandlerContext) {
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        send(context)
        guard result == 1 else {
            guard SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ else { return }
            // Who asks is told why; to a server, a client that goes away in the middle is no news.
            if isClient { context.fireErrorCaught(TLSError(handshakeOf: ssl)) }
            fail(context)
            return
        }
        isEstablished = true
        if !isClient, let x509 = minik_peer_certificate(ssl) {
            let certificate = Certificate(owned: x509)
            if SSL_get_verify_result(ssl) == Int(X509_V_OK) { peer.set(certificate.subject) } else { peer.refuse() }
        }
        let queued = waiting
        waiting = []
        for (buffer, promise) in queued { encrypt(buffer, promise, context) }
        context.flush()
    }

    private func deliver(_ context: ChannelHandlerContext) {
        while !isClosed {
            ERR_clear_error()
            let count = SSL_read(ssl, &scratch, Int32(scratch.count))
            if count > 0 {
                context.fireChannelRead(wrapInboundOut(context.channel.allocator.buffer(bytes: scratch[..<Int(count)])))
                continue
            }
            switch SSL_get_error(ssl, count) {
            case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
                send(context)
                return
            case SSL_ERROR_ZERO_RETURN:
                // The other side has said all; like a half-closed socket to those behind us.
                isClosed = true
                context.close(promise: nil)
                return
            default:
                fail(context)
                return
            }
        }
    }

    package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let buffer = unwrapOutboundIn(data)
        if isEstablished { encrypt(buffer, promise, context) } else { waiting.append((buffer, promise)) }
    }

    private func encrypt(_ buffer: ByteBuffer, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        guard !isClosed, buffer.readableBytes > 0 else {
            isClosed ? promise?.fail(ChannelError.ioOnClosedChannel) : promise?.succeed()
            return
        }
        ERR_clear_error()
        let written = buffer.withUnsafeReadableBytes { SSL_write(ssl, $0.baseAddress, Int32($0.count)) }
        guard written == buffer.readableBytes else {
            promise?.fail(TLSError("write"))
            return fail(context)
        }
        context.write(wrapOutboundOut(drain(context)), promise: promise)
    }

    /// What OpenSSL has for the network.
    private func drain(_ context: ChannelHandlerContext) -> ByteBuffer {
        var out = context.channel.allocator.buffer(capacity: Int(BIO_ctrl_pending(outgoing)))
        while case let count = BIO_read(outgoing, &scratch, Int32(scratch.count)), count > 0 { out.writeBytes(scratch[..<Int(count)]) }
        return out
    }

    private func send(_ context: ChannelHandlerContext) {
        let out = drain(context)
        if out.readableBytes > 0 { context.writeAndFlush(wrapOutboundOut(out), promise: nil) }
    }

    private func fail(_ context: ChannelHandlerContext) {
        guard !isClosed else { return }
        isClosed = true
        send(context)
        ERR_clear_error()
        for (_, promise) in waiting { promise?.fail(ChannelError.ioOnClosedChannel) }
        waiting = []
        context.close(promise: nil)
    }

    package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if isEstablished, !isClosed {
            SSL_shutdown(ssl)
            send(context)
        }
        isClosed = true
        context.close(mode: mode, promise: promise)
    }

    package func channelInactive(context: ChannelHandlerContext) {
        isClosed = true
        for (_, promise) in waiting { promise?.fail(ChannelError.ioOnClosedChannel) }
        waiting = []
        context.fireChannelInactive()
    }
}
