/// The object that a service account's token goes with: without it the token proves nothing any more.
struct TokenBinding {
    /// `pod`, `secret` or `node`, as the claims have it.
    let kind: String
    let name: String
    let uid: String
    /// Of a pod: where it runs.
    var node: String?
}
