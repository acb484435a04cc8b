import Line
import Tables
import Telemetry
import Tokenization
import Wire

/// Requests on their way to a worker, and to another one when that is lost.
extension Tokenizer {
    /// Sends a stream to a worker, or ends it when nothing is left to make.
    mutating func generate(_ key: UInt64, atFront: Bool, _ now: LinkTime) {
        guard let stream = streams[key] else { return }
        if stream.isCancelled { return end(key, stream, .cancelled, now) }
        guard now < stream.deadline else { return failOverdue(key, stream, now) }
        if stream.answer.isStopped { return end(key, stream, .stop, now) }
        if stream.limits.maximumTokens > 0, stream.remaining <= 0 { return end(key, stream, .length, now) }
        let outcome = workers.submit(
            key, affinity: stream.affinity,
            share: TenantShare(
                tenant: stream.tenant, stream.options, cost: stream.prompt.count + max(0, stream.remaining)),
            atFront: atFront, now: now)
        if case .refused(let status) = outcome { fail(key, stream, status, "No worker takes requests now.", now) }
    }

    mutating func dispatch(_ key: UInt64, to session: SessionRef, handle: UInt32, _ now: LinkTime) {
        guard let stream = streams[key] else { return }
        guard now < stream.deadline else {
            workers.notSent(handle, in: session)
            return failOverdue(key, stream, now)
        }
        generateFrame.handle = handle
        generateFrame.requestID = stream.requestID
        generateFrame.ingestAttempt = stream.ingestAttempt
        generateFrame.tokenizerAttempt = stream.attempt
        generateFrame.generatedCount = UInt32(stream.generated.count)
        generateFrame.sampling = stream.sampling
        generateFrame.limits = stream.limits
        generateFrame.options = stream.options
        generateFrame.options.timeLeft = stream.deadline == .max ? 0 : stream.deadline - now
        generateFrame.wantsHops = stream.wantsHops
        generateFrame.tenant = stream.tenant
        generateFrame.model = stream.model
        generateFrame.tokens.removeAll(keepingCapacity: true)
        generateFrame.tokens += stream.prompt
        generateFrame.tokens += stream.generated
        generateFrame.digest = TokenDigest.of(generateFrame.tokens)
        var generate = Generate()
        swap(&generate, &generateFrame)
        defer { swap(&generate, &generateFrame) }
        do throws(WireError) {
            try outbox.send(on: Self.workerLink, session, &workers, now: now) { frame, version throws(WireError) in
                try generate.encode(into: &frame, session: session.session, version: version)
            }
        } catch {
            outbox.log(.error, "tokenizer: request does not fit a frame", ["error": "\(error)"])
            workers.notSent(handle, in: session)
            return fail(key, stream, .promptTooLong, "The prompt is too long for the line.", now)
        }
        stream.digest = generate.digest
        stream.hasFirstRow = false
        stream.receivedInAttempt = 0
        stream.stamps.downSent = now
    }

    mutating func lost(_ key: UInt64, by worker: PeerInfo?, _ reason: LossReason, _ now: LinkTime) {
        guard let stream = streams[key] else { return }
        if case .sessionEnded = reason {
            counters.lostAttempts += 1
            outbox.record(
                LedgerEvent(
                    kind: .lostAttempt, requestID: stream.requestID, ingestAttempt: stream.ingestAttempt,
                    tokenizerAttempt: stream.attempt, producerRole: .tokenizer, producer: worker?.epoch ?? 0,
                    outcome: .lost,
                    promptTokens: UInt32(stream.prompt.count), cachedTokens: stream.cachedTokens,
                    producedTokens: stream.receivedInAttempt, wallTime: 0, tenant: stream.tenant,
                    model: stream.model, worker: worker?.name ?? ""))
        }
        if stream.isAnswered {
            streams.remove(key)
            return
        }
        guard stream.attempt < Self.maximumAttempts else {
            return fail(key, stream, .unavailable, "Worker after worker was lost with this request.", now)
        }
        stream.attempt += 1
        generate(key, atFront: true, now)
    }

    private static var maximumAttempts: UInt16 { 4 }

    /// Ends the worker's part of a stream that needs no more of it.
    mutating func cancelBelow(_ key: UInt64) {
        switch workers.cancel(key) {
        case .removed, .unknown: streams.remove(key)
        case .passedOn: break
        }
    }
}
