/// Limits of a scheduler.
public struct SchedulerSettings: Equatable, Sendable {
    /// The most tokens in a step: one for each decoding request, the rest for prompts.
    public var tokenBudget: Int
    /// Cells of the engine's KV cache.
    public var contextCells: Int
    /// The engine's sequences, of running and of retained requests together.
    public var maximumSequences: Int
    /// The most requests that run at the same time.
    public var maximumRunning: Int
    /// The most tokens, prompt and answer, of one request.
    public var contextLength: Int
    /// Ids are below this.
    public var vocabularySize: Int
    /// Cells that finished requests may keep for prompts that begin as they did; 0 turns prefix reuse off.
    public var retainedCells: Int
    /// A common prefix shorter than this is computed again.
    public var minimumSharedTokens: Int
    /// Beginnings of prompts that all tenants share, as the operator lists them: that one of these is cached tells a
    /// tenant nothing of another's own words.
    public var commonPrefixes: [[UInt32]] = []
    /// After this many steps without room, no younger request passes one that waits.
    public var patience: Int

    public init(
        tokenBudget: Int = 512, contextCells: Int, maximumSequences: Int, maximumRunning: Int? = nil,
        contextLength: Int? = nil, vocabularySize: Int, retainedCells: Int? = nil, minimumSharedTokens: Int = 8,
        patience: Int = 64
    ) {
        self.tokenBudget = tokenBudget
        self.contextCells = contextCells
        self.maximumSequences = maximumSequences
        self.maximumRunning = maximumRunning ?? maximumSequences
        self.contextLength = contextLength ?? contextCells
        self.vocabularySize = vocabularySize
        self.retainedCells = retainedCells ?? contextCells
        self.minimumSharedTokens = minimumSharedTokens
        self.patience = patience
    }

    /// What suits an engine.
    public init<E: Engine & ~Copyable>(
        for engine: borrowing E, tokenBudget: Int = 512, maximumRunning: Int? = nil, contextLength: Int? = nil,
        retainedCells: Int? = nil
    ) {
        self.init(
            tokenBudget: min(tokenBudget, engine.maximumStepTokens), contextCells: engine.contextCells,
            maximumSequences: engine.maximumSequences, maximumRunning: maximumRunning, contextLength: contextLength,
            vocabularySize: engine.vocabularySize,
            retainedCells: engine.sharesPrefixes ? retainedCells ?? engine.affordableRetainedCells : 0)
    }

    /// The same, with every limit in the range that scheduling needs.
    func normalized() -> SchedulerSettings {
        var settings = self
        settings.tokenBudget = max(2, tokenBudget)
        settings.contextCells = max(2, contextCells)
        settings.maximumSequences = max(1, min(maximumSequences, Int(UInt16.max)))
        settings.maximumRunning = max(1, min(maximumRunning, settings.maximumSequences, settings.tokenBudget - 1))
        settings.contextLength = max(2, min(contextLength, settings.contextCells))
        settings.retainedCells = max(0, min(retainedCells, settings.contextCells))
        settings.minimumSharedTokens = max(1, minimumSharedTokens)
        return settings
    }
}

/// What a scheduler holds and has done.
public struct SchedulerLoad: Equatable, Sendable {
    public var running = 0
    public var waiting = 0
    public var cells = 0
    /// Cells of running requests.
    public var cellsRunning = 0
    /// Cells that only finished requests hold.
    public var cellsRetained = 0
    public var steps: UInt64 = 0
    public var preemptions: UInt64 = 0
    /// Tokens of prompts that came to run.
    public var promptTokens: UInt64 = 0
    /// Of these, found in the cache.
    public var cachedTokens: UInt64 = 0

    public init() {}
}
