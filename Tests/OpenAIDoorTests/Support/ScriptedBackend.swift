import AdminDoor
import Keys
import OpenAIDoor
import Synchronization

/// A backend that answers by a script and reports what the door asks of it.
final class ScriptedBackend: CompletionBackend {
    enum Event: Equatable, Sendable {
        case submitted(UInt64)
        case cancelled(UInt64, deliveredTokens: Int)
        case accepted(UInt64, deliveredTokens: Int)
    }

    typealias Script = @Sendable (DoorRequest, DoorStream) async -> Void

    private let script: Script
    private let health: HealthReport
    private let served: [DoorModel]
    private let questionsTaken = Mutex<[DoorTokenQuestion]>([])
    /// What questions about tokens are answered with.
    let tokensAnswer = Mutex<Result<DoorTokens, DoorFailure>>(.success(DoorTokens(tokens: [])))
    private let requestsTaken = Mutex<[DoorRequest]>([])
    private let continuation: AsyncStream<Event>.Continuation
    let events: AsyncStream<Event>

    init(health: HealthReport = .ok, models: [DoorModel] = [], script: @escaping Script) {
        self.script = script
        self.health = health
        served = models
        (events, continuation) = AsyncStream.makeStream()
    }

    /// Answers each request with these texts, one token each.
    static func saying(
        _ texts: [String], _ reason: DoorFinish.Reason = .stop, promptTokens: Int = 5, cachedTokens: Int = 2
    ) -> ScriptedBackend {
        ScriptedBackend { _, stream in
            for text in texts { stream.push(ArraySlice(text.utf8), tokenCount: 1) }
            let usage = DoorUsage(
                promptTokens: promptTokens, completionTokens: texts.count, cachedTokens: cachedTokens)
            stream.finish(.finished(DoorFinish(reason: reason, usage: usage)))
        }
    }

    static func failing(_ failure: DoorFailure) -> ScriptedBackend {
        ScriptedBackend { _, stream in stream.finish(.failed(failure)) }
    }

    var requests: [DoorRequest] { requestsTaken.withLock { $0 } }

    var questions: [DoorTokenQuestion] { questionsTaken.withLock { $0 } }

    func models() async -> [DoorModel] { served }

    func submit(_ request: DoorRequest, grant: KeyRing.Grant?, to stream: DoorStream) {
        requestsTaken.withLock { $0.append(request) }
        continuation.yield(.submitted(stream.number))
        let script = script
        Task { await script(request, stream) }
    }

    func tokens(of question: DoorTokenQuestion, grant: KeyRing.Grant?) async -> Result<DoorTokens, DoorFailure> {
        questionsTaken.withLock { $0.append(question) }
        return tokensAnswer.withLock { $0 }
    }

    func cancel(_ stream: DoorStream) {
        continuation.yield(.cancelled(stream.number, deliveredTokens: stream.deliveredTokens))
    }

    func accepted(_ stream: DoorStream) {
        continuation.yield(.accepted(stream.number, deliveredTokens: stream.deliveredTokens))
    }

    func probe() async -> HealthReport { health }
}
