/// How many of the numbers that dice are thrown for each of some shares gets, so that chances are as the weights.
enum WeightedSlots {
    /// As many numbers as are worth a map's room; more where there are many endpoints.
    private static let most = 1024

    /// `count`: among how many endpoints a share is divided, 0 of one that is refused. Exact where few numbers are enough for it, else with
    /// an error of less than one number, and no share without any.
    static func divide(_ shares: [(weight: Int, count: Int)]) -> [Int] {
        let total = shares.reduce(0) { $0 + $1.weight }
        if total == 0 { return shares.map { _ in 0 } }
        if let exact = exact(shares) { return exact }
        let room = min(max(most, 4 * shares.reduce(0) { $0 + $1.count }), 4096)
        return shares.map { $0.weight == 0 ? 0 : max(1, (2 * $0.weight * room + total) / (2 * total)) }
    }

    /// The least numbers that are a multiple of each share's endpoints and in proportion to the weights; nil: they are too many.
    private static func exact(_ shares: [(weight: Int, count: Int)]) -> [Int]? {
        var multiple = 1
        for share in shares where share.weight > 0 {
            // Endpoints whose number divides the weight need no more of them.
            let needed = share.count / divisor(share.count, share.weight)
            if needed > 0 { multiple = multiple / divisor(multiple, needed) * needed }
            if multiple > most { return nil }
        }
        let slots = shares.map { $0.weight * multiple }
        var common = 0
        for (share, count) in zip(shares, slots) where count > 0 {
            common = divisor(common, count / max(share.count, 1))
        }
        let least = slots.map { common > 0 ? $0 / common : $0 }
        return least.reduce(0, +) <= most ? least : nil
    }

    /// The greatest common divisor.
    private static func divisor(_ a: Int, _ b: Int) -> Int { b == 0 ? max(a, 1) : divisor(b, a % b) }
}
