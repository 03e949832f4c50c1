extension Duration {
    /// As Go prints it, to the millisecond: 796ms, 1.2s, 1m0.5s. (time.Duration.String)
    package var goText: String {
        let (seconds, attoseconds) = components
        let all = Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
        guard all >= 1000 else { return all <= 0 ? "0s" : "\(all)ms" }
        let digits = String(1000 + all % 1000).dropFirst()
        let fraction = all % 1000 == 0 ? "" : "." + String(digits.reversed().drop { $0 == "0" }.reversed())
        let whole = all / 1000, hours = whole / 3600, minutes = whole / 60 % 60
        return (hours > 0 ? "\(hours)h" : "") + (whole >= 60 ? "\(minutes)m" : "") + "\(whole % 60)\(fraction)s"
    }
}
