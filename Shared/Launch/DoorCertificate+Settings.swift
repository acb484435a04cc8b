public import AdminDoor
public import Settings

extension DoorCertificate {
    /// The certificate of a station's HTTP door, by the settings `tls-certificate` and `tls-key`; nil where they are
    /// not given, or wrong.
    public static func read(_ reader: inout SettingsReader) -> DoorCertificate? {
        let certificate = reader.optionalPath(
            "tls-certificate",
            help: "PEM file of the HTTP door's certificate and those above it; read again when it changes. "
                + "Without it the door speaks plain HTTP.")
        let key = reader.optionalPath("tls-key", help: "PEM file of the certificate's private key.")
        guard certificate != nil || key != nil else { return nil }
        guard let certificate, let key else {
            reader.refuse(certificate == nil ? "tls-certificate" : "tls-key", because: "one needs the other")
            return nil
        }
        do {
            return try DoorCertificate(certificate: certificate, key: key)
        } catch {
            reader.refuse(error.path == key ? "tls-key" : "tls-certificate", because: "\(error)")
            return nil
        }
    }
}
