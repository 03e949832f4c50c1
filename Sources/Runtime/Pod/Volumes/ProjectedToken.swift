import Model

/// A service account's token in a volume: for whom it is, how long it is good, and when the next one is due.
/// (kubernetes.io/docs/concepts/storage/projected-volumes, "serviceAccountToken projected volumes"; pkg/kubelet/token)
package struct ProjectedToken: Sendable, Hashable {
    package let path: String
    package let audiences: [String]
    /// What was asked for.
    package let seconds: Int

    /// What admission writes into every pod; the API extends those, for clients that never read their token again.
    private static let admitted = 3607
    private static let year = 365 * 86400, day = 86400
    package static let shortestPause = 10

    package init(_ source: JSON) {
        path = source["path"].string ?? "token"
        audiences = source["audience"].string.flatMap { $0.isEmpty ? nil : [$0] } ?? []
        seconds = source["expirationSeconds"].int ?? 3600
    }

    /// How long the token is good.
    package var life: Int { seconds == Self.admitted && audiences.isEmpty ? Self.year : seconds }

    /// Seconds until the next one is due: four fifths of what was asked for, a day at most; never again at once.
    package func remaining(_ token: [UInt8], now: Timestamp) -> Int {
        guard let issued = Self.issued(token) else { return Self.shortestPause }
        return max(Self.shortestPause, issued + min(seconds * 4 / 5, Self.day) - now.seconds)
    }

    package func isStale(_ token: [UInt8], now: Timestamp) -> Bool {
        guard let issued = Self.issued(token) else { return true }
        return now.seconds >= issued + min(seconds * 4 / 5, Self.day)
    }

    /// When a JSON Web Token says that it was made.
    private static func issued(_ token: [UInt8]) -> Int? {
        let parts = String(decoding: token, as: UTF8.self).split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        return Base64.decodeURL(String(parts[1])).flatMap { try? JSON(parsing: $0) }?["iat"].int
    }
}

extension Pod {
    /// The user that all containers run as by the pod's own words; nil when one says nothing or they differ.
    /// (pkg/volume/util FsUserFrom)
    package var commonUser: Int? {
        let users = allContainers.map { $0.json["securityContext"]["runAsUser"].int ?? spec["securityContext"]["runAsUser"].int }
        guard let first = users.first, let user = first, users.allSatisfy({ $0 == user }) else { return nil }
        return user
    }
}
