import CFloor
import Transport

/// The measuring side of a bare libzmq ping-pong or relay chain.
///
/// Invariant: `raw` is open until `deinit`. Belongs to one thread at a time.
@safe final class FloorCaller {
    private let raw: OpaquePointer

    private init(_ raw: OpaquePointer) { unsafe self.raw = raw }

    deinit { unsafe cf_caller_close(raw) }

    /// A ROUTER that is bound; the secret is a CURVE key in Z85.
    static func bound(to endpoint: String, secret: String? = nil) throws(BenchError) -> FloorCaller {
        let raw: OpaquePointer? =
            if let secret { unsafe cf_caller_bind(endpoint, secret) } else { unsafe cf_caller_bind(endpoint, nil) }
        guard let raw = unsafe raw else { throw .floorFailed() }
        return unsafe FloorCaller(raw)
    }

    /// A DEALER that connects; with keys over CURVE, the same ones on both sides.
    static func connected(to endpoint: String, keys: KeyPair? = nil) throws(BenchError) -> FloorCaller {
        let raw: OpaquePointer? =
            if let keys {
                unsafe cf_caller_connect(endpoint, keys.publicKey.z85, keys.secretKey.z85)
            } else {
                unsafe cf_caller_connect(endpoint, nil, nil)
            }
        guard let raw = unsafe raw else { throw .floorFailed() }
        return unsafe FloorCaller(raw)
    }

    var endpoint: String { unsafe String(cString: cf_caller_endpoint(raw)) }

    /// Starts the answering side as a thread.
    func startEcho() throws(BenchError) {
        guard unsafe cf_caller_start_echo(raw) == 0 else { throw .floorFailed() }
    }

    /// Waits for the answering side.
    func awaitEcho() throws(BenchError) {
        guard unsafe cf_caller_wait(raw, 10_000) == 0 else { throw .floorFailed() }
    }

    /// Blocks until the round is over.
    func run(_ round: ExchangeRound, down: Int, up: Int) throws(BenchError) -> ExchangeResult {
        var settings = cf_round(
            down: down, up: up, warmup: UInt32(round.warmup), count: UInt32(round.count),
            window: UInt32(round.window), pause_us: round.pauseMicroseconds)
        var outcome = cf_outcome()
        var samples = [UInt64](repeating: 0, count: round.count)
        guard unsafe cf_caller_run(raw, &settings, &samples, &outcome) == 0 else { throw .floorFailed() }
        return ExchangeResult(samples: samples, elapsed: outcome.elapsed_ns)
    }
}
