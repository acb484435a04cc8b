import CLlama
import Synchronization

/// How serious a line of libllama's log is.
public enum LlamaLogLevel: Sendable {
    case debug, info, warning, error
}

/// The part of libllama that a process has once: its compute backends and its log.
public enum LlamaBackend {
    /// Takes one line of the log, without its newline. Called on any thread.
    public typealias LogHandler = @Sendable (LlamaLogLevel, String) -> Void

    /// Loads the compute backends and directs the log, once in a process: later calls do nothing.
    ///
    /// Loading a model calls this by itself; call it before to choose.
    ///
    /// - Parameters:
    ///   - directory: where backends that are separate libraries lie; nil for the place that libllama was built for.
    ///   - log: gets libllama's log; nil silences it. Errors that end a call are thrown in any case.
    public static func start(directory: String? = nil, log: LogHandler? = nil) {
        state.withLock { state in
            guard !state.isStarted else { return }
            state.isStarted = true
            state.handler = log
            unsafe llama_log_set(receiveLog, nil)
            if let directory {
                unsafe ggml_backend_load_all_from_path(directory)
            } else if ggml_backend_reg_count() == 0 {
                ggml_backend_load_all()
            }
            llama_backend_init()
        }
    }

    /// What computes here, for instance `["CPU: AMD EPYC 9B14"]`.
    public static var devices: [String] {
        (0..<ggml_backend_dev_count()).compactMap { index in
            guard let device = unsafe ggml_backend_dev_get(index),
                let name = unsafe ggml_backend_dev_name(device),
                let description = unsafe ggml_backend_dev_description(device)
            else { return nil }
            return unsafe "\(String(cString: name)): \(String(cString: description))"
        }
    }

    struct State {
        var isStarted = false
        var handler: LogHandler?
    }

    struct Log {
        var level = LlamaLogLevel.info
        var line = ""
    }

    /// libllama has one log and one list of backends in a process, so what guards them is one too.
    private static let state = Mutex(State())
    private static let log = Mutex(Log())

    /// Errors are logged on the thread of the call that they are about.
    @TaskLocal private static var errors: ErrorLines?

    private final class ErrorLines: Sendable {
        let lines = Mutex<[String]>([])
    }

    /// Runs `body`, and gives with its result the errors that it logged.
    static func collectingErrors<R>(_ body: () -> R) -> (result: R, reason: String) {
        let errors = ErrorLines()
        let result = $errors.withValue(errors) { body() }
        let reason = errors.lines.withLock { $0.joined(separator: "; ") }
        return (result, reason.isEmpty ? "libllama gave no reason" : reason)
    }

    /// Lines can come in pieces: the first has the level, the others say only that they continue it.
    static func received(_ level: ggml_log_level, _ text: String) {
        let lines = log.withLock { log -> [(LlamaLogLevel, String)] in
            switch level {
            case GGML_LOG_LEVEL_DEBUG: log.level = .debug
            case GGML_LOG_LEVEL_WARN: log.level = .warning
            case GGML_LOG_LEVEL_ERROR: log.level = .error
            case GGML_LOG_LEVEL_CONT: break
            default: log.level = .info
            }
            log.line += text
            var complete: [(LlamaLogLevel, String)] = []
            while let end = log.line.firstIndex(of: "\n") {
                let line = String(log.line[..<end])
                log.line.removeSubrange(...end)
                complete.append((log.level, line))
            }
            return complete
        }
        if let errors {
            for (level, line) in lines where level == .error { errors.lines.withLock { $0.append(line) } }
        }
        guard !lines.isEmpty, let handler = handlerIfStarted() else { return }
        for (level, line) in lines { handler(level, line) }
    }

    /// Nil also while `start` holds the lock, so that backends may log as they are loaded.
    private static func handlerIfStarted() -> LogHandler? {
        state.withLockIfAvailable { $0.handler } ?? nil
    }
}

private func receiveLog(_ level: ggml_log_level, _ text: UnsafePointer<CChar>?, _: UnsafeMutableRawPointer?) {
    guard let text = unsafe text else { return }
    unsafe LlamaBackend.received(level, String(cString: text))
}
