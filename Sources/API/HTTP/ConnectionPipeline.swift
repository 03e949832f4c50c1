import NIOCore
import NIOHTTP1
import NIOWebSocket

/// What comes in on a connection: HTTP's parts, and after an upgrade bytes or frames.
enum ConnectionInput: Sendable {
    case part(HTTPServerRequestPart)
    case bytes(ByteBuffer)
    case frame(WebSocketFrame)
}

/// What goes out, and the changes of what the connection is.
enum ConnectionOutput: Sendable {
    case head(HTTPResponseHead)
    case body(ByteBuffer)
    case end
    /// The answer that accepts an upgrade, and the upgrade, in one: what the client says next is nothing to HTTP.
    case becomeBytes(HTTPResponseHead)
    case becomeWebSocket(HTTPResponseHead)
    case bytes(ByteBuffer)
    case frame(WebSocketFrame)
}

/// The handlers of a connection. NIO's own upgrade handlers take a connection's first request only; clients that keep their
/// connections upgrade a later one as well.
enum ConnectionPipeline {
    private static let largestFrame = 4 << 20
    private static let largestHead = 256 * 1024

    static func install(in channel: any Channel) throws {
        let operations = channel.pipeline.syncOperations
        let encoder = HTTPResponseEncoder()
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderListSize = largestHead
        let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
        let errors = HTTPServerProtocolErrorHandler()
        try operations.addHandler(encoder)
        try operations.addHandler(decoder)
        try operations.addHandler(errors)
        try operations.addHandler(HTTPSide(others: [decoder, encoder, errors]))
    }

    /// While the connection speaks HTTP.
    private final class HTTPSide: ChannelDuplexHandler, RemovableChannelHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias InboundOut = ConnectionInput
        typealias OutboundIn = ConnectionOutput
        typealias OutboundOut = HTTPServerResponsePart

        private let others: [any RemovableChannelHandler]

        init(others: [any RemovableChannelHandler]) { self.others = others }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.fireChannelRead(wrapInboundOut(.part(unwrapInboundIn(data))))
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            switch unwrapOutboundIn(data) {
            case .head(let head): context.write(wrapOutboundOut(.head(head)), promise: promise)
            case .body(let bytes): context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: promise)
            case .end: context.write(wrapOutboundOut(.end(nil)), promise: promise)
            case .becomeBytes(let head): become([BytesSide()], head, context, promise)
            case .becomeWebSocket(let head):
                become(
                    [WebSocketFrameEncoder(), ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: largestFrame)), FrameSide()], head,
                    context, promise)
            case .bytes, .frame: promise?.fail(ChannelError.inappropriateOperationForState)
            }
        }

        private func become(
            _ handlers: [any ChannelHandler], _ head: HTTPResponseHead, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?
        ) {
            let operations = context.pipeline.syncOperations
            do {
                try operations.addHandlers(handlers, position: .after(self))
                context.write(wrapOutboundOut(.head(head)), promise: nil)
                context.write(wrapOutboundOut(.end(nil)), promise: nil)
                context.flush()
                // Those behind the decoder first: what it has left over is for the new handlers.
                operations.removeHandler(self, promise: nil)
                for other in others.reversed() { operations.removeHandler(other, promise: nil) }
                promise?.succeed()
            } catch { promise?.fail(error) }
        }
    }

    private final class BytesSide: ChannelDuplexHandler {
        typealias InboundIn = ByteBuffer
        typealias InboundOut = ConnectionInput
        typealias OutboundIn = ConnectionOutput
        typealias OutboundOut = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.fireChannelRead(wrapInboundOut(.bytes(unwrapInboundIn(data))))
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            guard case .bytes(let bytes) = unwrapOutboundIn(data) else {
                return promise?.fail(ChannelError.inappropriateOperationForState) ?? ()
            }
            context.write(wrapOutboundOut(bytes), promise: promise)
        }
    }

    private final class FrameSide: ChannelDuplexHandler {
        typealias InboundIn = WebSocketFrame
        typealias InboundOut = ConnectionInput
        typealias OutboundIn = ConnectionOutput
        typealias OutboundOut = WebSocketFrame

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.fireChannelRead(wrapInboundOut(.frame(unwrapInboundIn(data))))
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            guard case .frame(let frame) = unwrapOutboundIn(data) else {
                return promise?.fail(ChannelError.inappropriateOperationForState) ?? ()
            }
            context.write(wrapOutboundOut(frame), promise: promise)
        }
    }
}
