public import ArgumentParser
public import Logging
public import Settings
public import Transport

/// How a station's links are protected: by the site's keys, by staying within the host, or, said out loud, not at all.
public struct LinkProtection: Sendable {
    /// The keys; nil without any.
    public let keys: SiteKeys?
    private let files: SiteKeyFiles?
    /// What may be reached from other hosts without keys.
    public let isInsecure: Bool

    /// What listens beyond the host without protection.
    public struct ExposureError: Error, CustomStringConvertible {
        public var setting: String
        public var address: String

        public var description: String {
            "\(setting) is to listen at \(address), beyond this host, without keys: give --link-key and --link-keys "
                + "(factory keygen --site makes them), or say --insecure"
        }
    }

    /// The settings of a station's links.
    public struct Options: ParsableArguments, Sendable {
        @Option("link-key", as: "path", help: "File with this role's secret CURVE key.")
        var secret: String?
        @Option(
            "link-keys", as: "path",
            help: "Folder with the public CURVE keys of all roles, <role>.pub; read again when they change.")
        var folder: String?
        @Flag("insecure", help: "Listen beyond this host without keys. Said in the log every minute.")
        var isInsecure: Bool

        public init() {}

        /// Reads the keys.
        public func protection() throws(SettingsError) -> LinkProtection {
            guard secret != nil || folder != nil else {
                return LinkProtection(keys: nil, files: nil, isInsecure: isInsecure)
            }
            guard let secret, let folder else {
                throw SettingsError(secret == nil ? "link-key" : "link-keys", "one needs the other")
            }
            let files = SiteKeyFiles(secret: secret, folder: folder)
            do {
                return LinkProtection(keys: try files.load(), files: files, isInsecure: isInsecure)
            } catch {
                throw SettingsError(error.path == secret ? "link-key" : "link-keys", "\(error)")
            }
        }
    }

    /// Who may dial a link.
    /// - Parameters:
    ///   - domain: The link's name, unique within the process.
    ///   - roles: Names of the roles whose keys are admitted.
    ///   - anybody: What others with a key of their own are; nil refuses them.
    ///   - listing: Those alone of the others are admitted whom this lists; nil admits all.
    public func guardian(
        of domain: String, roles: [String], anybody: String? = nil, listing: (any ClientListing)? = nil
    ) -> LinkGuard? {
        keys.map { LinkGuard(domain: domain, roles: roles, anybody: anybody, listing: listing, keys: $0) }
    }

    /// What is shown to the stations of a role.
    public func credentials(above role: String) -> LinkCredentials? {
        keys.map { LinkCredentials(above: role, keys: $0) }
    }

    /// Refuses links that could be reached from other hosts and have no keys.
    public func check(_ setting: String, _ endpoint: Endpoint) throws(ExposureError) {
        guard endpoint.leavesHost, keys == nil, !isInsecure else { return }
        throw ExposureError(setting: setting, address: "\(endpoint)")
    }

    /// Refuses HTTP listeners without keys of their own that could be reached from other hosts.
    public func check(_ setting: String, host: String, isProtected: Bool = false) throws(ExposureError) {
        guard !isProtected, Endpoint.tcp(host: host, port: 0).leavesHost, !isInsecure else { return }
        throw ExposureError(setting: setting, address: host)
    }

    /// Keeps the keys as their files are and says each minute what is not protected; ends with its task.
    public func watch(logger: Logger) async {
        await withTaskGroup(of: Void.self) { group in
            if let files, let keys { group.addTask { await files.watch(keys, logger: logger) } }
            if isInsecure {
                group.addTask {
                    while !Task.isCancelled {
                        logger.warning("--insecure: this station listens beyond its host without keys")
                        try? await Task.sleep(for: .seconds(60))
                    }
                }
            }
        }
    }
}
