/// Sends the requests of a run through a door and gathers what becomes of them.
public struct LoadRun: Sendable {
    private let settings: LoadSettings
    private let prompts: PromptSource
    private let door: any LoadDoor
    private let model: String
    private let onProgress: @Sendable (LoadProgress) -> Void

    /// - Parameter onProgress: called with each request that is sent or ends, on any thread.
    public init(
        settings: LoadSettings, prompts: PromptSource, door: any LoadDoor, model: String,
        onProgress: @escaping @Sendable (LoadProgress) -> Void = { _ in }
    ) {
        self.settings = settings
        self.prompts = prompts
        self.door = door
        self.model = model
        self.onProgress = onProgress
    }

    /// Runs until every request that was sent has ended.
    public func perform() async -> LoadReport {
        let driver = LoadDriver(
            settings: settings, workload: Workload(settings, prompts), door: door, model: model, onProgress)
        return await driver.perform()
    }
}

/// How far a run is.
public struct LoadProgress: Equatable, Sendable {
    public var sent: Int
    public var ended: Int
    public var failed: Int
    public var tokens: Int
}
