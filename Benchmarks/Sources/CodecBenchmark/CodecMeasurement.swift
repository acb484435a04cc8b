import BenchmarkSupport

/// What one codec took for one message.
struct CodecFigures: Codable {
    let message: String
    let codec: String
    let bytes: Int
    /// Nanoseconds per operation.
    let encode: Spread
    let decode: Spread
    let both: Spread
    /// Heap allocations per operation.
    let encodeAllocations: Double
    let decodeAllocations: Double
    /// `both` by Wire's of the same round.
    let ratioToWire: Spread
}

/// Times codecs in turns: each round runs every one, beginning with another each time.
struct CodecMeasurement {
    let rounds: Int
    /// Nanoseconds that one timing should take.
    let span: Double

    func run(_ comparison: Comparison) throws -> [CodecFigures] {
        let cases = comparison.cases
        for item in cases where try !item.isFaithful() {
            throw BenchmarkError.unfaithful("\(comparison.message), \(item.codec)")
        }
        let encodes = try cases.map { item in try times { try item.encode($0) } }
        let decodes = try cases.map { item in try times { try item.decode($0) } }
        var encode = cases.map { _ in [Double]() }
        var decode = encode
        for round in 0..<rounds {
            for step in cases.indices {
                let index = (round + step) % cases.count
                encode[index].append(try time(encodes[index]) { try cases[index].encode($0) })
                decode[index].append(try time(decodes[index]) { try cases[index].decode($0) })
            }
        }
        return try cases.indices.map { index in
            let item = cases[index]
            let both = zip(encode[index], decode[index]).map { $0 + $1 }
            let wire = zip(encode[0], decode[0]).map { $0 + $1 }
            return CodecFigures(
                message: comparison.message, codec: item.codec, bytes: item.byteCount, encode: Spread(encode[index]),
                decode: Spread(decode[index]), both: Spread(both),
                encodeAllocations: Double(try AllocationCheck.count { try item.encode(100) }) / 100,
                decodeAllocations: Double(try AllocationCheck.count { try item.decode(100) }) / 100,
                ratioToWire: Spread(zip(both, wire).map { $0 / $1 }))
        }
    }

    /// Nanoseconds per operation of so many.
    func time(_ times: Int, _ body: (Int) throws -> Void) rethrows -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        try body(times)
        return (clock.now - start).nanoseconds / Double(times)
    }

    /// How many operations take about `span`; warms up besides.
    func times(_ body: (Int) throws -> Void) rethrows -> Int {
        var times = 1
        while true {
            let each = try time(times, body)
            if each * Double(times) >= span / 4 { return max(1, Int(span / each)) }
            times *= 2
        }
    }
}

extension Duration {
    fileprivate var nanoseconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) * 1e9 + Double(attoseconds) * 1e-9
    }
}
