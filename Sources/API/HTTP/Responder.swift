import Model

/// What an HTTP server serves: the API, or a page. Who asks, and whether they may, is known before anything of a body is kept.
package protocol Responder: Sendable {
    /// Who asks, if they may.
    func admit(_ request: HTTPRequest) async throws -> UserInfo
    /// The answer to one who may ask.
    func respond(_ request: HTTPRequest, as user: UserInfo) async -> HTTPResponse
    /// Where what is large is worked on.
    var threads: RequestThreads { get }
    /// What makes a stream of a connection whose request asks for one; nil where nothing does. `close` closes the connection.
    func streams(close: @escaping @Sendable () -> Void) -> StreamServer?
}

extension Responder {
    package func streams(close: @escaping @Sendable () -> Void) -> StreamServer? { nil }
}

/// A part of the API that is no object's: reviews, metrics, minik's own paths.
package protocol PathResponder: Sendable {
    /// nil: the path is none of this part's.
    func respond(_ request: HTTPRequest, _ user: UserInfo) async throws -> HTTPResponse?
}
