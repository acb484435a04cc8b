public import ArgumentParser
import Foundation
public import Logging
import Settings

/// The program of a station: its settings are its options. Its `main` is `start`, which is the same for all.
public protocol StationProgram: AsyncParsableCommand {
    var station: StationSettings { get }

    /// Serves until the station is told to stop.
    /// - Returns: The process's exit status.
    /// - Throws: `SettingsError` for a setting that turns out to be wrong; anything else is why it cannot start.
    static func serve(_ settings: Self, _ logger: Logger) async throws -> Int32
}

extension StationProgram {
    /// Reads the settings and serves. Exits with 64 where a setting is wrong, with 1 where the station cannot start.
    public static func start() async {
        do {
            let program = try load()
            let name = configuration.commandName ?? ""
            let logger = program.station.log.makeLogger(name, fields: ["name": "\(program.station.name)"])
            do {
                Foundation.exit(try await serve(program, logger))
            } catch let error as SettingsError {
                throw error
            } catch {
                logger.critical("cannot start", metadata: ["error": "\(error)"])
                Foundation.exit(1)
            }
        } catch let error as SettingsError {
            let text = error.text(program: configuration.commandName ?? "")
            FileHandle.standardError.write(Data("\(text)\n".utf8))
            Foundation.exit(SettingsError.exitStatus)
        } catch {
            exit(withError: error)
        }
    }
}
