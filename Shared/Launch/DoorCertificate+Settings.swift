public import AdminDoor
public import ArgumentParser
public import Settings

extension DoorCertificate {
    /// The settings of the certificate of a station's HTTP door.
    public struct Options: ParsableArguments, Sendable {
        @Option(
            "tls-certificate", as: "path",
            help: "PEM file of the HTTP door's certificate and those above it; read again when it changes. "
                + "Without it the door speaks plain HTTP.")
        var certificate: String?
        @Option("tls-key", as: "path", help: "PEM file of the certificate's private key.")
        var key: String?

        public init() {}

        /// Reads the certificate; nil where none is given.
        public func load() throws(SettingsError) -> DoorCertificate? {
            guard certificate != nil || key != nil else { return nil }
            guard let certificate, let key else {
                throw SettingsError(certificate == nil ? "tls-certificate" : "tls-key", "one needs the other")
            }
            do {
                return try DoorCertificate(certificate: certificate, key: key)
            } catch {
                throw SettingsError(error.path == key ? "tls-key" : "tls-certificate", "\(error)")
            }
        }
    }
}
