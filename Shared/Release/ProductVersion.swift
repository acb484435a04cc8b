/// The version of the Token Factory that this is: what all programs and descriptions say.
///
/// `docker/Dockerfile` and the first version in `CHANGELOG.md` say the same; `make lint` compares them.
public enum ProductVersion {
    public static let text = "0.8.0"
}
